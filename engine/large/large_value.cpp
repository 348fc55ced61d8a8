#include "engine/large/large_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace shale::engine {

Error LargeValue::damaged(std::uint64_t offset, std::string_view what) const {
  return corruption(fmt::format("{}: offset {}: {}", path_, offset, what));
}

Status LargeValue::open() {
  const std::lock_guard one_at_a_time{opening_};
  if (auto known = state()) return *known;
  Status status = read_trailer();
  if (!status) {
    const std::lock_guard lock{mutex_};
    error_ = status.error();
  }
  opened_.store(true, std::memory_order_release);
  return status;
}

std::optional<Status> LargeValue::state() const {
  if (!opened_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock{mutex_};
  return error_ ? Status{*error_} : Status{};
}

Status LargeValue::read_trailer() {
  auto file = files_.open(path_);
  if (!file) return file.error();
  file_ = std::move(*file);
  const auto size = file_->size();
  if (!size) return size.error();
  constexpr std::size_t kFooterBytes = LargeValueTrailer::kFooterBytes;
  if (*size < kFooterBytes) return damaged(0, "too short for a large value");
  const std::uint64_t footer_at = *size - kFooterBytes;
  std::array<char, kFooterBytes> footer;
  if (Status read = file_->read_at(footer_at, footer); !read) return read;
  std::uint64_t bytes_before = 0;
  using State = LargeValueTrailer::State;
  switch (LargeValueTrailer::decode_footer(footer, *size, bytes_before)) {
    case State::sound: break;
    case State::not_a_large_value: return damaged(footer_at, "no footer of a large value");
    case State::damaged: return damaged(footer_at, "damaged footer");
    case State::newer_version:
      return Error{ErrorKind::unsupported,
                   fmt::format("{}: a large value of a later format; this build knows {}", path_,
                               kLargeValueFormatVersion)};
  }
  Bytes encoded(bytes_before + kFooterBytes, '\0');
  if (Status read = file_->read_at(footer_at - bytes_before, encoded); !read) return read;
  if (LargeValueTrailer::decode(encoded, trailer_) != State::sound) {
    return damaged(footer_at - bytes_before, "checksum of the trailer does not match");
  }
  if (trailer_.id != id_) return damaged(footer_at, fmt::format("is large value {:016x}", trailer_.id));
  file_bytes_ = *size;
  return {};
}

Status LargeValue::check(const LargeValueReference& reference) const {
  assert(opened_);
  const bool matches =
      reference.id == id_ && reference.value_bytes == trailer_.value_bytes &&
      reference.checksum == large_value_checksum(id_, trailer_.value_bytes, trailer_.chunk_checksums);
  if (matches) return {};
  return damaged(0, "is not the large value that its key refers to");
}

std::size_t LargeValue::chunk_bytes(std::uint64_t number) const {
  const std::uint64_t begin = number * kLargeChunkBytes;
  return static_cast<std::size_t>(std::min<std::uint64_t>(kLargeChunkBytes, trailer_.value_bytes - begin));
}

Status LargeValue::read_chunk(std::uint64_t number, std::span<char> into) const {
  assert(number < trailer_.chunk_checksums.size() && into.size() == chunk_bytes(number));
  const std::uint64_t begin = number * kLargeChunkBytes;
  if (Status read = file_->read_at(begin, into); !read) return read;
  LargeChunkHash hash{id_, number};
  hash.update({into.data(), into.size()});
  if (hash.digest() == trailer_.chunk_checksums[number]) return {};
  const std::lock_guard lock{mutex_};
  error_ = damaged(begin, "checksum does not match");
  return *error_;
}

Status verify_large_value(LargeValue& value) {
  if (Status opened = value.open(); !opened) return opened;
  Bytes chunk(kLargeChunkBytes, '\0');
  const std::uint64_t chunks = value.trailer().chunk_checksums.size();
  Status status;
  for (std::uint64_t number = 0; status && number < chunks; ++number) {
    status = value.read_chunk(number, {chunk.data(), value.chunk_bytes(number)});
  }
  value.drop_page_cache();
  return status;
}

}  // namespace shale::engine
