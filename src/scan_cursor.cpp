#include "src/scan_cursor.h"

namespace shale::server {
namespace {

constexpr unsigned kEntryBits = 21;
constexpr std::uint32_t kEntryMask = (1u << kEntryBits) - 1;
static_assert(32 + kEntryBits <= 53);

}  // namespace

std::uint32_t coarse_place(cluster::Placement placement, std::uint64_t token, engine::BytesView key) {
  return static_cast<std::uint32_t>((placement.is_ring() ? token : engine::key_head(key)) >> 32);
}

ScanCursors::ScanCursors(cluster::Placement placement, std::uint32_t first_entry)
    : placement_(placement), next_entry_(first_entry & kEntryMask) {}

std::uint64_t ScanCursors::cursor(unsigned database, const ScanPlace& next, std::uint32_t walked) {
  const std::uint32_t coarse = coarse_place(placement_, next.token, next.key);
  const std::uint64_t coarse_cursor = std::uint64_t{coarse} << kEntryBits;
  if (coarse > walked) return coarse_cursor;

  const std::lock_guard lock(mutex_);
  while (next_entry_ == 0 || by_number_.contains(next_entry_)) next_entry_ = (next_entry_ + 1) & kEntryMask;
  const std::uint32_t number = next_entry_;
  waiting_.push_front({number, database, next});
  by_number_[number] = waiting_.begin();
  next_entry_ = (next_entry_ + 1) & kEntryMask;
  key_bytes_ += next.key.size();
  while (!has_room() && by_number_.size() > 1) make_room();
  return coarse_cursor | number;
}

void ScanCursors::make_room() {
  std::list<Entry>& from = used_.empty() ? waiting_ : used_;
  by_number_.erase(from.back().number);
  key_bytes_ -= from.back().place.key.size();
  from.pop_back();
}

ScanPlace ScanCursors::place(unsigned database, std::uint64_t cursor) {
  const auto coarse = static_cast<std::uint32_t>(cursor >> kEntryBits);
  const auto number = static_cast<std::uint32_t>(cursor & kEntryMask);
  if (number == 0) return start_of(coarse);

  const std::lock_guard lock(mutex_);
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return start_of(coarse);
  const auto entry = found->second;
  const bool is_it =
      entry->database == database && coarse_place(placement_, entry->place.token, entry->place.key) == coarse;
  if (!is_it) return start_of(coarse);
  used_.splice(used_.begin(), entry->used ? used_ : waiting_, entry);
  entry->used = true;
  return entry->place;
}

// The first place with these upper bits.
ScanPlace ScanCursors::start_of(std::uint32_t coarse) const {
  if (placement_.is_ring()) return {std::uint64_t{coarse} << 32, {}};
  const std::uint32_t bytes = __builtin_bswap32(coarse);
  engine::Bytes key(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  while (key.ends_with('\0')) key.pop_back();
  return {0, std::move(key)};
}

std::size_t ScanCursors::size() const {
  const std::lock_guard lock(mutex_);
  return by_number_.size();
}

}  // namespace shale::server
