// Memory that commands need while they work on something in the background: all clients' together is bounded.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace shale::server {

// Thread-safe. Outlives its reservations.
class WorkingMemory {
 public:
  explicit WorkingMemory(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  WorkingMemory(const WorkingMemory&) = delete;
  WorkingMemory& operator=(const WorkingMemory&) = delete;

  // Gives its bytes back when it goes.
  class Reservation {
   public:
    Reservation(Reservation&& other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
    Reservation& operator=(Reservation&&) = delete;
    ~Reservation() {
      if (memory_ != nullptr) memory_->bytes_.fetch_sub(bytes_, std::memory_order_relaxed);
    }

   private:
    friend class WorkingMemory;
    Reservation(WorkingMemory& memory, std::uint64_t bytes) : memory_(&memory), bytes_(bytes) {}
    WorkingMemory* memory_;
    std::uint64_t bytes_;
  };

  // Nothing if so much is not left.
  std::optional<Reservation> reserve(std::uint64_t bytes) {
    if (bytes > bytes_max_) return std::nullopt;
    if (bytes_.fetch_add(bytes, std::memory_order_relaxed) > bytes_max_ - bytes) {
      bytes_.fetch_sub(bytes, std::memory_order_relaxed);
      return std::nullopt;
    }
    return Reservation{*this, bytes};
  }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const std::uint64_t bytes_max_;
  std::atomic<std::uint64_t> bytes_ = 0;
};

}  // namespace shale::server
