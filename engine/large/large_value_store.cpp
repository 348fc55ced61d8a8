#include "engine/large/large_value_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace shale::engine {
namespace {

constexpr BytesView kSuffix = ".value";
constexpr BytesView kTemporarySuffix = ".tmp";
// The clock's milliseconds, and room for a million values in each.
constexpr unsigned kIdClockShift = 20;

}  // namespace

std::string LargeValueStore::file_name(std::uint64_t id) { return fmt::format("{:016x}{}", id, kSuffix); }

std::optional<std::uint64_t> LargeValueStore::id_of(const std::string& name) {
  std::uint64_t id = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), id, 16);
  if (read.ec != std::errc{} || name != file_name(id)) return {};
  return id;
}

std::string LargeValueStore::temporary_path(std::uint64_t id) const {
  return path(id) + std::string{kTemporarySuffix};
}

Result<std::unique_ptr<LargeValueStore>> LargeValueStore::open(FileSystem& files, Background& background,
                                                               const Clock& clock, std::string folder,
                                                               std::function<Status()> before_first) {
  std::unique_ptr<LargeValueStore> store{
      new LargeValueStore(files, background, clock, std::move(folder), std::move(before_first))};
  if (Status read = store->read_folder(); !read) return read.error();
  return store;
}

Status LargeValueStore::read_folder() {
  const auto exists = files_.exists(folder_);
  if (!exists) return exists.error();
  if (!*exists) return {};
  const auto names = files_.list(folder_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (const auto id = id_of(name)) {
      known_.try_emplace(*id);
      last_id_ = std::max(last_id_, *id);
    } else if (name.ends_with(kTemporarySuffix)) {
      if (Status removed = files_.remove(folder_ + "/" + name); !removed) return removed;
    }
  }
  return {};
}

Status LargeValueStore::prepare() {
  const std::lock_guard lock{preparing_};
  if (prepared_) return {};
  if (before_first_) {
    if (Status done = before_first_(); !done) return done;
  }
  if (Status made = files_.create_folder(folder_); !made) return made;
  if (Status synced = files_.sync_folder(folder_.substr(0, folder_.rfind('/'))); !synced) return synced;
  prepared_ = true;
  return {};
}

std::uint64_t LargeValueStore::new_id() {
  const std::lock_guard lock{mutex_};
  last_id_ = std::max(last_id_ + 1, static_cast<std::uint64_t>(clock_.unix_ms()) << kIdClockShift);
  return last_id_;
}

std::shared_ptr<StagedLargeValue> LargeValueStore::stage(std::uint64_t value_bytes) {
  return std::make_shared<StagedLargeValue>(*this, new_id(), value_bytes);
}

std::shared_ptr<LargeValue> LargeValueStore::find(std::uint64_t id) {
  const std::lock_guard lock{mutex_};
  Known& known = known_[id];  // also of one whose file is missing: all who ask share the answer
  std::shared_ptr<LargeValue> value = known.open.lock();
  if (!value) known.open = value = std::make_shared<LargeValue>(files_, path(id), id);
  return value;
}

void LargeValueStore::own(const HashedKey& key, std::uint64_t id) {
  const auto [place, is_new] = ids_.try_emplace(Bytes{key.bytes}, id);
  place->second = id;
  known_[id].owner = key.bytes;
  if (!is_new) return;
  owned_[key.hash % kOwnedSlots].fetch_add(1, std::memory_order_relaxed);
  owned_count_.fetch_add(1, std::memory_order_relaxed);
}

void LargeValueStore::disown(std::unordered_map<Bytes, std::uint64_t>::iterator owned) {
  owned_[hash_bytes(owned->first) % kOwnedSlots].fetch_sub(1, std::memory_order_relaxed);
  owned_count_.fetch_sub(1, std::memory_order_relaxed);
  ids_.erase(owned);
}

void LargeValueStore::die(std::uint64_t id, Lsn lsn) {
  const auto known = known_.find(id);
  if (known == known_.end() || known->second.dead_since) return;
  known->second.dead_since = lsn;
  dead_.push_back(id);
}

void LargeValueStore::commit(StagedLargeValue& staged, const HashedKey& key) {
  staged.committed_ = true;
  const std::lock_guard lock{mutex_};
  own(key, staged.trailer_.id);
  known_[staged.trailer_.id].bytes = staged.value_bytes();
  ++stats_.written;
}

void LargeValueStore::release(const HashedKey& key, std::optional<std::uint64_t> kept_id, Lsn lsn) {
  const std::lock_guard lock{mutex_};
  const auto owned = ids_.find(Bytes{key.bytes});
  if (owned == ids_.end() || owned->second == kept_id) return;
  die(owned->second, lsn);
  disown(owned);
}

void LargeValueStore::note_alive(const LargeValueReference& reference, const HashedKey& key) {
  const std::lock_guard lock{mutex_};
  const auto known = known_.find(reference.id);
  if (known == known_.end() || known->second.dead_since) return;
  known->second.bytes = reference.value_bytes;
  own(key, reference.id);
}

void LargeValueStore::note_dead(std::uint64_t id, Lsn lsn) {
  const std::lock_guard lock{mutex_};
  const auto known = known_.find(id);
  if (known == known_.end()) return;
  const auto owned = ids_.find(known->second.owner);
  if (owned != ids_.end() && owned->second == id) disown(owned);
  die(id, lsn);
}

std::vector<LargeValueStore::Listed> LargeValueStore::list(std::uint64_t after, std::size_t count) const {
  std::vector<Listed> listed;
  const std::lock_guard lock{mutex_};
  for (auto known = known_.upper_bound(after); known != known_.end() && listed.size() < count; ++known) {
    if (!known->second.dead_since) listed.push_back({known->first, known->second.owner});
  }
  return listed;
}

Status LargeValueStore::remove_dead(const std::function<Status(Lsn)>& wait_until_durable) {
  std::vector<std::uint64_t> removable;
  Lsn lsn = 0;
  {
    const std::lock_guard lock{mutex_};
    for (const std::uint64_t id : dead_) {
      const Known& known = known_.at(id);
      if (!known.open.expired()) continue;
      removable.push_back(id);
      lsn = std::max(lsn, *known.dead_since);
    }
  }
  if (removable.empty()) return {};
  if (Status durable = wait_until_durable(lsn); !durable) return durable;
  for (const std::uint64_t id : removable) {
    {
      const std::lock_guard lock{mutex_};
      if (!known_.at(id).open.expired()) continue;
      known_.erase(id);
      std::erase(dead_, id);
      ++stats_.removed;
    }
    remove_files(id);
  }
  return {};
}

void LargeValueStore::remove_files(std::uint64_t id) {
  static_cast<void>(files_.remove(temporary_path(id)).has_value());
  static_cast<void>(files_.remove(path(id)).has_value());
}

void LargeValueStore::discard(std::uint64_t id) {
  background_.submit(Priority::flush, [this, id] { remove_files(id); });
}

LargeValueStats LargeValueStore::stats() const {
  const std::lock_guard lock{mutex_};
  LargeValueStats stats = stats_;
  stats.files = known_.size();
  for (const auto& [id, known] : known_) stats.bytes += known.bytes;
  return stats;
}

}  // namespace shale::engine
