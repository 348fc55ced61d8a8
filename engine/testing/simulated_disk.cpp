#include "engine/testing/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

namespace shale::engine {
namespace {

constexpr std::uint64_t kSectorBytes = 512;
constexpr std::uint64_t kPageBytes = 4096;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string_view name_of(DiskCall call) {
  switch (call) {
    case DiskCall::create: return "create";
    case DiskCall::open: return "open";
    case DiskCall::map: return "map";
    case DiskCall::read: return "read";
    case DiskCall::write: return "write";
    case DiskCall::sync: return "sync";
    case DiskCall::rename: return "rename";
    case DiskCall::link: return "link";
    case DiskCall::remove: return "remove";
    case DiskCall::sync_folder: return "sync_folder";
    case DiskCall::any: break;
  }
  return "call";
}

Error missing(std::string_view call, const std::string& path) {
  return {ErrorKind::io, fmt::format("{} {}: No such file or directory", call, path)};
}

}  // namespace

// A file's contents, whatever it is called. `current` is what the page cache holds, `synced_` what is sure to
// be on the disk; the difference between the two is what a crash plays with, so writes through a map need no
// reporting.
class SimulatedDisk::Inode {
 public:
  using Buffer = std::vector<char>;

  // Shared with maps, which go on writing to it after a crash has given the inode a new one.
  std::shared_ptr<Buffer> current = std::make_shared<Buffer>();

  void write(std::uint64_t offset, BytesView bytes, Random& random) {
    if (current->size() < offset + bytes.size()) current->resize(offset + bytes.size());
    keep_versions(offset, bytes.size(), random);
    std::copy(bytes.begin(), bytes.end(), current->begin() + static_cast<std::ptrdiff_t>(offset));
    mark_written(offset, bytes.size());
  }

  void mark_written(std::uint64_t offset, std::uint64_t length) {
    if (length == 0) return;
    abandoned_.erase(abandoned_.lower_bound(offset / kPageBytes),
                     abandoned_.upper_bound((offset + length - 1) / kPageBytes));
  }

  void sync_size() { resize_synced(current->size()); }

