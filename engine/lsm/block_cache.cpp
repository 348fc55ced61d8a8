#include "engine/lsm/block_cache.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace shale::engine::lsm {

struct BlockCacheEntry {
  BlockCacheEntry(const BlockId& block_id, const Block& block, BlockSlot* tables_slot);

  bool is_in_bucket() const { return slot == &own_slot; }

  const BlockId id;
  BlockSlot own_slot;     // for a block whose table has none: it is found by its id
  BlockSlot* const slot;  // where the block hangs
  const std::uint64_t bytes;
  BlockCacheEntry* next_in_bucket = nullptr;
  BlockCacheEntry* newer = nullptr;  // neighbours in the queue
  BlockCacheEntry* older = nullptr;
  bool in_main = false;
};

namespace {

using CacheEntry = BlockCacheEntry;

constexpr std::uint64_t kSmallQueueShare = 10;  // the small queue's part of the bytes, as a divisor
// How many blocks of the main queue one eviction may spare before it takes the next one regardless: bounds
// the time under the lock when all have been wanted lately.
constexpr unsigned kSparedMax = 64;
// How many buckets erase_table looks through before it lets others have the lock.
constexpr std::size_t kEraseStepBuckets = 512;
constexpr std::size_t kBucketsMin = 64;

std::uint64_t hash_of(const BlockId& id) {
  std::uint64_t hash = id.offset + id.table * 0x9e3779b97f4a7c15U;
  hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93U;
  hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93U;
  return hash ^ hash >> 32;
}

// An entry, its bucket and its ghost, and what malloc keeps for itself.
constexpr std::size_t kEntryOverheadBytes = sizeof(CacheEntry) + sizeof(void*) + 8 + 16;

std::uint64_t charge_of(const Block& block) { return block.memory_bytes() + kEntryOverheadBytes; }

// What has left the cache. To be destroyed without a lock: freeing a block takes its time.
struct Departed {
  std::unique_ptr<CacheEntry> entry;
  BlockHandle block;
};

// First in, first out; entries may leave from anywhere.
class Queue {
 public:
  bool empty() const { return oldest_ == nullptr; }
  CacheEntry* oldest() const { return oldest_; }
  std::uint64_t bytes() const { return bytes_; }

  void push(CacheEntry& entry) {
    entry.older = newest_;
    entry.newer = nullptr;
    (newest_ == nullptr ? oldest_ : newest_->newer) = &entry;
    newest_ = &entry;
    bytes_ += entry.bytes;
  }
  void remove(CacheEntry& entry) {
    (entry.older == nullptr ? oldest_ : entry.older->newer) = entry.newer;
    (entry.newer == nullptr ? newest_ : entry.newer->older) = entry.older;
    bytes_ -= entry.bytes;
  }

