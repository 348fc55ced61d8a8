#include "engine/lsm/record_cache.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "engine/memory/cache_line.h"

namespace shale::engine::lsm {

namespace {

// A chunk is 1/32 to 1/16 of the capacity within these bounds, so that a ring has enough of them.
constexpr std::size_t kChunkBytesMin = std::size_t{4} << 10;
constexpr std::size_t kChunkBytesMax = kHugePageBytes;
constexpr std::size_t kCapacityBytesPerMark = 256;
// What one insert lets the hand do at most, at about 100 ns a record.
constexpr std::size_t kPassesPerInsert = 32;
constexpr std::size_t kInsertedBytesPerPass = 64;
constexpr std::size_t kSecondChancesPerInsert = 8;

}  // namespace

struct RecordCache::Record {
  std::uint64_t hash;
  std::uint32_t key_bytes;
  std::uint32_t value_bytes : 30;
  std::uint32_t hot : 1;   // hit since it was written here
  std::uint32_t dead : 1;  // the index does not know it any more

  static std::size_t bytes_for(std::size_t key_bytes, std::size_t value_bytes) {
    return (sizeof(Record) + key_bytes + value_bytes + kUnitBytes - 1) / kUnitBytes * kUnitBytes;
  }
  std::size_t bytes() const { return bytes_for(key_bytes, value_bytes); }
  BytesView key() const { return {data(), key_bytes}; }
  BytesView value() const { return {data() + key_bytes, value_bytes}; }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  char* data() { return reinterpret_cast<char*>(this + 1); }
};

RecordCache::Record& RecordCache::record(Reference reference) const {
  const std::size_t offset = (reference & ((Reference{1} << kChunkShift) - 1)) * kUnitBytes;
  return *reinterpret_cast<Record*>(chunks_[reference >> kChunkShift].memory.begin() + offset);
}

HashIndex::Slot* RecordCache::locate(const HashedKey& key) {
  return index_.find(key.hash, [&](Reference reference) { return record(reference).key() == key.bytes; });
}

std::optional<BytesView> RecordCache::find(const HashedKey& key) {
  if (capacity_bytes_ == 0) return std::nullopt;
  const auto* slot = locate(key);
  if (slot == nullptr) {
    ++misses_;
    return std::nullopt;
  }
  ++hits_;
  Record& found = record(slot->reference);
  if (found.hot == 0) found.hot = 1;
  return found.value();
}

void RecordCache::prefetch_record(const HashedKey& key) const {
  if (capacity_bytes_ == 0) return;
  const Reference reference = index_.first_candidate(key.hash);
  if (reference == 0) return;
  const auto* begin = reinterpret_cast<const std::byte*>(&record(reference));
  __builtin_prefetch(begin);
  __builtin_prefetch(begin + kCacheLineBytes);
}

void RecordCache::insert(const HashedKey& key, BytesView value) {
  if (capacity_bytes_ == 0) return;
  auto* slot = locate(key);
  const bool replaces = slot != nullptr;
  if (replaces) forget(slot);
  const std::size_t bytes = Record::bytes_for(key.bytes.size(), value.size());
  if (bytes > std::min(kRecordBytesMax, capacity_bytes_ / 64)) return;
  if (!replaces && !may_map_chunk() && !admit(key.hash)) return;
  if (!make_room(bytes)) return;
  index_.insert(key.hash, append(key, value));
}

void RecordCache::erase(const HashedKey& key) {
  if (capacity_bytes_ == 0) return;
  if (auto* slot = locate(key); slot != nullptr) forget(slot);
}

void RecordCache::forget(HashIndex::Slot* slot) {
  record(slot->reference).dead = 1;
  index_.erase(slot);
}

void RecordCache::clear() {
  index_.clear();
  chunks_.clear();
  free_numbers_.clear();
  ring_.clear();
  hand_offset_ = 0;
  spare_chunk_ = 0;
  chunks_bytes_ = 0;
}

void RecordCache::set_capacity(std::size_t bytes) {
  const std::size_t capacity_bytes = bytes < kCapacityBytesMin ? 0 : std::min(bytes, kCapacityBytesMax);
  if (capacity_bytes == capacity_bytes_ && chunk_bytes_ != 0) return;
  // The index does not shrink, and a ring needs several chunks.
  if (index_.memory_bytes() > capacity_bytes / 4 || chunk_bytes_ > capacity_bytes / 8) clear();
  capacity_bytes_ = capacity_bytes;
  const std::size_t mark_count = std::bit_ceil(capacity_bytes / kCapacityBytesPerMark);
  if (capacity_bytes == 0) {
    mark_count_ = 0;
    marks_ = MappedMemory{};
  } else if (mark_count != mark_count_) {
    mark_count_ = mark_count;
    marks_ = MappedMemory{mark_count * sizeof(std::uint16_t)};
  }
  chunk_bytes_ = std::clamp(std::bit_floor(capacity_bytes / 16), kChunkBytesMin, kChunkBytesMax);
}

bool RecordCache::trim(std::size_t record_count_max) {
  if (capacity_bytes_ == 0) return true;
  for (std::size_t second_chances = record_count_max; is_over_budget() && record_count_max > 0;
       --record_count_max) {
    if (!pass_record(0, second_chances)) break;
  }
  return !is_over_budget();
}

// Whether a key has been offered before, as far as its mark has not been overwritten since.
bool RecordCache::admit(std::uint64_t hash) {
  auto& mark = reinterpret_cast<std::uint16_t*>(marks_.begin())[hash & (mark_count_ - 1)];
  const auto wanted = static_cast<std::uint16_t>(hash >> 48 | 1);
  const bool offered_before = mark == wanted;
  mark = offered_before ? 0 : wanted;
  return offered_before;
}

// What is mapped, plus a share of what the index will need when it grows. The share rises as that comes
// nearer, so that the chunks have made room when it happens.
std::size_t RecordCache::projected_bytes() const {
  const std::size_t goal = index_.growth_entry_count();
  const std::size_t half = goal / 2;
  const std::size_t on_the_way = std::clamp(index_.entry_count(), half, goal) - half;
  return memory_bytes() + index_.growth_bytes() / half * on_the_way;
}

std::size_t RecordCache::open_room_bytes() const {
  if (ring_.empty()) return 0;
  const Chunk& open = chunks_[ring_.back()];
  return open.memory.bytes() - open.used_bytes;
}

// Once no further chunk may be mapped, the hand keeps as far ahead in the oldest chunk as the open one is
// filled: when the open chunk is full, the oldest has become the spare one.
bool RecordCache::make_room(std::size_t bytes) {
  std::size_t second_chances = kSecondChancesPerInsert;
  for (std::size_t passes = kPassesPerInsert + bytes / kInsertedBytesPerPass; passes > 0; --passes) {
    const std::size_t open_bytes = ring_.empty() ? 0 : chunks_[ring_.back()].used_bytes;
    const bool keeps_ahead = spare_chunk_ != 0 || may_map_chunk() || hand_offset_ >= open_bytes + bytes;
    if (keeps_ahead && !is_over_budget()) break;
    if (!pass_record(bytes, second_chances)) break;
  }
  return open_room_bytes() >= bytes || open_chunk();
}

bool RecordCache::open_chunk() {
  std::uint32_t number = spare_chunk_;
  if (number != 0) {
    spare_chunk_ = 0;
  } else {
    if (!may_map_chunk()) return false;
    if (free_numbers_.empty()) {
      if (chunks_.empty()) chunks_.emplace_back();  // number 0
      free_numbers_.push_back(static_cast<std::uint32_t>(chunks_.size()));
      chunks_.emplace_back();
    }
    number = free_numbers_.back();
    free_numbers_.pop_back();
    chunks_[number].memory = MappedMemory{chunk_bytes_};
    chunks_bytes_ += chunk_bytes_;
  }
  chunks_[number].used_bytes = 0;
  ring_.push_back(number);
  return true;
}

// Moves the hand over one record, or from a chunk to the next. A hot record gets a second chance if the open
// chunk has room for it and for `reserved_bytes` more. Returns false if there is nothing the hand could pass.
bool RecordCache::pass_record(std::size_t reserved_bytes, std::size_t& second_chances) {
  if (is_over_budget() && spare_chunk_ != 0) {
    unmap_chunk(spare_chunk_);
    spare_chunk_ = 0;
    return true;
  }
  if (ring_.size() < 2) return false;
  const std::uint32_t number = ring_.front();
  const std::size_t used_bytes = chunks_[number].used_bytes;
  if (hand_offset_ == used_bytes) {
    retire_oldest_chunk();
    return true;
  }
  const auto reference = static_cast<Reference>(number << kChunkShift | hand_offset_ / kUnitBytes);
  const Record& oldest = record(reference);
  const std::size_t bytes = oldest.bytes();
  hand_offset_ += bytes;
  if (hand_offset_ < used_bytes) {
    const auto* next = reinterpret_cast<const Record*>(reinterpret_cast<const std::byte*>(&oldest) + bytes);
    index_.prefetch(next->hash);
  }
  if (oldest.dead != 0) return true;

  auto* slot = index_.find(oldest.hash, [&](Reference candidate) { return candidate == reference; });
  assert(slot != nullptr);
  if (oldest.hot != 0 && second_chances > 0 && open_room_bytes() >= bytes + reserved_bytes) {
    --second_chances;
    slot->reference = append(HashedKey{oldest.key(), oldest.hash}, oldest.value());
  } else {
    index_.erase(slot);
  }
  return true;
}

void RecordCache::retire_oldest_chunk() {
  const std::uint32_t number = ring_.front();
  ring_.pop_front();
  hand_offset_ = 0;
  if (spare_chunk_ == 0 && chunks_[number].memory.bytes() == chunk_bytes_ && !is_over_budget()) {
    spare_chunk_ = number;
  } else {
    unmap_chunk(number);
  }
}

void RecordCache::unmap_chunk(std::uint32_t number) {
  chunks_bytes_ -= chunks_[number].memory.bytes();
  chunks_[number].memory = MappedMemory{};
  free_numbers_.push_back(number);
}

// Requires room for the record in the open chunk.
RecordCache::Reference RecordCache::append(const HashedKey& key, BytesView value) {
  const std::uint32_t number = ring_.back();
  Chunk& open = chunks_[number];
  const auto reference = static_cast<Reference>(number << kChunkShift | open.used_bytes / kUnitBytes);
  Record& added = record(reference);
  added.hash = key.hash;
  added.key_bytes = static_cast<std::uint32_t>(key.bytes.size());
  added.value_bytes = static_cast<std::uint32_t>(value.size()) & 0x3fff'ffff;
  added.hot = 0;
  added.dead = 0;
  if (!key.bytes.empty()) std::memcpy(added.data(), key.bytes.data(), key.bytes.size());
  if (!value.empty()) std::memcpy(added.data() + key.bytes.size(), value.data(), value.size());
  open.used_bytes += added.bytes();
  assert(open.used_bytes <= open.memory.bytes());
  return reference;
}

}  // namespace shale::engine::lsm
