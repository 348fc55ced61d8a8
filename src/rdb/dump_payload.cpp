#include "src/rdb/dump_payload.h"

#include <bit>
#include <concepts>
#include <cstring>
#include <limits>

#include "protocol/number_text.h"
#include "src/rdb/crc64.h"
#include "src/rdb/lzf.h"

namespace shale::rdb {
namespace {

constexpr char kStringType = 0;
constexpr unsigned kEncoded = 0xc0;  // the kind follows in the lower bits
enum class Kind : std::uint8_t { int8 = 0, int16 = 1, int32 = 2, lzf = 3 };

// Redis does not try on shorter ones.
constexpr std::size_t kCompressedBytesMin = 21;
constexpr std::size_t kSavedBytesMin = 4;
constexpr std::size_t kIntegerBytesMax = 11;

template <std::integral Number>
void append_number(Number number, Bytes& out) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// The next number, or nothing if there are too few bytes.
template <std::integral Number>
std::optional<Number> take_number(BytesView& bytes) {
  Number number{};
  if (bytes.size() < sizeof number) return std::nullopt;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return number;
}

void append_length(std::uint64_t length, Bytes& out) {
  if (length < 1U << 6) {
    out.push_back(static_cast<char>(length));
  } else if (length < 1U << 14) {
    out.push_back(static_cast<char>(0x40U | length >> 8));
    out.push_back(static_cast<char>(length & 0xff));
  } else if (length <= std::numeric_limits<std::uint32_t>::max()) {
    out.push_back(static_cast<char>(0x80));
    append_number(__builtin_bswap32(static_cast<std::uint32_t>(length)), out);
  } else {
    out.push_back(static_cast<char>(0x81));
    append_number(__builtin_bswap64(length), out);
  }
}

std::optional<std::uint64_t> take_length(BytesView& bytes) {
  const auto first = take_number<std::uint8_t>(bytes);
  if (!first) return std::nullopt;
  if (*first < 0x40) return *first;
  if (*first < 0x80) {
    const auto low = take_number<std::uint8_t>(bytes);
    return low ? std::optional{std::uint64_t{*first & 0x3fU} << 8 | *low} : std::nullopt;
  }
  if (*first == 0x80) {
    const auto length = take_number<std::uint32_t>(bytes);
    return length ? std::optional<std::uint64_t>{__builtin_bswap32(*length)} : std::nullopt;
  }
  const auto length = *first == 0x81 ? take_number<std::uint64_t>(bytes) : std::nullopt;
  return length ? std::optional{__builtin_bswap64(*length)} : std::nullopt;
}

template <std::integral Number>
bool fits(std::int64_t number) {
  return number >= std::numeric_limits<Number>::min() && number <= std::numeric_limits<Number>::max();
}

template <std::integral Number>
void append_encoded(Kind kind, std::int64_t number, Bytes& out) {
  out.push_back(static_cast<char>(kEncoded | static_cast<unsigned>(kind)));
  append_number(static_cast<Number>(number), out);
}

bool append_as_integer(BytesView bytes, Bytes& out) {
  if (bytes.size() > kIntegerBytesMax) return false;
  const auto number = protocol::parse_integer(bytes);
  if (!number || !fits<std::int32_t>(*number)) return false;
  if (fits<std::int8_t>(*number)) {
    append_encoded<std::int8_t>(Kind::int8, *number, out);
  } else if (fits<std::int16_t>(*number)) {
    append_encoded<std::int16_t>(Kind::int16, *number, out);
  } else {
    append_encoded<std::int32_t>(Kind::int32, *number, out);
  }
  return true;
}

bool append_compressed(BytesView bytes, Bytes& out) {
  if (bytes.size() < kCompressedBytesMin) return false;
  const auto stream = lzf_compress(bytes, bytes.size() - kSavedBytesMin);
  if (!stream) return false;
  out.push_back(static_cast<char>(kEncoded | static_cast<unsigned>(Kind::lzf)));
  append_length(stream->size(), out);
  append_length(bytes.size(), out);
  out += *stream;
  return true;
}

template <std::integral Number>
Restored take_integer(BytesView bytes) {
  const auto number = take_number<Number>(bytes);
  if (!number) return {Damage::bad_format, {}};
  return {Damage::none, std::to_string(*number)};
}

Restored take_compressed(BytesView bytes, std::uint64_t bytes_max) {
  const auto stream_bytes = take_length(bytes);
  const auto length = stream_bytes ? take_length(bytes) : std::nullopt;
  if (!length || *stream_bytes > bytes.size()) return {Damage::bad_format, {}};
  if (*length > bytes_max) return {Damage::too_long, {}};
  auto plain = lzf_decompress(bytes.substr(0, *stream_bytes), *length);
  if (!plain) return {Damage::bad_format, {}};
  return {Damage::none, std::move(*plain)};
}

Restored take_encoded(Kind kind, BytesView bytes, std::uint64_t bytes_max) {
  switch (kind) {
    case Kind::int8: return take_integer<std::int8_t>(bytes);
    case Kind::int16: return take_integer<std::int16_t>(bytes);
    case Kind::int32: return take_integer<std::int32_t>(bytes);
    case Kind::lzf: return take_compressed(bytes, bytes_max);
  }
  return {Damage::bad_format, {}};
}

}  // namespace

Bytes dump_string(BytesView bytes) {
  Bytes payload(1, kStringType);
  if (!append_as_integer(bytes, payload) && !append_compressed(bytes, payload)) {
    append_length(bytes.size(), payload);
    payload += bytes;
  }
  payload += footer(crc64(0, payload));
  return payload;
}

Bytes string_header(std::uint64_t length) {
  Bytes header(1, kStringType);
  append_length(length, header);
  return header;
}

// The checksum is of the version as well.
Bytes footer(std::uint64_t crc_of_all_before) {
  Bytes bytes;
  append_number(kVersionWritten, bytes);
  append_number(crc64(crc_of_all_before, bytes), bytes);
  return bytes;
}

bool is_sound(BytesView payload) {
  if (payload.size() < kFooterBytes) return false;
  const BytesView covered = payload.substr(0, payload.size() - sizeof(std::uint64_t));
  BytesView end = payload.substr(payload.size() - kFooterBytes);
  const auto version = take_number<std::uint16_t>(end);
  return *version <= kVersionReadMax && crc64(0, covered) == *take_number<std::uint64_t>(end);
}

Restored restore_string(BytesView payload, std::uint64_t bytes_max) {
  BytesView bytes = payload.substr(0, payload.size() - kFooterBytes);
  const auto type = take_number<char>(bytes);
  if (!type || *type != kStringType || bytes.empty()) return {Damage::bad_format, {}};
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first >= kEncoded) return take_encoded(static_cast<Kind>(first & 0x3fU), bytes.substr(1), bytes_max);
  const auto length = take_length(bytes);
  if (!length || *length > bytes.size()) return {Damage::bad_format, {}};
  if (*length > bytes_max) return {Damage::too_long, {}};
  return {Damage::none, Bytes(bytes.substr(0, *length))};
}

}  // namespace shale::rdb