  // Exactly these bytes: the real disk may take more of their pages, but nobody may rely on it.
  void sync(std::uint64_t offset, std::uint64_t length) {
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

  // After a failed sync the kernel takes the pages for clean.
  void abandon(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = std::min<std::uint64_t>(offset + length, current->size());
    for (std::uint64_t page = offset / kPageBytes; page * kPageBytes < end; ++page) {
      abandoned_[page] = page_bytes(page, offset, end);
    }
  }

  // Decides what the disk holds, and starts a new life with it.
  void crash(Unsynced unsynced, Random& random) {
    if (unsynced != Unsynced::lost) {
      const Buffer before = *current;
      const bool new_size = unsynced == Unsynced::kept || random() % 2 == 0;
      if (new_size) resize_synced(before.size());
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

  void process_kill() { current = std::make_shared<Buffer>(*current); }

  std::shared_ptr<Inode> copy() const {
    auto copied = std::make_shared<Inode>(*this);
    copied->process_kill();  // maps of this one do not write to that one
    return copied;
  }

  // Calls `change` on what is sure and on what is not.
  template <class Change>
  void damage(Change change) {
    change(synced_);
    change(*current);
  }

 private:
  void resize_synced(std::uint64_t size_bytes) { synced_.resize(size_bytes); }

  // What is about to be overwritten without having been synced may have reached the disk meanwhile.
  void keep_versions(std::uint64_t offset, std::uint64_t length, Random& random) {
    const std::uint64_t end = std::min<std::uint64_t>({offset + length, current->size(), synced_.size()});
    for (std::uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < end; ++sector) {
      const std::uint64_t begin = sector * kSectorBytes;
      const std::uint64_t bytes = std::min(kSectorBytes, synced_.size() - begin);
      if (begin + bytes > current->size() || random() % 4 != 0) continue;
      if (std::memcmp(current->data() + begin, synced_.data() + begin, bytes) == 0) continue;
      versions_[sector].assign(current->data() + begin, bytes);
    }
  }

  void use_older_versions(std::uint64_t offset, std::uint64_t length, Random& random) {
    for (std::uint64_t sector = offset / kSectorBytes; sector * kSectorBytes < offset + length; ++sector) {
      const auto version = versions_.find(sector);
      if (version == versions_.end() || random() % 2 == 0) continue;
      const std::uint64_t begin = sector * kSectorBytes;
      const std::uint64_t bytes = std::min<std::uint64_t>(version->second.size(), synced_.size() - begin);
      std::memcpy(synced_.data() + begin, version->second.data(), bytes);
    }
  }

  // The part of a page that lies within [offset, end): others may be writing to the rest of it just now.
  std::pair<std::uint64_t, Bytes> page_bytes(std::uint64_t page, std::uint64_t offset,
                                             std::uint64_t end) const {
    const std::uint64_t begin = std::max(offset, page * kPageBytes);
    return {begin, Bytes{current->data() + begin, std::min(end, (page + 1) * kPageBytes) - begin}};
  }

  // Whether the kernel still takes the page for clean, as far as the bytes in [begin, end) tell: a byte that
  // has changed since the failed sync has made the whole page dirty again.
  bool is_abandoned(std::uint64_t page, std::uint64_t begin, std::uint64_t end) const {
    const auto found = abandoned_.find(page);
    if (found == abandoned_.end()) return false;
    const auto& [known_begin, known] = found->second;
    for (std::uint64_t at = begin; at < end; ++at) {
      const bool is_known = at >= known_begin && at < known_begin + known.size();
      if ((*current)[at] != (is_known ? known[at - known_begin] : synced_[at])) return false;
    }
    return true;
  }

  Buffer synced_;
  std::map<std::uint64_t, Bytes> versions_;  // by sector: an earlier unsynced state
  // By page: what a failed sync found there, and where it begins.
  std::map<std::uint64_t, std::pair<std::uint64_t, Bytes>> abandoned_;
};

class SimulatedDisk::OpenFile final : public File {
 public:
  OpenFile(SimulatedDisk& disk, std::shared_ptr<Inode> inode, std::string path, bool writable)
      : disk_(disk),
        inode_(std::move(inode)),
        path_(std::move(path)),
        generation_(disk.generation_),
        writable_(writable) {}

  Status read_at(std::uint64_t offset, std::span<char> into) const override {
    const std::lock_guard lock{disk_.mutex_};
    if (Status status = disk_.check_alive(generation_, path_); !status) return status;
    if (Status status = disk_.begin_call(DiskCall::read, false, path_); !status) return status;
    const Inode::Buffer& bytes = *inode_->current;
    if (offset > bytes.size() || into.size() > bytes.size() - offset) {
      return corruption(fmt::format("{} ends at offset {}, {} bytes early", path_, bytes.size(),
                                    offset + into.size() - bytes.size()));
    }
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), into.size(), into.begin());
    return {};
  }

  std::size_t read_resident(std::uint64_t offset, std::span<char> into) const override {
    const std::lock_guard lock{disk_.mutex_};
    if (!disk_.check_alive(generation_, path_)) return 0;
    const Inode::Buffer& bytes = *inode_->current;
    if (offset > bytes.size() || disk_.resident_percent_ == 0) return 0;
    std::size_t count = std::min<std::uint64_t>(into.size(), bytes.size() - offset);
    // All of it by that chance, otherwise some or nothing.
    if (disk_.random_() % 100 >= disk_.resident_percent_) count = disk_.random_() % (count + 1);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
    return count;
  }

  void announce_read(std::uint64_t, std::uint64_t) const override {}

  Status write_at(std::uint64_t offset, BytesView bytes) override {
    const std::lock_guard lock{disk_.mutex_};
    if (Status status = disk_.check_alive(generation_, path_); !status) return status;
    if (Status status = disk_.begin_call(DiskCall::write, true, path_); !status) return status;
    if (!writable_) return Error{ErrorKind::io, fmt::format("write {}: Bad file descriptor", path_)};
    const std::uint64_t size_bytes = inode_->current->size();
    const std::uint64_t end = offset + bytes.size();
    if (Status status = disk_.check_room(end > size_bytes ? end - size_bytes : 0, path_); !status)
      return status;
    inode_->write(offset, bytes, disk_.random_);
    return {};
  }

  Status sync() override {
    const std::lock_guard lock{disk_.mutex_};
    if (Status status = disk_.check_alive(generation_, path_); !status) return status;
    const std::uint64_t size_bytes = inode_->current->size();
    if (Status status = disk_.begin_call(DiskCall::sync, true, path_); !status) {
      inode_->abandon(0, size_bytes);
      return status;
    }
    inode_->sync_size();
    inode_->sync(0, size_bytes);
    return {};
  }

  Result<std::uint64_t> size() const override {
    const std::lock_guard lock{disk_.mutex_};
    if (Status status = disk_.check_alive(generation_, path_); !status) return status.error();
    return inode_->current->size();
  }

  Status truncate(std::uint64_t size_bytes) override {
    const std::lock_guard lock{disk_.mutex_};
    if (Status status = disk_.check_alive(generation_, path_); !status) return status;
    if (Status status = disk_.begin_call(DiskCall::write, true, path_); !status) return status;
    if (!writable_) return Error{ErrorKind::io, fmt::format("truncate {}: Bad file descriptor", path_)};
    if (size_bytes < inode_->current->size()) inode_->current->resize(size_bytes);
    return {};
  }

  void drop_cache(std::uint64_t, std::uint64_t) override {}

 private:
  SimulatedDisk& disk_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const std::uint64_t generation_;
  const bool writable_;
};

class SimulatedDisk::OpenMap final : public MappedFile {
 public:
  OpenMap(SimulatedDisk& disk, std::shared_ptr<Inode> inode, std::string path)
      : disk_(disk),
        inode_(std::move(inode)),
        bytes_(inode_->current),
        path_(std::move(path)),
        generation_(disk.generation_) {}

