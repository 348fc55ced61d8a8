// The folder of large values: which files there are, whose they are, and how they go. Why and when:
// docs/large-values.md.
//
//   I1  A file under its final name is whole and durable.
//   I2  A file is removed only when its owner has said that no key refers to it any more, the log is durable
//       up to where that became so, and nobody holds its LargeValue.
//   I3  An id is never given twice, also not after a restart.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/bytes.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/large/large_value.h"
#include "engine/large/staged_large_value.h"
#include "engine/result.h"

namespace shale::engine {

struct LargeValueStats {
  std::uint64_t files = 0;    // now, those that wait for their removal included
  std::uint64_t bytes = 0;    // now, as far as known: after a start, of those that have been looked at
  std::uint64_t written = 0;  // files, since the store was opened
  std::uint64_t removed = 0;
};

// Thread-safe. Outlives the values that it hands out, unless its Background has been stopped.
class LargeValueStore {
 public:
  // Lists the folder, which need not exist, and removes what was being written. Waits for the disk.
  // `before_first` is called on a background thread before the folder is made.
  static Result<std::unique_ptr<LargeValueStore>> open(FileSystem& files, Background& background,
                                                       const Clock& clock, std::string folder,
                                                       std::function<Status()> before_first);

  // --- Values

  std::shared_ptr<StagedLargeValue> stage(std::uint64_t value_bytes);
  // The value of that id, opened or not. If there is no such file, open() will say so.
  std::shared_ptr<LargeValue> find(std::uint64_t id);

  // --- Whose they are. `lsn` is the log record with which it became so. These do not wait.

  // Whether a key with this hash may own a value: one that does is never denied.
  bool may_own(std::uint64_t key_hash) const {
    return owned_count_.load(std::memory_order_relaxed) != 0 &&
           owned_[key_hash % kOwnedSlots].load(std::memory_order_relaxed) != 0;
  }
  // `staged`, which is finished, is the key's value now.
  void commit(StagedLargeValue& staged, const HashedKey& key);
  // The key's value is another now: what it owned is dead, except for `kept_id`.
  void release(const HashedKey& key, std::optional<std::uint64_t> kept_id, Lsn lsn);
  // As a sweep has found out: the key has this reference to it, or nobody has.
  void note_alive(const LargeValueReference& reference, const HashedKey& key);
  void note_dead(std::uint64_t id, Lsn lsn);

  // Ids above `after`, ascending, at most `count`: of files that are not known to be dead.
  struct Listed {
    std::uint64_t id;
    Bytes key;  // empty if nobody has looked yet
  };
  std::vector<Listed> list(std::uint64_t after, std::size_t count) const;

  // Removes the files of dead values that nobody reads. `wait_until_durable` is asked first, for the newest
  // record on which that rests. Waits for the disk.
  Status remove_dead(const std::function<Status(Lsn)>& wait_until_durable);

  LargeValueStats stats() const;

  static std::string file_name(std::uint64_t id);
  static std::optional<std::uint64_t> id_of(const std::string& name);

 private:
  friend class StagedLargeValue;

  struct Known {
    Bytes owner;  // empty: not known
    std::uint64_t bytes = 0;
    std::weak_ptr<LargeValue> open;
    std::optional<Lsn> dead_since;
  };

  LargeValueStore(FileSystem& files, Background& background, const Clock& clock, std::string folder,
                  std::function<Status()> before_first)
      : files_(files),
        background_(background),
        clock_(clock),
        folder_(std::move(folder)),
        before_first_(std::move(before_first)) {}

  Status read_folder();
  // For StagedLargeValue. prepare() makes the folder; waits for the disk.
  Status prepare();
  FileSystem& files() { return files_; }
  const std::string& folder() const { return folder_; }
  std::string path(std::uint64_t id) const { return folder_ + "/" + file_name(id); }
  std::string temporary_path(std::uint64_t id) const;
  void remove_files(std::uint64_t id);  // best effort; what is left goes at the next start
  void discard(std::uint64_t id);       // the same in the background

  std::uint64_t new_id();
  void own(const HashedKey& key, std::uint64_t id);
  void disown(std::unordered_map<Bytes, std::uint64_t>::iterator owned);
  void die(std::uint64_t id, Lsn lsn);

  static constexpr std::size_t kOwnedSlots = 16384;

  FileSystem& files_;
  Background& background_;
  const Clock& clock_;
  const std::string folder_;
  const std::function<Status()> before_first_;
  std::mutex preparing_;  // guards prepared_
  bool prepared_ = false;

  // How many owned keys fall into each slot, by their hash.
  std::array<std::atomic<std::uint32_t>, kOwnedSlots> owned_{};
  std::atomic<std::uint64_t> owned_count_ = 0;

  mutable std::mutex mutex_;  // guards what follows
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Known> known_;          // by id
  std::unordered_map<Bytes, std::uint64_t> ids_;  // by owner, the newest
  std::vector<std::uint64_t> dead_;
  LargeValueStats stats_;
};

}  // namespace shale::engine
