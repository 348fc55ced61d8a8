// Memory for the memtables of all trees: one budget, so that a busy tree may use what idle ones do not.
//
// Half of the budget is for active memtables. When they have filled it, the largest is flushed, whoever's
// write made it so. The other half takes what is written while flushes run; as it fills, writers are slowed
// to what flushes manage (WriteThrottle), so that, short of a failing disk, it never does.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine/memory/chunk_pool.h"

namespace shale::engine::lsm {

// Thread-safe.
class MemtableBudget {
 public:
  explicit MemtableBudget(std::uint64_t total_bytes)
      : total_bytes_(total_bytes), chunks_(kept_bytes(total_bytes)) {}

  // A memtable's part of what is in use, from its making until its memory is given back.
  class Share {
   public:
    explicit Share(MemtableBudget& budget) : budget_(budget) {}
    ~Share() { resize(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    void resize(std::uint64_t bytes) {
      const std::uint64_t change = bytes - bytes_.exchange(bytes, std::memory_order_relaxed);  // modulo 2^64
      if (change == 0) return;
      budget_.used_bytes_.fetch_add(change, std::memory_order_relaxed);
      if (is_active_) budget_.active_bytes_.fetch_add(change, std::memory_order_relaxed);
    }
    // The memtable takes no more writes and waits for its flush.
    void seal() {
      if (!is_active_) return;
      is_active_ = false;
      budget_.active_bytes_.fetch_sub(bytes(), std::memory_order_relaxed);
    }

   private:
    MemtableBudget& budget_;
    std::atomic<std::uint64_t> bytes_ = 0;
    bool is_active_ = true;
  };

  std::uint64_t total_bytes() const { return total_bytes_.load(std::memory_order_relaxed); }
  void set_total_bytes(std::uint64_t bytes) {
    total_bytes_.store(bytes, std::memory_order_relaxed);
    chunks_.set_bytes_max(kept_bytes(bytes));
  }
  // What memtables that are gone had, for those to come. It and what is in use stay within the budget: new
  // memory is mapped only when nothing is left here.
  ChunkPool& chunks() { return chunks_; }
  std::uint64_t mapped_bytes() const { return used_bytes() + chunks_.bytes(); }  // that and what is in use
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  // Whether an active memtable should be flushed to make room for others.
  bool wants_flush() const { return active_bytes_.load(std::memory_order_relaxed) > total_bytes() / 2; }
  // Whether memory will come back by itself: something is sealed, or will be.
  bool is_flushing() const {
    return wants_flush() || used_bytes() > active_bytes_.load(std::memory_order_relaxed);
  }
  bool has_room(std::uint64_t bytes) const { return used_bytes() + bytes <= total_bytes(); }
  // How far the last quarter is used: 0 up to there, 1 when all is.
  double pressure() const {
    const auto total = static_cast<double>(total_bytes());
    const double begin = 0.75 * total;
    const double beyond = static_cast<double>(used_bytes()) - begin;
    return beyond <= 0 ? 0 : beyond / (total - begin);
  }

 private:
  // What is sealed at a time when flushes keep up.
  static std::uint64_t kept_bytes(std::uint64_t total_bytes) { return total_bytes / 2; }

  std::atomic<std::uint64_t> total_bytes_;
  std::atomic<std::uint64_t> used_bytes_ = 0;    // by all memtables
  std::atomic<std::uint64_t> active_bytes_ = 0;  // of them, by those that writes go to
  ChunkPool chunks_;
};

}  // namespace shale::engine::lsm
