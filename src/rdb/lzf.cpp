#include "src/rdb/lzf.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace shale::rdb {
namespace {

constexpr std::size_t kLiteralBytesMax = 32;
constexpr std::size_t kMatchBytesMin = 3;
constexpr std::size_t kShortMatchBytesMax = 8;
constexpr std::size_t kMatchBytesMax = 264;
constexpr std::size_t kDistanceMax = 1U << 13;
constexpr unsigned kHashBits = 14;

// Of the three bytes that a match begins with.
std::size_t hash_at(BytesView bytes, std::size_t at) {
  const auto byte = [&](std::size_t offset) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + offset]));
  };
  const std::uint32_t head = byte(0) | byte(1) << 8 | byte(2) << 16;
  return head * 0x9e3779b1U >> (32 - kHashBits);
}

void append_literals(BytesView literals, Bytes& out) {
  while (!literals.empty()) {
    const BytesView part = literals.substr(0, kLiteralBytesMax);
    out.push_back(static_cast<char>(part.size() - 1));
    out += part;
    literals.remove_prefix(part.size());
  }
}

void append_match(std::size_t distance, std::size_t length, Bytes& out) {
  const std::size_t offset = distance - 1;
  if (length <= kShortMatchBytesMax) {
    out.push_back(static_cast<char>((length - 2) << 5 | offset >> 8));
  } else {
    out.push_back(static_cast<char>(7U << 5 | offset >> 8));
    out.push_back(static_cast<char>(length - kShortMatchBytesMax - 1));
  }
  out.push_back(static_cast<char>(offset & 0xff));
}

std::size_t match_length(BytesView bytes, std::size_t earlier, std::size_t at) {
  const std::size_t limit = std::min(kMatchBytesMax, bytes.size() - at);
  std::size_t length = 0;
  while (length < limit && bytes[earlier + length] == bytes[at + length]) ++length;
  return length;
}

}  // namespace

std::optional<Bytes> lzf_compress(BytesView bytes, std::size_t bytes_max) {
  Bytes out;
  std::vector<std::uint32_t> newest(std::size_t{1} << kHashBits, 0);  // 1 + place by hash; 0: none
  std::size_t literals = 0;  // where those begin that are not out yet
  for (std::size_t at = 0; at + kMatchBytesMin <= bytes.size();) {
    std::uint32_t& slot = newest[hash_at(bytes, at)];
    const std::size_t earlier = slot;
    slot = static_cast<std::uint32_t>(at + 1);
    const bool near = earlier != 0 && at - (earlier - 1) <= kDistanceMax;
    const std::size_t length = near ? match_length(bytes, earlier - 1, at) : 0;
    if (length < kMatchBytesMin) {
      ++at;
      continue;
    }
    append_literals(bytes.substr(literals, at - literals), out);
    append_match(at - (earlier - 1), length, out);
    at += length;
    literals = at;
    if (out.size() > bytes_max) return std::nullopt;
  }
  append_literals(bytes.substr(literals), out);
  if (out.size() > bytes_max) return std::nullopt;
  return out;
}

std::optional<Bytes> lzf_decompress(BytesView stream, std::size_t length) {
  Bytes out;
  out.reserve(length);
  std::size_t at = 0;
  const auto take = [&]() -> std::size_t { return static_cast<unsigned char>(stream[at++]); };
  while (at < stream.size()) {
    const std::size_t control = take();
    if (control < kLiteralBytesMax) {
      const std::size_t count = control + 1;
      if (stream.size() - at < count || length - out.size() < count) return std::nullopt;
      out += stream.substr(at, count);
      at += count;
      continue;
    }
    const bool is_long = control >> 5 == 7;
    if (stream.size() - at < (is_long ? 2U : 1U)) return std::nullopt;
    const std::size_t count = (is_long ? take() + 7 : control >> 5) + 2;
    const std::size_t distance = ((control & 0x1f) << 8 | take()) + 1;
    if (distance > out.size() || length - out.size() < count) return std::nullopt;
    // Byte by byte: what is copied may begin in what is being written.
    for (std::size_t copied = 0; copied < count; ++copied) out.push_back(out[out.size() - distance]);
  }
  return out.size() == length ? std::optional{std::move(out)} : std::nullopt;
}

}  // namespace shale::rdb
