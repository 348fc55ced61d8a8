// A file system in memory that remembers what has been synced, and can lose, tear and refuse the rest.
//
// What survives a crash for sure: the bytes that a successful sync covered, and the names that a successful
// sync_folder covered. Everything else is up to the disk, grain by grain (512 bytes or 4 KiB) and name by
// name, in any order: lost, kept or torn, as the test asks. Bytes written through a map count as written at
// once.
//
// Everything random comes from the seed. Thread-safe; a run of one thread repeats exactly. Bytes that threads
// write through a map while crash() or process_kill() runs are the test's own race: stop the writers before.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/testing/simulated_inode.h"
#include "engine/testing/simulated_names.h"

namespace shale::engine {

enum class DiskCall : std::uint8_t {
  create,
  open,
  map,
  read,
  write,
  sync,
  rename,
  link,
  remove,
  sync_folder,
  any
};
std::string_view name_of(DiskCall call);

class SimulatedDisk final : public FileSystem {
 public:
  explicit SimulatedDisk(std::uint64_t seed = 0);
  ~SimulatedDisk() override;

  // The machine dies and starts again: handles, maps and locks of before are dead, faults are forgotten. The
  // seed decides what torn means; without one the disk's own randomness goes on.
  void crash(Unsynced unsynced, std::optional<std::uint64_t> seed = {});
  // The process dies, the machine does not: everything written stays, synced or not.
  void process_kill();
  // From now on every call fails as if the machine were dead already; crash() ends that. Lets a test stop its
  // threads before the crash.
  void power_off();
  // power_off() at the k-th mutating call from now (1 is the next); that call has no effect.
  void crash_at_call(std::uint64_t k);
  bool is_off() const;

  // Another disk that holds what this one does just now, what is not synced included; its calls, handles and
  // faults begin anew, and what comes to it by chance comes from `seed`.
  std::unique_ptr<SimulatedDisk> copy(std::uint64_t seed) const;
  // Called before every mutating call has its effect, by whoever makes the call, with the call's number and a
  // way to copy the disk as it is then. It must not use this disk otherwise. Not while the machine is off.
  using CopyDisk = std::function<std::unique_ptr<SimulatedDisk>(std::uint64_t seed)>;
  using Watcher = std::function<void(std::uint64_t call, const CopyDisk& copy)>;
  void watch(Watcher watcher);

  // The n-th call of this kind from now (1 is the next) fails, and if `for_ever` all after it. A failed sync
  // behaves as Linux does: the pages it covered count as clean, are not written by a later sync that
  // succeeds, and a crash loses them, unless they are written again.
  void fail(DiskCall call, std::uint64_t n, ErrorKind kind, bool for_ever = false);
  // Ends all faults that fail() has ordered.
  void heal();
  // Files may have this many bytes in all; a call that would exceed it fails with no_space and no effect.
  void set_capacity(std::uint64_t bytes);

  // How likely it is that File::read_resident finds all it is asked for in memory; at 0, as in the beginning,
  // it finds nothing.
  void set_resident_percent(unsigned percent);

  // Damage, as if the disk had changed what it holds; synced contents and unsynced ones alike.
  void flip_bit(const std::string& path, std::uint64_t bit_offset);
  void overwrite(const std::string& path, std::uint64_t offset, BytesView bytes);
  void truncate(const std::string& path, std::uint64_t size_bytes);
  Bytes contents(const std::string& path) const;  // as a reader would see them now
  std::vector<std::string> paths() const;         // of all files, sorted

  std::uint64_t calls(DiskCall call) const;  // since construction, failed ones included
  // Calls that change what the disk holds or what of it is sure: all but open, read and those that only look.
  std::uint64_t mutating_calls() const;

  Result<std::unique_ptr<File>> create(const std::string& path) override;
  Result<std::unique_ptr<File>> open(const std::string& path) override;
  Result<std::unique_ptr<File>> open_writable(const std::string& path) override;
  Result<std::unique_ptr<MappedFile>> create_mapped(const std::string& path,
                                                    std::uint64_t size_bytes) override;
  Result<std::unique_ptr<MappedFile>> open_mapped(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::vector<std::string>> list_folders(const std::string& folder) override;
  // That folders are made and removed is durable at once; a new name is so with sync_folder. A folder is
  // renamed within the one that it is in.
  Status create_folder(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_folder(const std::string& path) override;
  Status sync_folder(const std::string& path) override;
  Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& folder) override;

 private:
  class OpenFile;
  class OpenMap;
  class OpenLock;
  struct Fault {
    DiskCall call;
    std::uint64_t calls_left;
    ErrorKind kind;
    bool for_ever;
  };

  // All of these with mutex_ held.
  Status begin_call(DiskCall call, bool mutating, const std::string& path);
  Status check_alive(std::uint64_t generation, const std::string& path) const;
  Status check_room(std::uint64_t bytes_more, const std::string& path) const;
  Status rename_folder(const std::string& from, const std::string& to);
  std::unique_ptr<SimulatedDisk> copy_locked(std::uint64_t seed) const;
  void restart();

  mutable std::mutex mutex_;  // guards everything below, inodes included
  std::mt19937_64 random_;
  SimulatedNames names_;
  std::set<std::string> locked_;
  std::uint64_t generation_ = 0;  // of handles that are alive
  bool off_ = false;
  std::optional<std::uint64_t> calls_until_off_;
  std::vector<Fault> faults_;
  std::uint64_t capacity_bytes_;
  unsigned resident_percent_ = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(DiskCall::any) + 1> calls_{};
  std::uint64_t mutating_calls_ = 0;
  Watcher watcher_;
};

}  // namespace shale::engine