 private:
  CacheEntry* oldest_ = nullptr;
  CacheEntry* newest_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// A block that left the small queue unwanted, remembered for as long as it takes as many others to follow.
struct Ghost {
  std::uint32_t fingerprint = 0;
  std::uint32_t departure = 0;
};

}  // namespace

BlockCacheEntry::BlockCacheEntry(const BlockId& block_id, const Block& block, BlockSlot* tables_slot)
    : id(block_id), slot(tables_slot == nullptr ? &own_slot : tables_slot), bytes(charge_of(block)) {}

// Owns its entries. Those of blocks with a slot of their table's are in no bucket: their blocks know them,
// and so neither insertion nor eviction walks a chain of entries that nobody has looked at for long.
class alignas(64) BlockCache::Shard {
 public:
  Shard() { rehash(kBucketsMin); }
  ~Shard() {
    for (const Queue* const queue : {&small_, &main_}) {
      for (CacheEntry* entry = queue->oldest(); entry != nullptr;) {
        delete std::exchange(entry, entry->newer);
      }
    }
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  BlockHandle find(const BlockId& id, std::uint64_t hash, Access access) {
    const std::lock_guard lock{mutex_};
    CacheEntry* const entry = entry_of(id, hash);
    return entry == nullptr ? nullptr : entry->slot->find(access == Access::point);
  }

  // False if there is a block with this id already.
  bool insert(const BlockId& id, std::uint64_t hash, BlockHandle block, BlockSlot* slot) {
    auto made = std::make_unique<CacheEntry>(id, *block, slot);
    const std::lock_guard lock{mutex_};
    if (slot != nullptr ? !slot->is_empty() : entry_of(id, hash) != nullptr) return false;
    if (entry_count_ == buckets_.size()) rehash(buckets_.size() * 2);
    CacheEntry& entry = *made.release();
    if (!entry.is_in_bucket()) block->cache_entry_ = &entry;
    entry.slot->put(std::move(block));
    entry.in_main = is_ghost(hash);
    queue_of(entry).push(entry);
    if (entry.is_in_bucket()) put_into_bucket(entry, hash);
    ++entry_count_;
    ++insertions_;
    return true;
  }

  // Nothing if there is none left.
  Departed evict() {
    const std::lock_guard lock{mutex_};
    CacheEntry* const victim = choose_victim();
    if (victim == nullptr) return {};
    ++evictions_;
    const std::uint64_t hash = hash_of(victim->id);
    if (!victim->in_main) ghosts_[hash & mask_] = {fingerprint(hash), ++departures_};
    return take_out(*victim, hash);
  }

  Departed erase(const BlockId& id, std::uint64_t hash, BlockSlot* slot) {
    const std::lock_guard lock{mutex_};
    CacheEntry* entry = nullptr;
    if (slot == nullptr) {
      entry = entry_of(id, hash);
    } else if (const BlockHandle block = slot->find(false)) {
      entry = block->cache_entry_;
    }
    return entry == nullptr ? Departed{} : take_out(*entry, hash);
  }

  std::uint64_t erase_table(std::uint64_t table) {
    std::uint64_t bytes = 0;
    std::size_t begin = 0;
    std::vector<Departed> erased;
    do {
      erased.clear();
      const std::lock_guard lock{mutex_};
      // If the buckets have been doubled meanwhile, the second half repeats the first: nothing is missed.
      const std::size_t end = std::min(begin + kEraseStepBuckets, buckets_.size());
      for (; begin != end; ++begin) {
        for (CacheEntry* entry = buckets_[begin]; entry != nullptr;) {
          CacheEntry* const next = entry->next_in_bucket;
          if (entry->id.table == table) {
            bytes += entry->bytes;
            erased.push_back(take_out(*entry, hash_of(entry->id)));
          }
          entry = next;
        }
      }
      if (begin == buckets_.size()) break;
    } while (true);
    return bytes;
  }

  void add_to(BlockCacheStats& stats) const {
    const std::lock_guard lock{mutex_};
    stats.insertions += insertions_;
    stats.evictions += evictions_;
    stats.blocks += entry_count_;
    stats.bytes += small_.bytes() + main_.bytes();
  }

 private:
  CacheEntry* entry_of(const BlockId& id, std::uint64_t hash) const {
    CacheEntry* entry = buckets_[hash & mask_];
    while (entry != nullptr && entry->id != id) entry = entry->next_in_bucket;
    return entry;
  }
  void put_into_bucket(CacheEntry& entry, std::uint64_t hash) {
    CacheEntry*& bucket = buckets_[hash & mask_];
    entry.next_in_bucket = std::exchange(bucket, &entry);
  }
  Queue& queue_of(const CacheEntry& entry) { return entry.in_main ? main_ : small_; }
  static std::uint32_t fingerprint(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32) | 1; }

  bool is_ghost(std::uint64_t hash) const {
    const Ghost& ghost = ghosts_[hash & mask_];
    return ghost.fingerprint == fingerprint(hash) && departures_ - ghost.departure <= entry_count_;
  }

  CacheEntry* choose_victim() {
    unsigned spared = 0;
    while (true) {
      const bool small_is_full =
          small_.bytes() * kSmallQueueShare >= small_.bytes() + main_.bytes() || main_.empty();
      if (small_is_full && !small_.empty()) {
        CacheEntry& oldest = *small_.oldest();
        if (oldest.slot->frequency() <= 1) return &oldest;
        small_.remove(oldest);
        oldest.slot->set_frequency(0);
        oldest.in_main = true;
        main_.push(oldest);
        continue;
      }
      if (main_.empty()) return nullptr;
      CacheEntry& oldest = *main_.oldest();
      const unsigned frequency = oldest.slot->frequency();
      if (frequency == 0 || ++spared > kSparedMax) return &oldest;
      oldest.slot->set_frequency(frequency - 1);
      main_.remove(oldest);
      main_.push(oldest);
    }
  }

  Departed take_out(CacheEntry& entry, std::uint64_t hash) {
    queue_of(entry).remove(entry);
    if (entry.is_in_bucket()) {
      CacheEntry** link = &buckets_[hash & mask_];
      while (*link != &entry) link = &(*link)->next_in_bucket;
      *link = entry.next_in_bucket;
    }
    --entry_count_;
    BlockHandle block = entry.slot->take();  // now: the slot may go as soon as the lock is free
    return {std::unique_ptr<CacheEntry>{&entry}, std::move(block)};
  }

