#include "cluster/expiry_calendar.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/encoding.h"

namespace shale::cluster {
namespace {

// Below the size from which values have files of their own, and one block of a table.
constexpr std::size_t kChunkBytesMax = 3900;
constexpr std::int64_t kNarrowestSlotMs = 64;
constexpr std::int64_t kSlotsOfDistance = 32;  // so many of its width lie between now and a slot
// A chunk begins as a value without an expiry does, so that to the key policy it is one.
constexpr char kChunkHeader = 0;
constexpr std::size_t kChunksAtOnce = 256;  // opened under the mutex
constexpr std::size_t kOpenedChunksMax = 4096;
constexpr std::chrono::seconds kBetweenStores{10};
// Of a crowded calendar: when a hint is looked at first, and how much later each time.
constexpr std::int64_t kFirstLookMs = 64'000;
constexpr unsigned kLookShift = 3;
constexpr unsigned kLooksMax = 10;

}  // namespace

// --- Keys of the tree

Bytes ExpiryCalendar::counts_key() const {
  Bytes key;
  placement_.append(0, kClass, {}, key);
  return key;
}

Bytes ExpiryCalendar::key_of(std::int64_t slot_ms, std::uint64_t hash) const {
  Bytes key = counts_key();
  engine::append_u64(key, __builtin_bswap64(static_cast<std::uint64_t>(slot_ms)));
  engine::append_u64(key, hash);
  return key;
}

std::int64_t ExpiryCalendar::slot_of(BytesView key) const {
  return static_cast<std::int64_t>(
      __builtin_bswap64(engine::load_u64(key.data() + placement_.prefix_bytes())));
}

// --- Counts

engine::Status ExpiryCalendar::open(std::shared_ptr<engine::Engine> tree) {
  const Bytes key = counts_key();
  std::vector<std::shared_ptr<engine::Load>> loads;  // kept: what they have fetched stays in memory
  for (;;) {
    engine::ReadContext context;
    {
      const std::lock_guard lock{mutex_};
      tree_ = tree;
      covered_lsn_ = tree->persisted_lsn();
      const auto stored = tree->get(engine::HashedKey{key}, context);
      counts_stored_ = stored && *stored;
      if (counts_stored_) decode_counts(**stored);
      if (stored) return {};
      if (stored.error().kind != engine::ErrorKind::not_resident) return stored.error();
    }
    for (auto& load : context.missing) {
      load->run();
      loads.push_back(std::move(load));
    }
  }
}

void ExpiryCalendar::decode_counts(BytesView stored) {
  engine::ByteReader reader{stored};
  reader.u8();
  while (!reader.at_end() && !reader.failed()) {
    const DatabaseId database = reader.u32();
    ExpiryCount count;
    count.hints = static_cast<std::int64_t>(reader.u64());
    count.due_s_sum = std::bit_cast<double>(reader.u64());
    if (!reader.failed()) counts_[database] = count;
  }
}

void ExpiryCalendar::store_counts() {
  if (!std::exchange(counts_changed_, false)) return;
  Bytes stored(1, kChunkHeader);
  for (const auto& [database, count] : counts_) {
    if (count.hints == 0) continue;
    engine::append_u32(stored, database);
    engine::append_u64(stored, static_cast<std::uint64_t>(count.hints));
    engine::append_u64(stored, std::bit_cast<std::uint64_t>(count.due_s_sum));
  }
  const Bytes key = counts_key();
  tree_->put(engine::HashedKey{key}, stored, covered_lsn_);
  counts_stored_ = true;
}

void ExpiryCalendar::remove(std::span<const ExpiryHint> hints) {
  const std::lock_guard lock{mutex_};
  for (const ExpiryHint& hint : hints) {
    const auto found = counts_.find(placement_.database_of(hint.position));
    if (found == counts_.end()) continue;
    counts_changed_ = true;
    found->second.due_s_sum -= static_cast<double>(hint.due_ms) / 1000;
    if (--found->second.hints <= 0) counts_.erase(found);
  }
}

ExpiryCount ExpiryCalendar::count(DatabaseId database) const {
  const std::lock_guard lock{mutex_};
  const auto found = counts_.find(database);
  return found == counts_.end() ? ExpiryCount{} : found->second;
}

std::int64_t ExpiryCalendar::hint_count() const {
  const std::lock_guard lock{mutex_};
  std::int64_t sum = 0;
  for (const auto& [database, count] : counts_) sum += count.hints;
  return sum;
}

std::uint64_t ExpiryCalendar::memory_bytes() const {
  const std::lock_guard lock{mutex_};
  std::uint64_t bytes = 0;
  for (const auto& [slot, hints] : filling_) bytes += hints.capacity();
  for (const auto& [slot, hints] : full_) bytes += hints.capacity();
  return bytes;
}

std::int64_t ExpiryCalendar::stored_chunks() const {
  const std::lock_guard lock{mutex_};
  return std::max<std::int64_t>(tree_->key_count(kClass) - (counts_stored_ ? 1 : 0), 0);
}

// --- Filling slots

void ExpiryCalendar::place(BytesView hints, bool are_new) {
  const std::lock_guard lock{mutex_};
  const std::int64_t now_ms = clock_.unix_ms();
  while (const auto hint = take_hint(hints)) {
    place_one(*hint, now_ms);
    if (!are_new) continue;
    ExpiryCount& count = counts_[placement_.database_of(hint->position)];
    ++count.hints;
    count.due_s_sum += static_cast<double>(hint->due_ms) / 1000;
    counts_changed_ = true;
  }
}

void ExpiryCalendar::place_one(const ExpiryHint& hint, std::int64_t now_ms) {
  std::int64_t look_ms = hint.due_ms;
  std::uint8_t looks = 0;
  if (crowded_) {
    const std::int64_t early_ms =
        now_ms + (kFirstLookMs << (kLookShift * std::min<unsigned>(hint.looks, kLooksMax)));
    if (early_ms < look_ms) {
      look_ms = early_ms;
      looks = static_cast<std::uint8_t>(std::min<unsigned>(hint.looks + 1u, kLooksMax));
    }
  }
  const std::int64_t distance = std::max<std::int64_t>(look_ms - now_ms, 0);
  const auto width =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(distance / kSlotsOfDistance)));
  std::int64_t slot_ms = now_ms;
  if (width > kNarrowestSlotMs) {
    slot_ms = look_ms / width * width;
  } else if (look_ms > now_ms) {  // one of the narrowest, opened at its end, when all in it is due
    slot_ms = (look_ms / kNarrowestSlotMs + 1) * kNarrowestSlotMs;
  }
  Bytes& chunk = filling_[slot_ms];
  append_hint({hint.due_ms, looks, hint.position}, chunk);
  if (chunk.size() < kChunkBytesMax) return;
  full_.emplace_back(slot_ms, std::move(chunk));
  filling_.erase(slot_ms);
}

