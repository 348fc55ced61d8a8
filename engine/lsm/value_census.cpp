#include "engine/lsm/value_census.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace shale::engine::lsm {
namespace {

constexpr double kGarbageMax = 0.15;      // of all bytes: beyond it, victims are chosen
constexpr double kGarbageGoal = 0.1;      // as many as bring it down to this
constexpr double kVictimLiveMax = 0.875;  // of a victim's bytes: moving more frees too little
constexpr double kEmptinessSteps = 8;     // files that are emptier by less than this part count as equal

double live_part(const ValueCensus::FileCount& file) {
  return static_cast<double>(file.live_bytes) /
         static_cast<double>(std::max<std::uint64_t>(file.total_bytes, 1));
}

}  // namespace

void ValueCensus::Change::count(const LiveTable& slice, std::int64_t sign) {
  for (const ValueFileUse& use : slice.slice().value_files) {
    FileChange& file = files_[use.file];
    file.records += sign * static_cast<std::int64_t>(use.record_count);
    file.bytes += sign * static_cast<std::int64_t>(use.record_bytes);
    const LiveValueFile* const live = slice.file()->value_file(use.file);
    file.is_readable = live != nullptr && !live->file().unreadable_reason();
    if (live != nullptr) file.file = live->shared_from_this();
  }
}

void ValueCensus::apply(const Change& change) {
  for (const auto& [number, changed] : change.files_) {
    FileCount& file = files_[number];
    take_out(file);
    file.live_records += static_cast<std::uint64_t>(changed.records);
    file.live_bytes += static_cast<std::uint64_t>(changed.bytes);
    if (changed.file != nullptr) changed.file->note_live(changed.bytes);
    file.file = changed.file;
    file.is_movable &= changed.is_readable;
    file.total_bytes = total_bytes_of(file);
    if (file.live_records == 0) {
      files_.erase(number);
      std::erase(victims_, number);
      continue;
    }
    put_in(file);
  }
  if (victims_.empty()) choose_victims();
}

std::uint64_t ValueCensus::total_bytes_of(const FileCount& file) {
  if (!file.is_movable) return file.live_bytes;
  const std::int64_t others = file.file->live_bytes() - static_cast<std::int64_t>(file.live_bytes);
  const std::int64_t total =
      static_cast<std::int64_t>(file.file->file().record_bytes()) - std::max<std::int64_t>(others, 0);
  return std::max(static_cast<std::uint64_t>(std::max<std::int64_t>(total, 0)), file.live_bytes);
}

void ValueCensus::refresh() {
  for (auto& [number, file] : files_) {
    take_out(file);
    file.total_bytes = total_bytes_of(file);
    put_in(file);
  }
  if (victims_.empty()) choose_victims();
}

void ValueCensus::leave() {
  for (const auto& [number, file] : files_) {
    if (file.file != nullptr) file.file->note_live(-static_cast<std::int64_t>(file.live_bytes));
  }
  *this = {};
}

void ValueCensus::exclude(const std::set<std::uint64_t>& files) {
  for (const std::uint64_t number : files) {
    const auto found = files_.find(number);
    if (found == files_.end()) continue;
    FileCount& file = found->second;
    take_out(file);
    file.is_movable = false;
    file.total_bytes = file.live_bytes;
    put_in(file);
  }
  std::erase_if(victims_, [&](std::uint64_t number) { return files.contains(number); });
}

void ValueCensus::take_out(const FileCount& file) {
  total_bytes_ -= file.total_bytes;
  live_bytes_ -= file.live_bytes;
}

void ValueCensus::put_in(const FileCount& file) {
  total_bytes_ += file.total_bytes;
  live_bytes_ += file.live_bytes;
}

double ValueCensus::fill_within(std::uint64_t bytes) const {
  if (bytes == 0) return 0;
  return static_cast<double>(garbage_bytes()) / (kGarbageMax * static_cast<double>(bytes));
}

std::uint64_t ValueCensus::victim_garbage_bytes() const {
  std::uint64_t bytes = 0;
  for (const std::uint64_t number : victims_) {
    const FileCount& file = files_.at(number);
    bytes += file.total_bytes - file.live_bytes;
  }
  return bytes;
}

std::uint64_t ValueCensus::victim_live_bytes() const {
  std::uint64_t bytes = 0;
  for (const std::uint64_t number : victims_) bytes += files_.at(number).live_bytes;
  return bytes;
}

void ValueCensus::choose_victims() {
  if (fill_within(total_bytes_) <= 1) return;
  struct Candidate {
    int live_step;
    std::uint64_t number;
    bool operator<(const Candidate& other) const {
      return std::tie(live_step, number) < std::tie(other.live_step, other.number);
    }
  };
  std::vector<Candidate> candidates;
  for (const auto& [number, file] : files_) {
    const double live = live_part(file);
    if (!file.is_movable || live > kVictimLiveMax) continue;
    candidates.push_back({static_cast<int>(live * kEmptinessSteps), number});
  }
  std::sort(candidates.begin(), candidates.end());
  auto garbage = static_cast<double>(garbage_bytes());
  auto total = static_cast<double>(total_bytes_);
  for (const Candidate& candidate : candidates) {
    if (garbage <= kGarbageGoal * total) break;
    const FileCount& file = files_.at(candidate.number);
    garbage -= static_cast<double>(file.total_bytes - file.live_bytes);
    total -= static_cast<double>(file.total_bytes - file.live_bytes);
    victims_.push_back(candidate.number);
  }
  std::sort(victims_.begin(), victims_.end());
}

std::uint64_t victim_bytes(const std::vector<ValueFileUse>& uses, const std::vector<std::uint64_t>& victims) {
  std::uint64_t bytes = 0;
  auto victim = victims.begin();
  for (const ValueFileUse& use : uses) {
    while (victim != victims.end() && *victim < use.file) ++victim;
    if (victim == victims.end()) break;
    if (*victim == use.file) bytes += use.record_bytes;
  }
  return bytes;
}

}  // namespace shale::engine::lsm