  std::span<char> bytes() override { return *bytes_; }

  Status sync(std::uint64_t offset, std::uint64_t length) override {
    const std::lock_guard lock{disk_.mutex_};
    assert(offset + length <= bytes_->size());
    if (Status status = disk_.check_alive(generation_, path_); !status) return status;
    if (Status status = disk_.begin_call(DiskCall::sync, true, path_); !status) {
      inode_->abandon(offset, length);
      return status;
    }
    inode_->sync_size();
    inode_->sync(offset, length);
    return {};
  }

  void prefault(std::uint64_t, std::uint64_t) override {}

  void mark_written(std::uint64_t offset, std::uint64_t length) override {
    const std::lock_guard lock{disk_.mutex_};
    if (generation_ == disk_.generation_) inode_->mark_written(offset, length);
  }

 private:
  SimulatedDisk& disk_;
  const std::shared_ptr<Inode> inode_;
  const std::shared_ptr<Inode::Buffer> bytes_;
  const std::string path_;
  const std::uint64_t generation_;
};

class SimulatedDisk::OpenLock final : public FolderLock {
 public:
  OpenLock(SimulatedDisk& disk, std::string path)
      : disk_(disk), path_(std::move(path)), generation_(disk.generation_) {}
  ~OpenLock() override {
    const std::lock_guard lock{disk_.mutex_};
    if (generation_ == disk_.generation_) disk_.locked_.erase(path_);
  }

