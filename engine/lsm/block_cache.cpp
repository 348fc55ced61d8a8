#include "engine/lsm/block_cache.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace shale::engine::lsm {
namespace {

constexpr std::uint8_t kFrequencyMax = 3;
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

// One cache line: a lookup touches the bucket, this, and the block.
struct alignas(64) CacheEntry {
  BlockId id;
  std::unique_ptr<CacheEntry> next_in_bucket;
  BlockHandle block;
  CacheEntry* newer = nullptr;  // neighbours in the queue
  CacheEntry* older = nullptr;
  std::uint8_t frequency = 0;
  bool in_main = false;
};
static_assert(sizeof(CacheEntry) == 64);

// An entry, its bucket and its ghost, and what malloc keeps for itself.
constexpr std::size_t kEntryOverheadBytes = sizeof(CacheEntry) + sizeof(void*) + 8 + 16;

std::uint64_t charge_of(const Block& block) { return block.memory_bytes() + kEntryOverheadBytes; }

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
    bytes_ += charge_of(*entry.block);
  }
  void remove(CacheEntry& entry) {
    (entry.older == nullptr ? oldest_ : entry.older->newer) = entry.newer;
    (entry.newer == nullptr ? newest_ : entry.newer->older) = entry.older;
    bytes_ -= charge_of(*entry.block);
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

class alignas(64) BlockCache::Shard {
 public:
  Shard() { rehash(kBucketsMin); }

  BlockHandle find(const BlockId& id, std::uint64_t hash, Access access) {
    const std::lock_guard lock{mutex_};
    for (CacheEntry* entry = buckets_[hash & mask_].get(); entry != nullptr;
         entry = entry->next_in_bucket.get()) {
      if (entry->id != id) continue;
      entry->block->prefetch();  // counting the reference comes first and would hold up what follows
      if (access != Access::peek) ++hits_;
      if (access == Access::point && entry->frequency != kFrequencyMax) ++entry->frequency;
      return entry->block;
    }
    if (access != Access::peek) ++misses_;
    return nullptr;
  }

  // False if there is a block with this id already.
  bool insert(const BlockId& id, std::uint64_t hash, BlockHandle block) {
    auto entry = std::make_unique<CacheEntry>();
    entry->id = id;
    entry->block = std::move(block);
    const std::lock_guard lock{mutex_};
    if (entry_count_ == buckets_.size()) rehash(buckets_.size() * 2);
    std::unique_ptr<CacheEntry>& bucket = buckets_[hash & mask_];
    for (const CacheEntry* other = bucket.get(); other != nullptr; other = other->next_in_bucket.get()) {
      if (other->id == id) return false;
    }
    entry->in_main = is_ghost(hash);
    queue_of(*entry).push(*entry);
    entry->next_in_bucket = std::move(bucket);
    bucket = std::move(entry);
    ++entry_count_;
    ++insertions_;
    return true;
  }

  // Null if there is none left. To be destroyed without the lock: freeing a block takes its time.
  std::unique_ptr<CacheEntry> evict() {
    const std::lock_guard lock{mutex_};
    CacheEntry* const victim = choose_victim();
    if (victim == nullptr) return nullptr;
    ++evictions_;
    const std::uint64_t hash = hash_of(victim->id);
    if (!victim->in_main) ghosts_[hash & mask_] = {fingerprint(hash), ++departures_};
    return take_out(*victim, hash);
  }

  std::uint64_t erase_table(std::uint64_t table) {
    std::uint64_t bytes = 0;
    std::size_t begin = 0;
    std::vector<std::unique_ptr<CacheEntry>> erased;
    do {
      erased.clear();
      const std::lock_guard lock{mutex_};
      // If the buckets have been doubled meanwhile, the second half repeats the first: nothing is missed.
      const std::size_t end = std::min(begin + kEraseStepBuckets, buckets_.size());
      for (; begin != end; ++begin) {
        for (CacheEntry* entry = buckets_[begin].get(); entry != nullptr;) {
          CacheEntry* const next = entry->next_in_bucket.get();
          if (entry->id.table == table) {
            bytes += charge_of(*entry->block);
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
    stats.hits += hits_;
    stats.misses += misses_;
    stats.insertions += insertions_;
    stats.evictions += evictions_;
    stats.blocks += entry_count_;
    stats.bytes += small_.bytes() + main_.bytes();
  }

 private:
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
        if (oldest.frequency <= 1) return &oldest;
        small_.remove(oldest);
        oldest.frequency = 0;
        oldest.in_main = true;
        main_.push(oldest);
        continue;
      }
      if (main_.empty()) return nullptr;
      CacheEntry& oldest = *main_.oldest();
      if (oldest.frequency == 0 || ++spared > kSparedMax) return &oldest;
      --oldest.frequency;
      main_.remove(oldest);
      main_.push(oldest);
    }
  }

  std::unique_ptr<CacheEntry> take_out(CacheEntry& entry, std::uint64_t hash) {
    queue_of(entry).remove(entry);
    std::unique_ptr<CacheEntry>* link = &buckets_[hash & mask_];
    while (link->get() != &entry) link = &(*link)->next_in_bucket;
    std::unique_ptr<CacheEntry> taken = std::move(*link);
    *link = std::move(taken->next_in_bucket);
    --entry_count_;
    return taken;
  }

  void rehash(std::size_t bucket_count) {
    std::vector<std::unique_ptr<CacheEntry>> old = std::move(buckets_);
    buckets_.clear();
    buckets_.resize(bucket_count);
    ghosts_.assign(bucket_count, {});
    mask_ = bucket_count - 1;
    for (std::unique_ptr<CacheEntry>& chain : old) {
      while (chain != nullptr) {
        std::unique_ptr<CacheEntry> entry = std::move(chain);
        chain = std::move(entry->next_in_bucket);
        std::unique_ptr<CacheEntry>& bucket = buckets_[hash_of(entry->id) & mask_];
        entry->next_in_bucket = std::move(bucket);
        bucket = std::move(entry);
      }
    }
  }

  mutable std::mutex mutex_;  // guards everything below
  std::uint64_t mask_ = 0;
  std::vector<std::unique_ptr<CacheEntry>> buckets_;  // as many as a power of two; own the entries
  std::size_t entry_count_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
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
  return shards_[shard_index(hash)].find(id, hash, access);
}

void BlockCache::insert(const BlockId& id, BlockHandle block) {
  assert(block != nullptr);
  const std::uint64_t charge = charge_of(*block);
  if (charge > capacity_bytes() / 8) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t hash = hash_of(id);
  // Counted first, so that a concurrent eviction of this block cannot take off what was not yet added.
  used_bytes_.fetch_add(charge, std::memory_order_relaxed);
  if (!shards_[shard_index(hash)].insert(id, hash, std::move(block))) {
    used_bytes_.fetch_sub(charge, std::memory_order_relaxed);
  }
  evict_down_to_capacity(shard_index(hash));
}

void BlockCache::evict_down_to_capacity(std::size_t first_shard) {
  std::size_t shard = first_shard;
  std::size_t empty_shards = 0;  // in a row
  while (used_bytes_.load(std::memory_order_relaxed) > capacity_bytes() && empty_shards != kShardCount) {
    const std::unique_ptr<CacheEntry> evicted = shards_[shard].evict();
    if (evicted == nullptr) {
      ++empty_shards;
      shard = (shard + 1) % kShardCount;
      continue;
    }
    empty_shards = 0;
    used_bytes_.fetch_sub(charge_of(*evicted->block), std::memory_order_relaxed);
  }
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
    const std::unique_ptr<CacheEntry> evicted = shards_[shard].evict();
    empty_shards = evicted == nullptr ? empty_shards + 1 : 0;
    if (evicted != nullptr) {
      used_bytes_.fetch_sub(charge_of(*evicted->block), std::memory_order_relaxed);
    }
  }
}

BlockCacheStats BlockCache::stats() const {
  BlockCacheStats stats;
  for (std::size_t shard = 0; shard != kShardCount; ++shard) shards_[shard].add_to(stats);
  stats.refusals = refusals_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace shale::engine::lsm
