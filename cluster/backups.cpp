#include "cluster/backups.h"

#include <utility>

#include "cluster/store.h"

namespace shale::cluster {

void Backups::open() {
  status_.lsn = store_.log().appended_lsn();
  const auto looked = look_around();
  if (!looked) status_.last_error = looked.error().message;
}

engine::Status Backups::look_around() {
  if (auto removed = folders_.remove_unfinished(); !removed) return removed;
  const auto backups = folders_.list();
  if (!backups) return backups.error();
  if (!backups->empty()) status_.newest = backups->back();
  return {};
}

engine::Result<BackupMade> Backups::run() {
  {
    const std::lock_guard lock{mutex_};
    if (!claim()) return engine::Error{engine::ErrorKind::busy, {}};
  }
  return make();
}

std::shared_ptr<BackupJob> Backups::begin() {
  std::jthread last;  // it has all but ended; joined without the mutex, which its listener may want
  const std::lock_guard lock{mutex_};
  if (!claim()) return nullptr;
  auto job = std::make_shared<BackupJob>();
  last = std::exchange(worker_, std::jthread([this, job] { job->finish(make()); }));
  return job;
}

// With the mutex.
bool Backups::claim() {
  if (begun_) return false;
  begun_ = store_.clock().now();
  return true;
}

engine::Result<BackupMade> Backups::make() {
  auto made = write();
  Listener listener;
  {
    const std::lock_guard lock{mutex_};
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        store_.clock().now() - *std::exchange(begun_, std::nullopt));
    status_.last_took = took;
    status_.last_error = made ? std::string{} : made.error().message;
    if (made) {
      made->took = took;
      status_.newest = made->backup;
      status_.lsn = made->lsn;
      status_.last_made = *made;
      ++status_.made;
    }
    listener = listener_;
  }
  if (listener) listener(made);
  return made;
}

engine::Result<BackupMade> Backups::write() {
  const auto backup = folders_.begin(store_.clock().unix_ms());
  if (!backup) return backup.error();
  BackupWriter writer{store_, files_, stop_.get_token()};
  const auto lsn = writer.write(BackupFolders::temporary_path(*backup));
  const auto finished = lsn ? folders_.finish(*backup) : engine::Status{lsn.error()};
  if (!finished) {
    // What is left goes before the next one, or at the next start. A stop does not wait for it.
    if (!stop_.stop_requested()) static_cast<void>(folders_.give_up(*backup).has_value());
    return finished.error();
  }
  BackupMade made{*backup, *lsn, writer.size(), {}, {}};
  if (const std::size_t kept = kept_.load(std::memory_order_relaxed); kept != 0) {
    const auto removed = folders_.keep_newest(kept);
    if (!removed) made.remark = "older backups could not be removed: " + removed.error().message;
  }
  return made;
}

BackupStatus Backups::status() const {
  const std::lock_guard lock{mutex_};
  BackupStatus status = status_;
  if (begun_) {
    status.running_for = std::chrono::duration_cast<std::chrono::seconds>(store_.clock().now() - *begun_);
  }
  return status;
}

void Backups::on_end(Listener listener) {
  const std::lock_guard lock{mutex_};
  listener_ = std::move(listener);
}

}  // namespace shale::cluster