 private:
  SimulatedDisk& disk_;
  const std::string path_;
  const std::uint64_t generation_;
};

SimulatedDisk::SimulatedDisk(std::uint64_t seed)
    : random_(seed), capacity_bytes_(std::numeric_limits<std::uint64_t>::max()) {}

SimulatedDisk::~SimulatedDisk() = default;

void SimulatedDisk::crash(Unsynced unsynced, std::optional<std::uint64_t> seed) {
  const std::lock_guard lock{mutex_};
  if (seed) random_.seed(*seed);
  for (const NameChange& change : unsynced_changes_) {
    if (unsynced == Unsynced::kept || (unsynced == Unsynced::torn && random_() % 2 == 0)) {
      apply(change, synced_names_, synced_folders_);
    }
  }
  names_ = synced_names_;
  folders_ = synced_folders_;
  std::set<Inode*> seen;
  for (const auto& [path, inode] : names_) {
    if (seen.insert(inode.get()).second) inode->crash(unsynced, random_);
  }
  restart();
}

void SimulatedDisk::process_kill() {
  const std::lock_guard lock{mutex_};
  std::set<Inode*> seen;
  for (const auto& [place, inode] : names_) {
    if (seen.insert(inode.get()).second) inode->process_kill();
  }
  // The machine goes on, and so does what it knows to be unsynced.
  std::vector<NameChange> unsynced_changes = std::move(unsynced_changes_);
  restart();
  unsynced_changes_ = std::move(unsynced_changes);
}

void SimulatedDisk::restart() {
  ++generation_;
  unsynced_changes_.clear();
  locked_.clear();
  faults_.clear();
  off_ = false;
  calls_until_off_.reset();
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::copy(std::uint64_t seed) const {
  const std::lock_guard lock{mutex_};
  return copy_locked(seed);
}

std::unique_ptr<SimulatedDisk> SimulatedDisk::copy_locked(std::uint64_t seed) const {
  auto made = std::make_unique<SimulatedDisk>(seed);
  std::map<const Inode*, std::shared_ptr<Inode>> copies;  // an inode may have several names
  const auto copy_of = [&](const std::shared_ptr<Inode>& inode) {
    std::shared_ptr<Inode>& copied = copies[inode.get()];
    if (!copied) copied = inode->copy();
    return copied;
  };
  for (const auto& [place, inode] : names_) made->names_[place] = copy_of(inode);
  for (const auto& [place, inode] : synced_names_) made->synced_names_[place] = copy_of(inode);
  for (NameChange change : unsynced_changes_) {
    if (change.inode) change.inode = copy_of(change.inode);
    made->unsynced_changes_.push_back(std::move(change));
  }
  made->folders_ = folders_;
  made->synced_folders_ = synced_folders_;
  made->folders_made_ = folders_made_;
  made->capacity_bytes_ = capacity_bytes_;
  made->resident_percent_ = resident_percent_;
  return made;
}

void SimulatedDisk::watch(Watcher watcher) {
  const std::lock_guard lock{mutex_};
  watcher_ = std::move(watcher);
}

void SimulatedDisk::power_off() {
  const std::lock_guard lock{mutex_};
  off_ = true;
}

void SimulatedDisk::crash_at_call(std::uint64_t k) {
  const std::lock_guard lock{mutex_};
  assert(k > 0);
  calls_until_off_ = k;
}

bool SimulatedDisk::is_off() const {
  const std::lock_guard lock{mutex_};
  return off_;
}

void SimulatedDisk::fail(DiskCall call, std::uint64_t n, ErrorKind kind, bool for_ever) {
  const std::lock_guard lock{mutex_};
  assert(n > 0);
  faults_.push_back({call, n, kind, for_ever});
}

void SimulatedDisk::heal() {
  const std::lock_guard lock{mutex_};
  faults_.clear();
}

void SimulatedDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  capacity_bytes_ = bytes;
}

void SimulatedDisk::set_resident_percent(unsigned percent) {
  const std::lock_guard lock{mutex_};
  resident_percent_ = percent;
}

void SimulatedDisk::flip_bit(const std::string& path, std::uint64_t bit_offset) {
  const std::lock_guard lock{mutex_};
  find(path)->damage([&](Inode::Buffer& bytes) {
    if (bit_offset / 8 < bytes.size()) bytes[bit_offset / 8] ^= static_cast<char>(1 << bit_offset % 8);
  });
}

void SimulatedDisk::overwrite(const std::string& path, std::uint64_t offset, BytesView bytes) {
  const std::lock_guard lock{mutex_};
  find(path)->damage([&](Inode::Buffer& into) {
    if (offset + bytes.size() <= into.size()) std::memcpy(into.data() + offset, bytes.data(), bytes.size());
  });
}

void SimulatedDisk::truncate(const std::string& path, std::uint64_t size_bytes) {
  const std::lock_guard lock{mutex_};
  find(path)->damage([&](Inode::Buffer& bytes) {
    if (size_bytes < bytes.size()) bytes.resize(size_bytes);
  });
}

Bytes SimulatedDisk::contents(const std::string& path) const {
  const std::lock_guard lock{mutex_};
  const Inode::Buffer& bytes = *find(path)->current;
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> SimulatedDisk::paths() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> paths;
  for (const auto& [folder, begin] : folders_) {
    for (const auto& [place, inode] : names_) {
      if (place.starts_with(begin)) paths.push_back(folder + "/" + place.substr(begin.size()));
    }
  }
  std::ranges::sort(paths);
  return paths;
}

std::uint64_t SimulatedDisk::calls(DiskCall call) const {
  const std::lock_guard lock{mutex_};
  return calls_[static_cast<std::size_t>(call)];
}

std::uint64_t SimulatedDisk::mutating_calls() const {
  const std::lock_guard lock{mutex_};
  return mutating_calls_;
}

Status SimulatedDisk::begin_call(DiskCall call, bool mutating, const std::string& path) {
  ++calls_[static_cast<std::size_t>(call)];
  ++calls_[static_cast<std::size_t>(DiskCall::any)];
  if (mutating) ++mutating_calls_;
  if (mutating && calls_until_off_ && --*calls_until_off_ == 0) {
    calls_until_off_.reset();
    off_ = true;
  }
  if (off_) return Error{ErrorKind::io, fmt::format("{} {}: the machine is off", name_of(call), path)};
  if (mutating && watcher_)
    watcher_(mutating_calls_, [this](std::uint64_t seed) { return copy_locked(seed); });
  std::optional<ErrorKind> failure;
  for (Fault& fault : faults_) {
    if (fault.call != call && fault.call != DiskCall::any) continue;
    if (fault.calls_left > 0 && --fault.calls_left > 0) continue;
    failure = fault.kind;
  }
  std::erase_if(faults_, [](const Fault& fault) { return fault.calls_left == 0 && !fault.for_ever; });
  if (!failure) return {};
  const bool full = *failure == ErrorKind::no_space;
  return Error{*failure, fmt::format("{} {}: {}", name_of(call), path,
                                     full ? "No space left on device" : "Input/output error")};
}

Status SimulatedDisk::check_alive(std::uint64_t generation, const std::string& path) const {
  if (generation == generation_) return {};
  return Error{ErrorKind::io, fmt::format("{}: opened before the crash", path)};
}

Status SimulatedDisk::check_room(std::uint64_t bytes_more, const std::string& path) const {
  if (bytes_more == 0) return {};
  const std::uint64_t used = bytes_used();
  if (used <= capacity_bytes_ && bytes_more <= capacity_bytes_ - used) return {};
  return Error{ErrorKind::no_space, fmt::format("write {}: No space left on device", path)};
}

std::uint64_t SimulatedDisk::bytes_used() const {
  std::uint64_t bytes = 0;
  std::set<const Inode*> seen;  // a file with two names takes its space once
  for (const auto& [place, inode] : names_) {
    if (seen.insert(inode.get()).second) bytes += inode->current->size();
  }
  return bytes;
}

bool SimulatedDisk::has_folder_of(const std::string& path) const {
  return folders_.contains(folder_of(path));
}

std::string SimulatedDisk::folder_place(const std::string& path) const { return folders_.at(path); }

std::string SimulatedDisk::place(const std::string& path) const {
  return folder_place(folder_of(path)) + path.substr(path.rfind('/') + 1);
}

std::shared_ptr<SimulatedDisk::Inode> SimulatedDisk::find(const std::string& path) const {
  if (!has_folder_of(path)) return nullptr;
  const auto found = names_.find(place(path));
  return found == names_.end() ? nullptr : found->second;
}

void SimulatedDisk::change_names(NameChange change) {
  apply(change, names_, folders_);
  unsynced_changes_.push_back(std::move(change));
}

void SimulatedDisk::apply(const NameChange& change, Names& names, Folders& folders) {
  if (!change.inode) {
    Folders renamed;
    for (const auto& [path, place] : folders) {
      const bool is_inside = path == change.removed || path.starts_with(change.removed + "/");
      renamed[is_inside ? change.added + path.substr(change.removed.size()) : path] = place;
    }
    folders = std::move(renamed);
    return;
  }
  if (!change.removed.empty()) {
    const auto found = names.find(change.removed);
    // Another file may have the name by now, if changes before this one were not kept.
    if (found != names.end() && found->second == change.inode) names.erase(found);
  }
  if (!change.added.empty()) names[change.added] = change.inode;
}

Result<std::unique_ptr<File>> SimulatedDisk::create(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::create, true, path); !status) return status.error();
  if (!has_folder_of(path)) return missing("create", path);
  auto inode = find(path);
  if (inode) {
    inode->current = std::make_shared<Inode::Buffer>();
  } else {
    inode = std::make_shared<Inode>();
    change_names({folder_place(folder_of(path)), {}, place(path), inode});
  }
  return std::make_unique<OpenFile>(*this, std::move(inode), path, true);
}

