// Reads a part of a large value in order, a chunk at a time, for a command that cannot have it in memory:
// BITCOUNT, BITPOS, GETBIT and the like.
//
//   class Sum : public LargeScan { ... bool visit(offset, bytes) override; ... };
//   auto sum = scanned<Sum>(context.keyspace, value, begin, length, ...);
//   if (!sum) return sum.error();      // not_resident until the background has read it
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "engine/engine.h"
#include "engine/large/large_value.h"
#include "src/keyspace.h"

namespace shale::server {

// Run by one background thread at a time, and waits for the disk there.
class LargeScan : public engine::Load {
 public:
  // Bytes begin to begin + length of `value`, which is to be what `reference` means.
  LargeScan(std::shared_ptr<engine::LargeValue> value, const engine::LargeValueReference& reference,
            std::uint64_t begin, std::uint64_t length)
      : value_(std::move(value)),
        reference_(reference),
        next_(begin),
        begin_(begin),
        length_(length),
        end_(begin + length) {}

  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }

  bool reads(const engine::LargeValueReference& reference, std::uint64_t begin, std::uint64_t length) const {
    return reference_.id == reference.id && begin_ == begin && length_ == length;
  }
  const engine::Status& status() const { return status_; }  // once done; errors: corruption, io

 protected:
  // The bytes of the value from `offset` on. False: no more are wanted.
  virtual bool visit(std::uint64_t offset, BytesView bytes) = 0;

 private:
  engine::Status read_some();

  const std::shared_ptr<engine::LargeValue> value_;
  const engine::LargeValueReference reference_;
  std::uint64_t next_;
  const std::uint64_t begin_;
  const std::uint64_t length_;
  std::uint64_t end_;
  engine::Status status_;
  std::atomic<bool> done_ = false;
};

// A part of a large value, in memory.
class LargeExtract final : public LargeScan {
 public:
  using LargeScan::LargeScan;
  BytesView bytes() const { return bytes_; }
  static bool is_for() { return true; }

 private:
  bool visit(std::uint64_t, BytesView bytes) override {
    bytes_ += bytes;
    return true;
  }
  Bytes bytes_;
};

// The scan of that part of `value`, which is large, for `more` (Scan::is_for), when it has been made. Errors:
// not_resident until then; corruption, io.
template <class Scan, class... More>
engine::Result<std::shared_ptr<const Scan>> scanned(Keyspace& keyspace, const Value& value,
                                                    std::uint64_t begin, std::uint64_t length, More... more) {
  for (const auto& load : keyspace.loads()) {
    auto scan = std::dynamic_pointer_cast<const Scan>(load);
    if (scan == nullptr || !scan->reads(*value.large, begin, length) || !scan->is_for(more...)) continue;
    if (!scan->status()) return scan->status().error();
    return scan;
  }
  auto opened = keyspace.open_large(*value.large);
  if (!opened) return opened.error();
  keyspace.reads().missing.push_back(
      std::make_shared<Scan>(std::move(*opened), *value.large, begin, length, more...));
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

}  // namespace shale::server
