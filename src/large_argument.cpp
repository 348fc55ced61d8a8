#include "src/large_argument.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace shale::server {

void LargeArgument::begin_with(std::string_view bytes) {
  assert(received_bytes_ == 0 && bytes.size() < value_->value_bytes());
  if (bytes.empty()) return;
  block_.capacity_ = std::max(bytes.size(), kSmallBlockBytes);
  block_.bytes_ = std::make_unique_for_overwrite<char[]>(block_.capacity_);
  std::memcpy(block_.bytes_.get(), bytes.data(), bytes.size());
  block_.filled_ = received_bytes_ = bytes.size();
}

std::span<char> LargeArgument::room(bool memory_is_short) {
  if (all_received() || (memory_is_short && writing_bytes_ != 0)) return {};
  const std::uint64_t to_come = value_->value_bytes() - received_bytes_;
  if (block_.bytes_ == nullptr) {
    block_.capacity_ = static_cast<std::size_t>(
        std::min<std::uint64_t>(to_come, memory_is_short ? kSmallBlockBytes : kBlockBytes));
    block_.bytes_ = std::make_unique_for_overwrite<char[]>(block_.capacity_);
  }
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(to_come, block_.capacity_ - block_.filled_));
  return {block_.bytes_.get() + block_.filled_, count};
}

void LargeArgument::commit(std::size_t count) {
  block_.filled_ += count;
  received_bytes_ += count;
}

std::optional<LargeArgument::Block> LargeArgument::take_block(bool memory_is_short) {
  if (writing_bytes_ != 0 || block_.filled_ == 0) return {};
  const bool is_due = block_.filled_ == block_.capacity_ || all_received() || memory_is_short;
  if (!is_due) return {};
  writing_bytes_ = block_.capacity_;
  return std::exchange(block_, Block{});
}

}  // namespace shale::server