Result<std::unique_ptr<File>> SimulatedDisk::open(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::open, false, path); !status) return status.error();
  auto inode = find(path);
  if (!inode) return missing("open", path);
  return std::make_unique<OpenFile>(*this, std::move(inode), path, false);
}

Result<std::unique_ptr<File>> SimulatedDisk::open_writable(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::open, false, path); !status) return status.error();
  auto inode = find(path);
  if (!inode) return missing("open", path);
  return std::make_unique<OpenFile>(*this, std::move(inode), path, true);
}

Result<std::unique_ptr<MappedFile>> SimulatedDisk::create_mapped(const std::string& path,
                                                                 std::uint64_t size_bytes) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::map, true, path); !status) return status.error();
  if (!has_folder_of(path)) return missing("create", path);
  auto inode = find(path);
  const std::uint64_t bytes_before = inode ? inode->current->size() : 0;
  if (size_bytes > bytes_before) {
    if (Status status = check_room(size_bytes - bytes_before, path); !status) return status.error();
  }
  if (!inode) {
    inode = std::make_shared<Inode>();
    change_names({folder_place(folder_of(path)), {}, place(path), inode});
  }
  inode->current = std::make_shared<Inode::Buffer>(size_bytes);
  return std::make_unique<OpenMap>(*this, std::move(inode), path);
}

