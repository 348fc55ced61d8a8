#include "engine/testing/simulated_disk.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <utility>

namespace shale::engine {

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
    case DiskCall::any: return "call of any kind";
  }
  return {};
}

SimulatedDisk::SimulatedDisk(std::uint64_t seed)
    : random_(seed), capacity_bytes_(std::numeric_limits<std::uint64_t>::max()) {}

SimulatedDisk::~SimulatedDisk() = default;

void SimulatedDisk::crash(Unsynced unsynced, std::optional<std::uint64_t> seed) {
  const std::lock_guard lock{mutex_};
  if (seed) random_.seed(*seed);
  names_.crash(unsynced, random_);
  restart();
}

void SimulatedDisk::process_kill() {
  const std::lock_guard lock{mutex_};
  names_.process_kill();  // the machine goes on, and so does what it knows to be unsynced
  restart();
}

void SimulatedDisk::restart() {
  ++generation_;
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
  made->names_ = names_.copy();
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
  names_.find(path)->damage([&](SimulatedInode::Buffer& bytes) {
    if (bit_offset / 8 < bytes.size()) bytes[bit_offset / 8] ^= static_cast<char>(1 << bit_offset % 8);
  });
}

void SimulatedDisk::overwrite(const std::string& path, std::uint64_t offset, BytesView bytes) {
  const std::lock_guard lock{mutex_};
  names_.find(path)->damage([&](SimulatedInode::Buffer& into) {
    if (offset + bytes.size() <= into.size()) std::memcpy(into.data() + offset, bytes.data(), bytes.size());
  });
}

void SimulatedDisk::truncate(const std::string& path, std::uint64_t size_bytes) {
  const std::lock_guard lock{mutex_};
  names_.find(path)->damage([&](SimulatedInode::Buffer& bytes) {
    if (size_bytes < bytes.size()) bytes.resize(size_bytes);
  });
}

Bytes SimulatedDisk::contents(const std::string& path) const {
  const std::lock_guard lock{mutex_};
  const SimulatedInode::Buffer& bytes = *names_.find(path)->current;
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> SimulatedDisk::paths() const {
  const std::lock_guard lock{mutex_};
  return names_.paths();
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
  const std::uint64_t used = names_.bytes_used();
  if (used <= capacity_bytes_ && bytes_more <= capacity_bytes_ - used) return {};
  return Error{ErrorKind::no_space, fmt::format("write {}: No space left on device", path)};
}

}  // namespace shale::engine
