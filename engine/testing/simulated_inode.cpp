#include "engine/testing/simulated_inode.h"

#include <algorithm>
#include <cstring>

namespace shale::engine {
namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kPageBytes = 4096;

}  // namespace

void SimulatedInode::write(std::uint64_t offset, BytesView bytes, Random& random) {
  if (current->size() < offset + bytes.size()) current->resize(offset + bytes.size());
  keep_versions(offset, bytes.size(), random);
  std::copy(bytes.begin(), bytes.end(), current->begin() + static_cast<std::ptrdiff_t>(offset));
  mark_written(offset, bytes.size());
}

void SimulatedInode::mark_written(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  abandoned_.erase(abandoned_.lower_bound(offset / kPageBytes),
                   abandoned_.upper_bound((offset + length - 1) / kPageBytes));
}

void SimulatedInode::sync(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min<std::uint64_t>(offset + length, current->size());
  for (std::uint64_t begin = offset; begin < end;) {
    const std::uint64_t page = begin / kPageBytes;
    const std::uint64_t stretch_end = std::min(end, (page + 1) * kPageBytes);
    if (!is_abandoned(page, begin, stretch_end)) {
      std::memcpy(synced_.data() + begin, current->data() + begin, stretch_end - begin);
      abandoned_.erase(page);
    }
    begin = stretch_end;
  }
  for (std::uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
    versions_.erase(sector);
  }
}

void SimulatedInode::abandon(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = std::min<std::uint64_t>(offset + length, current->size());
  for (std::uint64_t page = offset / kPageBytes; page * kPageBytes < end; ++page) {
    abandoned_[page] = page_bytes(page, offset, end);
  }
}

void SimulatedInode::crash(Unsynced unsynced, Random& random) {
  if (unsynced != Unsynced::lost) {
    const Buffer before = *current;
    const bool new_size = unsynced == Unsynced::kept || random() % 2 == 0;
    if (new_size) synced_.resize(before.size());
    const std::uint64_t grain_bytes =
        unsynced == Unsynced::torn && random() % 2 == 0 ? kPageBytes : kSectorBytes;
    // Sometimes nearly all has reached the disk, sometimes nearly nothing, sometimes half.
    const std::uint64_t kept_of_8 = unsynced == Unsynced::kept ? 8 : 1 + random() % 7;
    const std::uint64_t end = std::min(before.size(), synced_.size());
    for (std::uint64_t begin = 0; begin < end; begin += grain_bytes) {
      const std::uint64_t length = std::min(grain_bytes, end - begin);
      if (std::memcmp(before.data() + begin, synced_.data() + begin, length) == 0) continue;
      if (is_abandoned(begin / kPageBytes, begin, begin + length) &&
          (unsynced == Unsynced::kept || random() % 2 == 0))
        continue;
      if (random() % 8 < kept_of_8) std::memcpy(synced_.data() + begin, before.data() + begin, length);
      if (unsynced == Unsynced::torn) use_older_versions(begin, length, random);
    }
  }
  versions_.clear();
  abandoned_.clear();
  current = std::make_shared<Buffer>(synced_);
}

std::shared_ptr<SimulatedInode> SimulatedInode::copy() const {
  auto copied = std::make_shared<SimulatedInode>(*this);
  copied->process_kill();  // maps of this one do not write to that one
  return copied;
}

void SimulatedInode::keep_versions(std::uint64_t offset, std::uint64_t length, Random& random) {
  const std::uint64_t end = std::min<std::uint64_t>({offset + length, current->size(), synced_.size()});
  for (std::uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
    const std::uint64_t begin = sector * kSectorBytes;
    const std::uint64_t bytes = std::min(kSectorBytes, synced_.size() - begin);
    if (begin + bytes > current->size() || random() % 4 != 0) continue;
    if (std::memcmp(current->data() + begin, synced_.data() + begin, bytes) == 0) continue;
    versions_[sector].assign(current->data() + begin, bytes);
  }
}

void SimulatedInode::use_older_versions(std::uint64_t offset, std::uint64_t length, Random& random) {
  for (std::uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < offset + length; ++sector) {
    const auto version = versions_.find(sector);
    if (version == versions_.end() || random() % 2 == 0) continue;
    const std::uint64_t begin = sector * kSectorBytes;
    const std::uint64_t bytes = std::min<std::uint64_t>(version->second.size(), synced_.size() - begin);
    std::memcpy(synced_.data() + begin, version->second.data(), bytes);
  }
}

std::pair<std::uint64_t, Bytes> SimulatedInode::page_bytes(std::uint64_t page, std::uint64_t offset,
                                                           std::uint64_t end) const {
  const std::uint64_t begin = std::max(offset, page * kPageBytes);
  return {begin, Bytes{current->data() + begin, std::min(end, (page + 1) * kPageBytes) - begin}};
}

bool SimulatedInode::is_abandoned(std::uint64_t page, std::uint64_t begin, std::uint64_t end) const {
  const auto found = abandoned_.find(page);
  if (found == abandoned_.end()) return false;
  const auto& [known_begin, known] = found->second;
  for (std::uint64_t at = begin; at < end; ++at) {
    const bool is_known = at >= known_begin && at < known_begin + known.size();
    if ((*current)[at] != (is_known ? known[at - known_begin] : synced_[at])) return false;
  }
  return true;
}

}  // namespace shale::engine
