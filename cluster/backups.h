// Backups of a store, made while it serves: each is a data folder that holds exactly the writes before one
// moment, and that a server can be started on. docs/backup.md.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "cluster/background_job.h"
#include "cluster/backup_folders.h"
#include "cluster/backup_writer.h"
#include "engine/io/file_system.h"
#include "engine/result.h"

namespace shale::cluster {

class Store;

// A backup that has been made.
struct BackupMade {
  BackupFolders::Backup backup;
  engine::Lsn lsn = 0;  // the last record of the log that it has
  BackupSize size;
  std::chrono::milliseconds took{0};
  std::string remark;  // older ones could not be removed; as a rule empty
};

using BackupJob = BackgroundJob<BackupMade>;

struct BackupStatus {
  std::optional<std::chrono::seconds> running_for;     // while one is being made
  std::optional<BackupFolders::Backup> newest;         // also of an earlier life
  std::optional<BackupMade> last_made;                 // since the start
  std::optional<std::chrono::milliseconds> last_took;  // of the last attempt since the start
  std::string last_error;                              // of the last attempt, if it failed
  std::uint64_t made = 0;                              // since the start
  engine::Lsn lsn = 0;  // of the last one since the start, or where the log ended at the start
};

// Thread-safe, but for open().
class Backups {
 public:
  // Told of every attempt, by the thread that has made it.
  using Listener = std::function<void(const engine::Result<BackupMade>&)>;

  Backups(Store& store, engine::FileSystem& files, std::string folder, std::size_t kept)
      : store_(store), files_(files), folders_(files, std::move(folder)), kept_(kept) {}
  // Gives up a backup that is being made.
  ~Backups() { stop_.request_stop(); }
  Backups(const Backups&) = delete;
  Backups& operator=(const Backups&) = delete;

  // Removes what an earlier life has left unfinished, and finds the newest. Waits for the disk. What goes
  // wrong is told by status(): it keeps nobody from serving.
  void open();

  // Makes a backup, and returns when it is durable. Waits for disks, and long; without any lock. One at a
  // time. Errors: busy (another is being made), stopped, io, no_space, corruption.
  engine::Result<BackupMade> run();
  // The same on a thread of its own. Null if another is being made.
  std::shared_ptr<BackupJob> begin();

  BackupStatus status() const;
  const std::string& folder() const { return folders_.folder(); }
  // How many are kept after the next one; 0: all.
  void set_kept(std::size_t count) { kept_.store(count, std::memory_order_relaxed); }
  void on_end(Listener listener);

 private:
  bool claim();
  engine::Result<BackupMade> make();  // that has been claimed
  engine::Result<BackupMade> write();
  engine::Status look_around();

  Store& store_;
  engine::FileSystem& files_;
  BackupFolders folders_;  // used by who has claimed
  std::atomic<std::size_t> kept_;
  std::stop_source stop_;
  mutable std::mutex mutex_;                                    // guards what follows
  std::optional<std::chrono::steady_clock::time_point> begun_;  // while one is being made
  BackupStatus status_;                                         // but for running_for
  Listener listener_;
  std::jthread worker_;  // of the one that was begun last
};

}  // namespace shale::cluster
