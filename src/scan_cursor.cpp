#include "src/scan_cursor.h"

namespace shale::server {
namespace {

constexpr unsigned kEntryBits = 21;
constexpr std::uint32_t kEntryMask = (1u << kEntryBits) - 1;
static_assert(32 + kEntryBits <= 53);

}  // namespace

ScanCursors::ScanCursors(std::uint32_t first_entry) : next_entry_(first_entry & kEntryMask) {}

std::uint64_t ScanCursors::cursor(unsigned database, const ScanPlace& next, std::uint32_t walked) {
  const std::uint32_t coarse = coarse_place(next.token);
  const std::uint64_t coarse_cursor = std::uint64_t{coarse} << kEntryBits;
  if (coarse > walked) return coarse_cursor;

  const std::lock_guard lock(mutex_);
  if (next_entry_ == 0) ++next_entry_;  // 0 is not an entry
  const std::uint32_t number = next_entry_;
  next_entry_ = (next_entry_ + 1) & kEntryMask;
  entries_.push_front({number, database, next});
  by_number_[number] = entries_.begin();
  if (entries_.size() > kPlacesMax) {
    by_number_.erase(entries_.back().number);
    entries_.pop_back();
  }
  return coarse_cursor | number;
}

ScanPlace ScanCursors::place(unsigned database, std::uint64_t cursor) {
  const auto coarse = static_cast<std::uint32_t>(cursor >> kEntryBits);
  const auto number = static_cast<std::uint32_t>(cursor & kEntryMask);
  ScanPlace coarse_start{std::uint64_t{coarse} << 32, {}};
  if (number == 0) return coarse_start;

  const std::lock_guard lock(mutex_);
  const auto found = by_number_.find(number);
  if (found == by_number_.end()) return coarse_start;
  const auto entry = found->second;
  if (entry->database != database || coarse_place(entry->place.token) != coarse) return coarse_start;
  entries_.splice(entries_.begin(), entries_, entry);
  return entry->place;
}

std::size_t ScanCursors::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace shale::server
