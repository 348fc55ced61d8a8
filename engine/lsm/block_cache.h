// Data blocks in memory, shared by all tables, bounded in bytes.
//
// Eviction is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023): a block
// enters a small queue that holds a tenth of the bytes and moves on to the main queue only if it was wanted
// again meanwhile, or comes back soon after it was dropped. So a scan, which wants each block once, flows
// through the tenth and leaves the rest alone; and a hit only sets two bits instead of moving a list node.
//
// Sharded by hash; each shard has a short lock of its own and its own queues, the byte budget is common. A
// block is found by its id, or, if it was inserted with a slot, through that: without the lock and in a
// fraction of the time. Handles keep an evicted block alive: what commands hold is outside the budget,
// bounded by their number.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "engine/lsm/block.h"
#include "engine/lsm/block_slot.h"

namespace shale::engine::lsm {

// Which table's block: the cache's own number for an open table, because table numbers may repeat among the
// trees that share a cache.
struct BlockId {
  std::uint64_t table = 0;
  std::uint64_t offset = 0;

  bool operator==(const BlockId&) const = default;
};

struct BlockCacheStats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t insertions = 0;
  std::uint64_t evictions = 0;
  std::uint64_t refusals = 0;  // blocks too large for the cache
  std::uint64_t blocks = 0;    // now
  std::uint64_t bytes = 0;     // now, bookkeeping included
};

// Thread-safe.
class BlockCache {
 public:
  enum class Access : std::uint8_t {
    point,  // makes the block likelier to stay
    scan,   // does not: a scan that comes by should not push others out
    peek,   // neither that nor counted
  };

  explicit BlockCache(std::uint64_t capacity_bytes);
  ~BlockCache();

  // A number for a table that is being opened; never given twice.
  std::uint64_t new_table();

  // Null if the block is not here, or has a slot.
  BlockHandle find(const BlockId& id, Access access);
  // The same for a block of `table` that is always inserted with this slot.
  BlockHandle find(BlockSlot& slot, std::uint64_t table, Access access) {
    BlockHandle block = slot.find(access == Access::point);
    if (access != Access::peek) count(table, block != nullptr);
    return block;
  }
  // Makes room as needed. A block above an eighth of the capacity is refused. If one with this id is here
  // already, that one stays. The caller keeps the slot, if it gives one, for as long as the block may be
  // here: until erase() of it.
  void insert(const BlockId& id, BlockHandle block, BlockSlot* slot = nullptr);
  void erase(const BlockId& id, BlockSlot* slot = nullptr);
  // Lets go of all blocks of a table that have no slot. Takes time in proportion to the cache but holds each
  // lock only briefly.
  void erase_table(std::uint64_t table);

  void set_capacity(std::uint64_t capacity_bytes);  // evicts at once if need be
  std::uint64_t capacity_bytes() const { return capacity_bytes_.load(std::memory_order_relaxed); }
  BlockCacheStats stats() const;

 private:
  static constexpr std::size_t kShardCount = 16;  // the upper four bits of the hash
  class Shard;
  struct alignas(64) LookupCounts {  // several, because threads would fight for one
    std::atomic<std::uint64_t> hits = 0;
    std::atomic<std::uint64_t> misses = 0;
  };

  static std::size_t shard_index(std::uint64_t hash) { return hash >> 60; }
  void evict_down_to_capacity(std::size_t first_shard);
  void count(std::uint64_t table, bool is_hit) {
    LookupCounts& counts = lookups_[table % kShardCount];
    (is_hit ? counts.hits : counts.misses).fetch_add(1, std::memory_order_relaxed);
  }

  std::array<LookupCounts, kShardCount> lookups_;  // by table
  std::atomic<std::uint64_t> capacity_bytes_;
  std::atomic<std::uint64_t> used_bytes_ = 0;
  std::atomic<std::uint64_t> next_table_ = 1;
  std::atomic<std::uint64_t> refusals_ = 0;
  const std::unique_ptr<Shard[]> shards_;
};

}  // namespace shale::engine::lsm