Result<std::unique_ptr<MappedFile>> SimulatedDisk::open_mapped(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::map, false, path); !status) return status.error();
  auto inode = find(path);
  if (!inode) return missing("open", path);
  return std::make_unique<OpenMap>(*this, std::move(inode), path);
}

Result<bool> SimulatedDisk::exists(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, fmt::format("stat {}: the machine is off", path)};
  return find(path) != nullptr || folders_.contains(path);
}

Result<std::vector<std::string>> SimulatedDisk::list(const std::string& folder) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, fmt::format("list {}: the machine is off", folder)};
  if (!folders_.contains(folder)) return missing("list", folder);
  std::vector<std::string> files;
  const std::string& begin = folders_.at(folder);
  for (const auto& [place, inode] : names_) {
    if (place.starts_with(begin)) files.push_back(place.substr(begin.size()));
  }
  return files;
}

Result<std::vector<std::string>> SimulatedDisk::list_folders(const std::string& folder) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, fmt::format("list {}: the machine is off", folder)};
  if (!folders_.contains(folder)) return missing("list", folder);
  std::vector<std::string> names;
  for (const auto& [path, place] : folders_) {
    if (path != folder && folder_of(path) == folder) names.push_back(path.substr(path.rfind('/') + 1));
  }
  return names;
}

