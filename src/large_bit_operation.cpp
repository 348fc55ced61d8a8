#include "src/large_bit_operation.h"

#include <algorithm>
#include <span>

#include "engine/large/large_value_format.h"

namespace shale::server {
namespace {

// In between, others get their turn on the background's thread.
constexpr std::uint64_t kCombinedPerRun = 8U << 20;

}  // namespace

void LargeBitOperation::run() {
  if (done()) return;
  status_ = combine_some(kCombinedPerRun);
  if (status_ && written_ != into_->value_bytes()) return;
  if (status_) status_ = into_->finish(position_);
  readers_.clear();
  done_.store(true, std::memory_order_release);
}

engine::Status LargeBitOperation::combine_some(std::uint64_t bytes_max) {
  engine::Bytes result(engine::kLargeChunkBytes, '\0');
  engine::Bytes operand(engine::kLargeChunkBytes, '\0');
  const std::uint64_t stop = std::min(into_->value_bytes(), written_ + bytes_max);
  while (written_ < stop) {
    const std::uint64_t length =
        std::min<std::uint64_t>(engine::kLargeChunkBytes, into_->value_bytes() - written_);
    result.assign(length, '\0');
    for (std::size_t number = 0; number < sources_.size(); ++number) {
      const engine::LargePiece& source = sources_[number];
      const std::uint64_t there = source.length > written_ ? std::min(length, source.length - written_) : 0;
      const std::span<char> part = std::span{number == 0 ? result : operand}.first(there);
      if (there != 0) {
        if (auto read = readers_[number].read(source, written_, part); !read) return read;
      }
      if (number != 0) bits::combine(operation_, result, {part.data(), part.size()});
    }
    if (operation_ == bits::Operation::bit_not) bits::invert(result);
    if (auto appended = into_->append(result); !appended) return appended;
    written_ += length;
  }
  return {};
}

}  // namespace shale::server