void ExpiryCalendar::set_crowded(bool crowded) {
  const std::lock_guard lock{mutex_};
  crowded_ = crowded;
}

// --- Opening them

engine::Result<bool> ExpiryCalendar::take_due(Bytes& due, std::size_t bytes_max,
                                              engine::ReadContext& context) {
  const std::lock_guard lock{mutex_};
  const std::int64_t now_ms = clock_.unix_ms();
  take_from_memory(now_ms, due);
  return take_from_tree(now_ms, due, bytes_max, context);
}

void ExpiryCalendar::open_chunk(BytesView hints, std::int64_t now_ms, Bytes& due) {
  while (const auto hint = take_hint(hints)) {
    if (hint->due_ms <= now_ms || hint->looks > 0) {
      append_hint(*hint, due);
    } else {
      place_one(*hint, now_ms);
    }
  }
}

void ExpiryCalendar::take_from_memory(std::int64_t now_ms, Bytes& due) {
  std::vector<Bytes> chunks;
  const auto begun =
      std::partition(full_.begin(), full_.end(), [&](const Chunk& chunk) { return chunk.first > now_ms; });
  for (auto chunk = begun; chunk != full_.end(); ++chunk) chunks.push_back(std::move(chunk->second));
  full_.erase(begun, full_.end());
  while (!filling_.empty() && filling_.begin()->first <= now_ms) {
    chunks.push_back(std::move(filling_.begin()->second));
    filling_.erase(filling_.begin());
  }
  for (const Bytes& chunk : chunks) open_chunk(chunk, now_ms, due);
}

