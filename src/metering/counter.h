// A count that one thread makes and others read.
#pragma once

#include <atomic>
#include <cstdint>

namespace shale::server {

// Written by one thread, read by any: a plain add, no locked instruction.
class Counter {
 public:
  void add(std::int64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void clear() { value_.store(0, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

}  // namespace shale::server
