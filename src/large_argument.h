// An argument that is too large for memory, on its way from the client into the file that it will stay in
// (docs/large-values.md): received into blocks, of which one is filled while the other is written.
//
// Used by the connection's thread; only Block::write() is for another.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "engine/large/staged_large_value.h"

namespace shale::server {

// Smaller ones too, if a request is made of so many that it would be too large for memory.
inline constexpr std::size_t kLargeAmongManyBytes = std::size_t{64} << 10;

class LargeArgument {
 public:
  // So many bytes are received before they are written; the smaller block is for when memory is short.
  static constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
  static constexpr std::size_t kSmallBlockBytes = std::size_t{64} << 10;

  class Block {
   public:
    // Waits for the disk. What fails is remembered by the value: whoever stores it hears of it.
    void write(engine::StagedLargeValue& value) const {
      static_cast<void>(value.append({bytes_.get(), filled_}).has_value());
    }

   private:
    friend class LargeArgument;
    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t filled_ = 0;
  };

  // The request's argument with this number, of value->value_bytes().
  LargeArgument(std::size_t argument, std::shared_ptr<engine::StagedLargeValue> value)
      : argument_(argument), value_(std::move(value)) {}

  std::size_t argument() const { return argument_; }
  const std::shared_ptr<engine::StagedLargeValue>& value() const { return value_; }

  // What has arrived with other bytes before; only at the beginning.
  void begin_with(std::string_view bytes);
  // Where the next bytes go; empty if there is no room before a block has been written, or all is there.
  std::span<char> room(bool memory_is_short);
  void commit(std::size_t count);

  // What has to be written now, if no block is being written: one that is full or the last, or, to free its
  // memory, any. Call written() when that has been done.
  std::optional<Block> take_block(bool memory_is_short);
  void written() { writing_bytes_ = 0; }

  bool all_received() const { return received_bytes_ == value_->value_bytes(); }
  bool all_written() const { return all_received() && writing_bytes_ == 0 && block_.filled_ == 0; }
  std::size_t memory_bytes() const { return block_.capacity_ + writing_bytes_; }

 private:
  const std::size_t argument_;
  const std::shared_ptr<engine::StagedLargeValue> value_;
  Block block_;                    // being filled
  std::size_t writing_bytes_ = 0;  // of the block that is being written
  std::uint64_t received_bytes_ = 0;
};

}  // namespace shale::server