Status SimulatedDisk::create_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::create, true, path); !status) return status;
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!folders_.contains(part)) {
      folders_[part] = synced_folders_[part] = fmt::format("{}/", ++folders_made_);
    }
    if (end == std::string::npos) return {};
  }
}

Status SimulatedDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::rename, true, from); !status) return status;
  if (folders_.contains(from)) return rename_folder(from, to);
  const auto inode = find(from);
  if (!inode || !has_folder_of(to)) return missing("rename", from + " to " + to);
  if (from == to) return {};
  const std::string from_folder = folder_place(folder_of(from));
  const std::string to_folder = folder_place(folder_of(to));
  if (from_folder == to_folder) {
    change_names({from_folder, place(from), place(to), inode});
  } else {  // two folders, two syncs: either half may be lost
    change_names({to_folder, {}, place(to), inode});
    change_names({from_folder, place(from), {}, inode});
  }
  return {};
}

Status SimulatedDisk::rename_folder(const std::string& from, const std::string& to) {
  assert(folder_of(from) == folder_of(to));
  if (folders_.contains(to) || find(to)) {
    return Error{ErrorKind::io, fmt::format("rename {} to {}: File exists", from, to)};
  }
  change_names({folder_place(folder_of(from)), from, to, nullptr});
  return {};
}

Status SimulatedDisk::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::link, true, from); !status) return status;
  const auto inode = find(from);
  if (!inode || !has_folder_of(to)) return missing("link", from + " to " + to);
  if (find(to)) return Error{ErrorKind::io, fmt::format("link {} to {}: File exists", from, to)};
  change_names({folder_place(folder_of(to)), {}, place(to), inode});
  return {};
}

Status SimulatedDisk::remove(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::remove, true, path); !status) return status;
  const auto inode = find(path);
  if (!inode) return missing("remove", path);
  change_names({folder_place(folder_of(path)), place(path), {}, inode});
  return {};
}

Status SimulatedDisk::remove_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::remove, true, path); !status) return status;
  if (!folders_.contains(path)) return missing("rmdir", path);
  const std::string begin = folder_place(path);
  const auto is_inside = [&](const auto& name) { return name.first.starts_with(begin); };
  const auto is_below = [&](const auto& folder) { return folder.first.starts_with(path + "/"); };
  if (std::ranges::any_of(names_, is_inside) || std::ranges::any_of(folders_, is_below)) {
    return Error{ErrorKind::io, fmt::format("rmdir {}: Directory not empty", path)};
  }
  folders_.erase(path);
  std::erase_if(synced_folders_, [&](const auto& folder) { return folder.second == begin; });
  return {};
}

Status SimulatedDisk::sync_folder(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::sync_folder, true, path); !status) return status;
  if (!folders_.contains(path)) return missing("sync_folder", path);
  const std::string synced = folder_place(path);
  const auto covered = [&](const NameChange& change) { return change.folder == synced; };
  for (const NameChange& change : unsynced_changes_) {
    if (covered(change)) apply(change, synced_names_, synced_folders_);
  }
  std::erase_if(unsynced_changes_, covered);
  return {};
}

Result<std::unique_ptr<FolderLock>> SimulatedDisk::lock(const std::string& path) {
  const std::lock_guard lock{mutex_};
  if (Status status = begin_call(DiskCall::create, true, path); !status) return status.error();
  if (!has_folder_of(path)) return missing("lock", path);
  if (!locked_.insert(path).second) {
    return Error{ErrorKind::locked, fmt::format("lock {}: another process holds the lock", path)};
  }
  if (!find(path)) {
    change_names({folder_place(folder_of(path)), {}, place(path), std::make_shared<Inode>()});
  }
  return std::make_unique<OpenLock>(*this, path);
}

Result<std::uint64_t> SimulatedDisk::free_bytes(const std::string&) {
  const std::lock_guard lock{mutex_};
  if (off_) return Error{ErrorKind::io, "statvfs: the machine is off"};
  const std::uint64_t used = bytes_used();
  return used >= capacity_bytes_ ? 0 : capacity_bytes_ - used;
}

}  // namespace shale::engine