  void rehash(std::size_t bucket_count) {
    const std::vector<CacheEntry*> old = std::exchange(buckets_, std::vector<CacheEntry*>(bucket_count));
    ghosts_.assign(bucket_count, {});
    mask_ = bucket_count - 1;
    for (CacheEntry* entry : old) {
      while (entry != nullptr) {
        CacheEntry& moved = *std::exchange(entry, entry->next_in_bucket);
        put_into_bucket(moved, hash_of(moved.id));
      }
    }
  }

  mutable std::mutex mutex_;  // guards everything below
  std::uint64_t mask_ = 0;
  std::vector<CacheEntry*> buckets_;  // as many as a power of two, grown with the number of entries
  std::size_t entry_count_ = 0;
  Queue small_;
  Queue main_;
  std::vector<Ghost> ghosts_;  // one per bucket
  std::uint32_t departures_ = 0;
  std::uint64_t insertions_ = 0;
  std::uint64_t evictions_ = 0;
};

BlockCache::BlockCache(std::uint64_t capacity_bytes)
    : capacity_bytes_(capacity_bytes), shards_(std::make_unique<Shard[]>(kShardCount)) {}

BlockCache::~BlockCache() = default;

std::uint64_t BlockCache::new_table() { return next_table_.fetch_add(1, std::memory_order_relaxed); }

BlockHandle BlockCache::find(const BlockId& id, Access access) {
  const std::uint64_t hash = hash_of(id);
  BlockHandle block = shards_[shard_index(hash)].find(id, hash, access);
  if (access != Access::peek) count(id.table, block != nullptr);
  return block;
}

void BlockCache::insert(const BlockId& id, BlockHandle block, BlockSlot* slot) {
  assert(block != nullptr);
  const std::uint64_t charge = charge_of(*block);
  if (charge > capacity_bytes() / 8) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t hash = hash_of(id);
  // Counted first, so that a concurrent eviction of this block cannot take off what was not yet added.
  used_bytes_.fetch_add(charge, std::memory_order_relaxed);
  if (!shards_[shard_index(hash)].insert(id, hash, std::move(block), slot)) {
    used_bytes_.fetch_sub(charge, std::memory_order_relaxed);
  }
  evict_down_to_capacity(shard_index(hash));
}

void BlockCache::evict_down_to_capacity(std::size_t first_shard) {
  std::size_t shard = first_shard;
  std::size_t empty_shards = 0;  // in a row
  while (used_bytes_.load(std::memory_order_relaxed) > capacity_bytes() && empty_shards != kShardCount) {
    const Departed evicted = shards_[shard].evict();
    if (evicted.entry == nullptr) {
      ++empty_shards;
      shard = (shard + 1) % kShardCount;
      continue;
    }
    empty_shards = 0;
    used_bytes_.fetch_sub(evicted.entry->bytes, std::memory_order_relaxed);
  }
}

void BlockCache::erase(const BlockId& id, BlockSlot* slot) {
  const std::uint64_t hash = hash_of(id);
  const Departed erased = shards_[shard_index(hash)].erase(id, hash, slot);
  if (erased.entry != nullptr) used_bytes_.fetch_sub(erased.entry->bytes, std::memory_order_relaxed);
}

void BlockCache::erase_table(std::uint64_t table) {
  for (std::size_t shard = 0; shard != kShardCount; ++shard) {
    used_bytes_.fetch_sub(shards_[shard].erase_table(table), std::memory_order_relaxed);
  }
}

void BlockCache::set_capacity(std::uint64_t capacity_bytes) {
  capacity_bytes_.store(capacity_bytes, std::memory_order_relaxed);
  // From every shard in turn, or the first ones would be emptied.
  for (std::size_t shard = 0, empty_shards = 0;
       used_bytes_.load(std::memory_order_relaxed) > capacity_bytes && empty_shards != kShardCount;
       shard = (shard + 1) % kShardCount) {
    const Departed evicted = shards_[shard].evict();
    empty_shards = evicted.entry == nullptr ? empty_shards + 1 : 0;
    if (evicted.entry != nullptr) {
      used_bytes_.fetch_sub(evicted.entry->bytes, std::memory_order_relaxed);
    }
  }
}

BlockCacheStats BlockCache::stats() const {
  BlockCacheStats stats;
  for (std::size_t shard = 0; shard != kShardCount; ++shard) shards_[shard].add_to(stats);
  for (const LookupCounts& counts : lookups_) {
    stats.hits += counts.hits.load(std::memory_order_relaxed);
    stats.misses += counts.misses.load(std::memory_order_relaxed);
  }
  stats.refusals = refusals_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace shale::engine::lsm