engine::Result<bool> ExpiryCalendar::take_from_tree(std::int64_t now_ms, Bytes& due, std::size_t bytes_max,
                                                    engine::ReadContext& context) {
  if (next_stored_ms_ > now_ms) return false;
  const Bytes first = key_of(0, 0);
  const Bytes end = end_of_prefix(counts_key());
  const auto cursor = tree_->cursor({first, end}, context);
  engine::Status moved = cursor->seek(read_from_.empty() ? first : read_from_);
  for (std::size_t chunks = 0; moved && cursor->valid(); ++chunks) {
    const Bytes key{cursor->key()};
    next_stored_ms_ = slot_of(key);
    if (next_stored_ms_ > now_ms) return false;
    if (chunks == kChunksAtOnce || due.size() >= bytes_max || opened_.size() >= kOpenedChunksMax) return true;
    if (!opened_.contains(key)) {
      const auto stored = cursor->value();
      // A damaged one is passed over the next time.
      if (stored || stored.error().kind != engine::ErrorKind::not_resident) read_from_ = key + '\0';
      if (!stored) return stored.error();
      open_chunk(stored->substr(1), now_ms, due);
      opened_.insert(key);
    }
    read_from_ = key + '\0';
    moved = cursor->next();
  }
  if (!moved) return moved.error();
  next_stored_ms_ = INT64_MAX;
  return false;
}

// --- Storing chunks

void ExpiryCalendar::store(const Chunk& chunk) {
  const auto& [slot_ms, hints] = chunk;
  const Bytes key = key_of(slot_ms, engine::hash_bytes(hints));
  Bytes stored(1, kChunkHeader);
  stored += hints;
  tree_->put(engine::HashedKey{key}, stored, covered_lsn_);
  opened_.erase(key);
  if (key < read_from_) read_from_ = key;
  next_stored_ms_ = std::min(next_stored_ms_, slot_ms);
}

bool ExpiryCalendar::has_room(bool for_all) {
  std::size_t bytes = 0;
  for (const auto& [slot, hints] : full_) bytes += hints.size();
  if (for_all) {
    for (const auto& [slot, hints] : filling_) bytes += hints.size();
    for (const Bytes& key : opened_) bytes += key.size();
  }
  return tree_->admit_write(bytes).has_value();
}

void ExpiryCalendar::store_full_chunks() {
  for (const Chunk& chunk : full_) store(chunk);
  full_.clear();
}

// Erasures come last, and so are persisted last.
void ExpiryCalendar::store_all(engine::Lsn lsn) {
  note_unpersisted();
  covered_lsn_ = lsn;
  last_all_ = clock_.now();
  store_full_chunks();
  for (auto& [slot_ms, hints] : filling_) store({slot_ms, std::move(hints)});
  filling_.clear();
  for (const Bytes& key : opened_) tree_->erase(engine::HashedKey{key}, covered_lsn_);
  opened_.clear();
  store_counts();
}

void ExpiryCalendar::cover(engine::Lsn lsn, bool all) {
  const std::lock_guard lock{mutex_};
  if (lsn == 0) return;  // nothing has been written yet
  const bool nothing_to_lose = filling_.empty() && full_.empty();
  if (nothing_to_lose && opened_.empty() && !counts_changed_) {
    covered_lsn_ = lsn;
    return;
  }
  all |= nothing_to_lose || covered_lsn_ == 0 || opened_.size() >= kOpenedChunksMax ||
         clock_.now() - last_all_ >= kBetweenStores;
  if (!all && full_.empty()) return;
  if (!has_room(all)) return;
  if (all) {
    store_all(lsn);
  } else {
    note_unpersisted();
    store_full_chunks();
  }
}

// What is stored next is of records behind covered_lsn_, though its writes may have the number of a later
// one.
void ExpiryCalendar::note_unpersisted() {
  if (!tree_->oldest_unpersisted_lsn()) unpersisted_from_ = covered_lsn_ + 1;
}

engine::Lsn ExpiryCalendar::log_needed_from() const {
  const std::lock_guard lock{mutex_};
  if (!tree_->oldest_unpersisted_lsn()) return covered_lsn_ + 1;
  return std::max(unpersisted_from_, tree_->persisted_lsn() + 1);
}

engine::Lsn ExpiryCalendar::persisted_lsn() const {
  const std::lock_guard lock{mutex_};
  return tree_->persisted_lsn();
}

void ExpiryCalendar::flush() {
  const std::lock_guard lock{mutex_};
  tree_->flush();
}

void ExpiryCalendar::tick() {
  const std::lock_guard lock{mutex_};
  tree_->tick();
}

}  // namespace shale::cluster
