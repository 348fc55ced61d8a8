// The log as log.h promises it, on segments mapped into memory. Design and crash argument: docs/log.md.
//
// Threads: appenders copy under mutex_; the sync thread makes records durable and runs callbacks; the prepare
// thread keeps an empty segment ready and pages writable ahead of the appenders. Neither holds mutex_ while
// it waits for a disk.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "engine/log/log.h"
#include "engine/log/recovery.h"
#include "engine/log/segment_files.h"
#include "engine/log/segment_format.h"

namespace shale::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr auto kSyncInterval = std::chrono::seconds{1};
constexpr auto kSpareRetryInterval = std::chrono::milliseconds{100};
constexpr auto kLargeKeptInterval = std::chrono::seconds{10};
// Full segments that may wait for their sync before appends are told to wait: together with the active
// segment and the spare they bound the memory that is mapped.
constexpr std::size_t kFullUnsyncedMax = 2;
// Pages kept writable ahead of the appenders: enough for a few milliseconds at full speed, little enough that
// what a sync or the kernel writes before it is used costs nothing.
constexpr std::uint64_t kPrefaultBytes = 1u << 20;
// Empty segments at hand, prepared or not; trimming removes what is beyond.
constexpr std::size_t kSparesMax = 2;

class SegmentLog final : public Log {
 public:
  SegmentLog(FileSystem& files, const std::string& folder, const LogOptions& options,
             const RecoveredLog& recovered)
      : segment_bytes_(options.segment_bytes),
        segments_(files, folder, recovered.next_number),
        sync_mode_(options.sync_mode),
        next_lsn_(recovered.next_lsn) {
    for (const RecoveredSegment& found : recovered.segments) {
      auto segment = std::make_shared<Segment>();
      segment->header = found.header;
      segment->path = found.path;
      segment->first_lsn = found.first_lsn;
      segment->end = segment->synced_end = found.end;
      full_.push_back(std::move(segment));
    }
    appended_lsn_ = synced_lsn_ = next_lsn_ - 1;
  }

  ~SegmentLog() override {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    sync_needed_.notify_all();
    prepare_needed_.notify_all();
    if (prepare_thread_.joinable()) prepare_thread_.join();
    if (sync_thread_.joinable()) sync_thread_.join();
    if (!failure_ && active_) leave_witnesses();
  }

  // The spares that recovery left; then the first segment, so that appends need not wait for the prepare
  // thread. A disk that is full now does not keep the log from being opened.
  Status start(std::vector<std::string> spares) {
    for (std::string& spare : spares) spare_files_.push_back(std::move(spare));
    std::unique_lock lock{mutex_};
    prepare_spare(lock);
    if (failure_) return *failure_;
    if (spare_) activate(std::move(spare_));
    prepare_thread_ = std::thread{[this] { prepare_loop(); }};
    sync_thread_ = std::thread{[this] { sync_loop(); }};
    return {};
  }

  Result<Lsn> append(RecordKind kind, BytesView payload) override {
    assert(kind != kSealKind);
    const std::uint64_t payload_hash = hash_bytes(payload);
    if (payload.size() > segment_bytes_ / 4) return append_large(kind, payload, payload_hash);
    Lock lock{mutex_};
    if (failure_) return *failure_;
    const std::uint64_t span = record_span(payload.size());
    if (!active_ || active_->end + span > active_->records_end()) {
      if (Status status = rotate(); !status) return status.error();
    }
    payload.copy(active_->map->bytes().data() + active_->end + RecordHeader::kEncodedBytes, payload.size());
    const Lsn lsn = publish(kind, payload.size(), payload_hash);
    if (prefault_wanted_ || active_->end + kPrefaultBytes / 2 <= active_->prefaulted_end ||
        active_->prefaulted_end >= active_->header.size_bytes) {
      return lsn;
    }
    prefault_wanted_ = true;
    lock.unlock();  // or the thread that wakes up would find it taken
    prepare_needed_.notify_one();
    return lsn;
  }

  Lsn appended_lsn() const override { return appended_lsn_.load(std::memory_order_acquire); }
  Lsn synced_lsn() const override { return synced_lsn_.load(std::memory_order_acquire); }

  void when_synced(Lsn lsn, std::function<void(Status)> done) override {
    assert(lsn <= appended_lsn());
    std::optional<Error> failure;
    if (synced_lsn() < lsn) {
      const std::lock_guard lock{mutex_};
      if (failure_) {
        failure = failure_;
      } else if (synced_lsn() < lsn) {
        waiters_.push_back({lsn, std::move(done)});
        sync_needed_.notify_one();
        return;
      }
    }
    done(failure ? Status{*failure} : Status{});
  }

  void set_sync_mode(SyncMode mode) override {
    const std::lock_guard lock{mutex_};
    sync_mode_ = mode;
    sync_needed_.notify_one();
  }

  SyncMode sync_mode() const override {
    const std::lock_guard lock{mutex_};
    return sync_mode_;
  }

  bool can_trim(Lsn keep_from) const override {
    const std::lock_guard lock{mutex_};
    return !failure_ && !full_.empty() && may_drop_oldest(keep_from);
  }

  Status trim(Lsn keep_from) override {
    const std::lock_guard one_at_a_time{trim_mutex_};
    std::deque<std::shared_ptr<Segment>> dropped;
    std::size_t room_for_spares = 0;
    {
      const std::lock_guard lock{mutex_};
      if (failure_) return *failure_;
      while (!full_.empty() && may_drop_oldest(keep_from)) {
        dropped.push_back(std::move(full_.front()));
        full_.pop_front();
      }
      room_for_spares = kSparesMax - std::min(kSparesMax, spare_files_.size() + (spare_ ? 1 : 0));
    }
    if (dropped.empty()) return {};
    std::vector<std::string> spares;
    Status status;
    while (!dropped.empty()) {
      status = drop_file(*dropped.front(), room_for_spares, spares);
      if (!status) break;
      dropped.pop_front();
    }
    const Status synced = segments_.sync_folder();
    const std::lock_guard lock{mutex_};
    if (!synced) {
      fail(synced.error());
      return *failure_;
    }
    full_.insert(full_.begin(), dropped.begin(),
                 dropped.end());  // what is still there; a later trim tries again
    for (std::string& spare : spares) spare_files_.push_back(std::move(spare));
    spare_error_.reset();  // there is room now: try at once
    prepare_needed_.notify_one();
    return status;
  }

  LogCut cut(Lsn keep_from) const override {
    const std::lock_guard lock{mutex_};
    LogCut cut;
    cut.lsn = next_lsn_ - 1;
    const auto add = [&cut, keep_from](const Segment& segment) {
      // Only from the newest segment that begins at or before the first record that is wanted.
      if (segment.first_lsn <= keep_from) cut.parts.clear();
      cut.parts.push_back(
          {segment.path, segment.header.number, segment.header.identity, segment.first_lsn, segment.end});
    };
    for (const auto& segment : full_) add(*segment);
    // An empty one says nothing, unless there is no other.
    if (active_ && (active_->end > kRecordsBegin || full_.empty())) add(*active_);
    return cut;
  }

  Status health() const override {
    const std::lock_guard lock{mutex_};
    if (failure_) return *failure_;
    return {};
  }

  LogStats stats() const override {
    const std::lock_guard lock{mutex_};
    LogStats stats = stats_;
    stats.segments =
        full_.size() + spare_files_.size() + (active_ ? 1 : 0) + (spare_ ? 1 : 0) + (large_ ? 1 : 0);
    for (const auto& segment : full_) stats.bytes_kept += segment->end - kRecordsBegin;
    if (active_) stats.bytes_kept += active_->end - kRecordsBegin;
    return stats;
  }

 private:
  using Lock = std::unique_lock<std::mutex>;

  struct Waiter {
    Lsn lsn;
    std::function<void(Status)> done;
  };

  // Appending. All of it with mutex_ held unless said otherwise.

  // Writes the header of the record whose payload has been copied behind active_->end.
  Lsn publish(RecordKind kind, std::uint64_t payload_bytes, std::uint64_t payload_hash) {
    const Lsn lsn = next_lsn_++;
    write_header(*active_, lsn, kind, payload_bytes, payload_hash);
    active_->end += record_span(payload_bytes);
    ++stats_.records_appended;
    stats_.bytes_appended += payload_bytes;
    appended_lsn_.store(lsn, std::memory_order_release);
    return lsn;
  }

  void write_header(Segment& segment, Lsn lsn, RecordKind kind, std::uint64_t payload_bytes,
                    std::uint64_t payload_hash) {
    RecordHeader header;
    header.lsn = lsn;
    header.kind = kind;
    header.payload_bytes = static_cast<std::uint32_t>(payload_bytes);
    header.unsynced =
        static_cast<std::uint32_t>(std::min<Lsn>(lsn - 1 - synced_lsn(), RecordHeader::kUnsyncedUnknown));
    header.seal_with(segment.header.identity, payload_hash);
    header.encode(segment.map->bytes().data() + segment.end);
  }

  void write_seal(Segment& segment) { write_header(segment, next_lsn_, kSealKind, 0, hash_bytes({})); }

  Status rotate() {
    if (full_unsynced_.size() >= kFullUnsyncedMax) {
      sync_needed_.notify_one();
      return Error{ErrorKind::busy, {}};
    }
    if (!spare_) {
      if (spare_error_) return *spare_error_;
      return Error{ErrorKind::busy, {}};
    }
    activate(std::move(spare_));
    return {};
  }

  // Seals the active segment and puts `next` in its place.
  void activate(std::unique_ptr<Segment> next) {
    if (active_) {
      write_seal(*active_);
      full_.push_back(active_);
      full_unsynced_.push_back(std::move(active_));
      sync_needed_.notify_one();
    }
    active_ = std::move(next);
    active_->first_lsn = next_lsn_;
    prepare_needed_.notify_one();
  }

  // The last record cannot bear witness for itself; the seal and the note do, so damage is told from a torn
  // end. Where they cannot be written, the log is as good as after a kill.
  void leave_witnesses() {
    if (active_->end > kRecordsBegin) {
      write_seal(*active_);
      const std::uint64_t end = active_->end + RecordHeader::kEncodedBytes;
      if (!active_->map->sync(active_->synced_end, end - active_->synced_end)) return;
    }
    if (full_unsynced_.empty()) (void)segments_.note_closed(next_lsn_ - 1);
  }

  // A record that would fill much of a segment gets one of its own, made to measure by the prepare thread; it
  // is copied there without the lock, so that others append meanwhile.
  Result<Lsn> append_large(RecordKind kind, BytesView payload, std::uint64_t payload_hash) {
    if (payload.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Error{ErrorKind::unsupported,
                   fmt::format("a log record of {} bytes is too large", payload.size())};
    }
    const std::uint64_t needed_bytes = segment_bytes_for(payload.size());
    std::unique_lock lock{mutex_};
    if (failure_) return *failure_;
    if (full_unsynced_.size() >= kFullUnsyncedMax) return Error{ErrorKind::busy, {}};
    if (!large_ || large_->header.size_bytes < needed_bytes) {
      // A failure is told once, to whoever asks next; who asks after that starts a new attempt.
      if (large_error_) return *std::exchange(large_error_, {});
      large_wanted_bytes_ = std::max(large_wanted_bytes_, needed_bytes);
      prepare_needed_.notify_one();
      return Error{ErrorKind::busy, {}};
    }
    std::unique_ptr<Segment> segment = std::move(large_);
    lock.unlock();
    payload.copy(segment->map->bytes().data() + kRecordsBegin + RecordHeader::kEncodedBytes, payload.size());
    lock.lock();
    if (failure_) return *failure_;
    segment->prefaulted_end = segment->header.size_bytes;
    activate(std::move(segment));
    return publish(kind, payload.size(), payload_hash);
  }

  // Preparing

  void prepare_loop() {
    Lock lock{mutex_};
    while (!stopping_ && !failure_) {
      const bool spare_due = !spare_ && (!spare_error_ || SteadyClock::now() >= spare_retry_at_);
      if (prefault_wanted_) {
        prefault(lock);
      } else if (spare_due) {
        drop_unclaimed_large(lock);
        prepare_spare(lock);
      } else if (large_wanted_bytes_ > 0) {
        prepare_large(lock);
      } else if (!spare_) {
        prepare_needed_.wait_until(lock, spare_retry_at_);
      } else {
        prepare_needed_.wait(lock);
      }
    }
  }

  void prepare_spare(Lock& lock) {
    std::optional<std::string> reuse;
    if (!spare_files_.empty()) {
      reuse = std::move(spare_files_.front());
      spare_files_.pop_front();
    }
    lock.unlock();
    auto segment = segments_.prepare(segment_bytes_, reuse);
    if (segment) prefault_ahead(**segment);
    lock.lock();
    take_prepared(std::move(segment), spare_, spare_error_);
    spare_retry_at_ = SteadyClock::now() + kSpareRetryInterval;
  }

  void prepare_large(Lock& lock) {
    const std::uint64_t size_bytes = std::exchange(large_wanted_bytes_, 0);
    lock.unlock();
    auto segment = segments_.prepare(size_bytes, {});
    lock.lock();
    take_prepared(std::move(segment), large_, large_error_);
    large_since_ = SteadyClock::now();
  }

  // Without a new segment nothing is lost, so whatever kept us from making one (the disk is full, too many
  // files are open) is waited out. Only a failed sync is final, here as everywhere.
  void take_prepared(Result<std::unique_ptr<Segment>> prepared, std::unique_ptr<Segment>& into,
                     std::optional<Error>& error) {
    if (prepared) {
      into = std::move(*prepared);
      error.reset();
    } else if (prepared.error().kind == ErrorKind::stopped) {
      fail(prepared.error());
    } else {
      error = prepared.error();
    }
  }

  // Whoever asked for it has given up.
  void drop_unclaimed_large(Lock& lock) {
    if (!large_ || SteadyClock::now() < large_since_ + kLargeKeptInterval) return;
    const std::unique_ptr<Segment> dropped = std::exchange(large_, nullptr);
    lock.unlock();
    (void)segments_.remove(dropped->path);  // if it stays, the next start removes it
    lock.lock();
  }

  static void prefault_ahead(Segment& segment) {
    const std::uint64_t begin = std::max(segment.end, segment.prefaulted_end);
    const std::uint64_t end = std::min(segment.header.size_bytes, segment.end + kPrefaultBytes);
    if (begin < end) segment.map->prefault(begin, end - begin);
    segment.prefaulted_end = end;
  }

  void prefault(Lock& lock) {
    const std::shared_ptr<Segment> segment = active_;
    const std::shared_ptr<MappedFile> map = segment->map;
    const std::uint64_t begin = std::max(segment->end, segment->prefaulted_end);
    const std::uint64_t end = std::min(segment->header.size_bytes, segment->end + kPrefaultBytes);
    lock.unlock();
    if (begin < end) map->prefault(begin, end - begin);
    lock.lock();
    segment->prefaulted_end = std::max(segment->prefaulted_end, end);
    prefault_wanted_ = false;
  }

  // Syncing

  void sync_loop() {
    Lock lock{mutex_};
    auto next_tick = SteadyClock::now() + kSyncInterval;
    while (true) {
      if (failure_) {
        deliver_failure(lock);
        if (stopping_) return;
        sync_needed_.wait(lock);
        continue;
      }
      const bool tick = sync_mode_ != SyncMode::never && SteadyClock::now() >= next_tick;
      const bool behind = synced_lsn() < appended_lsn();
      if (!waiters_.empty() || !full_unsynced_.empty() || (behind && (tick || stopping_))) {
        next_tick = SteadyClock::now() + kSyncInterval;
        sync_all(lock);
      } else if (stopping_) {
        return;
      } else if (sync_mode_ == SyncMode::never) {
        sync_needed_.wait(lock);
      } else {
        if (tick) next_tick = SteadyClock::now() + kSyncInterval;
        sync_needed_.wait_until(lock, next_tick);
      }
    }
  }

  struct Stretch {
    std::shared_ptr<Segment> segment;
    std::shared_ptr<MappedFile> map;
    std::uint64_t begin;
    std::uint64_t end;
  };

  // Makes everything appended so far durable, then tells those who waited for it.
  void sync_all(Lock& lock) {
    const Lsn target = appended_lsn();
    std::vector<Stretch> stretches;
    for (const auto& segment : full_unsynced_) {
      stretches.push_back(
          {segment, segment->map, segment->synced_end, segment->end + RecordHeader::kEncodedBytes});
    }
    const std::size_t full_count = stretches.size();
    if (active_ && active_->end > active_->synced_end) {
      stretches.push_back({active_, active_->map, active_->synced_end, active_->end});
    }
    lock.unlock();

    const auto begun = SteadyClock::now();
    Status status;
    for (const Stretch& stretch : stretches) {
      status = stretch.map->sync(stretch.begin, stretch.end - stretch.begin);
      if (!status) break;
    }
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begun);

    lock.lock();
    if (!status) {
      fail(status.error());
      return;
    }
    ++stats_.syncs;
    stats_.sync_us_last = static_cast<std::uint64_t>(took.count());
    stats_.sync_us_max = std::max(stats_.sync_us_max, stats_.sync_us_last);
    for (const Stretch& stretch : stretches) stretch.segment->synced_end = stretch.end;
    for (std::size_t i = 0; i < full_count; ++i) {
      full_unsynced_.front()->map.reset();  // `stretches` unmaps, without the lock
      full_unsynced_.pop_front();
    }
    synced_lsn_.store(target, std::memory_order_release);
    const auto still_waiting = std::stable_partition(waiters_.begin(), waiters_.end(),
                                                     [&](const Waiter& w) { return w.lsn <= target; });
    std::vector<Waiter> served{std::make_move_iterator(waiters_.begin()),
                               std::make_move_iterator(still_waiting)};
    waiters_.erase(waiters_.begin(), still_waiting);
    lock.unlock();
    std::stable_sort(served.begin(), served.end(),
                     [](const Waiter& a, const Waiter& b) { return a.lsn < b.lsn; });
    for (Waiter& waiter : served) waiter.done({});
    stretches.clear();
    lock.lock();
  }

  void deliver_failure(Lock& lock) {
    std::vector<Waiter> refused = std::exchange(waiters_, {});
    const Error failure = *failure_;
    lock.unlock();
    std::stable_sort(refused.begin(), refused.end(),
                     [](const Waiter& a, const Waiter& b) { return a.lsn < b.lsn; });
    for (Waiter& waiter : refused) waiter.done(failure);
    refused.clear();
    lock.lock();
  }

  void fail(const Error& cause) {
    if (failure_) return;
    failure_ = Error{ErrorKind::stopped, "the log has stopped: " + cause.message};
    sync_needed_.notify_all();
    prepare_needed_.notify_all();
  }

  // Trimming

  // The records of the oldest segment are not needed, and a newer record is durable: without one, a crash
  // could leave a log that does not know its next lsn.
  bool may_drop_oldest(Lsn keep_from) const {
    const Segment& oldest = *full_.front();
    const Segment* const next = full_.size() > 1 ? full_[1].get() : active_.get();
    return !oldest.map && next && next->first_lsn <= keep_from && next->first_lsn <= synced_lsn();
  }

  // Without the lock.
  Status drop_file(const Segment& segment, std::size_t& room_for_spares, std::vector<std::string>& spares) {
    if (room_for_spares == 0 || segment.header.size_bytes != segment_bytes_)
      return segments_.remove(segment.path);
    auto spare = segments_.make_spare(segment.path);
    if (!spare) return spare.error();
    spares.push_back(std::move(*spare));
    --room_for_spares;
    return {};
  }

  const std::uint64_t segment_bytes_;
  SegmentFiles segments_;
  std::mutex trim_mutex_;  // held by trim(), taken before mutex_

  std::atomic<Lsn> appended_lsn_ = 0;  // written with mutex_ held
  std::atomic<Lsn> synced_lsn_ = 0;    // written with mutex_ held

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable sync_needed_;
  std::condition_variable prepare_needed_;
  bool stopping_ = false;
  std::optional<Error> failure_;  // set once, never cleared
  SyncMode sync_mode_;
  Lsn next_lsn_;
  std::shared_ptr<Segment> active_;                     // null while there never was room for one
  std::deque<std::shared_ptr<Segment>> full_;           // oldest first
  std::deque<std::shared_ptr<Segment>> full_unsynced_;  // the newest of full_
  std::unique_ptr<Segment> spare_;
  std::unique_ptr<Segment> large_;
  SteadyClock::time_point large_since_;
  std::uint64_t large_wanted_bytes_ = 0;
  std::optional<Error> large_error_;     // not told yet
  std::deque<std::string> spare_files_;  // durable under these names, of segment_bytes_ each
  std::optional<Error> spare_error_;     // of the last attempt to prepare a spare
  SteadyClock::time_point spare_retry_at_;
  bool prefault_wanted_ = false;
  std::vector<Waiter> waiters_;
  LogStats stats_;

  std::thread prepare_thread_;
  std::thread sync_thread_;
};

// Makes the recovered log durable and final, so that what a later recovery finds does not depend on what this
// one read from the page cache, nor on what the crash left behind the end.
Status settle(FileSystem& files, const RecoveredLog& log) {
  for (std::size_t i = 0; i < log.segments.size(); ++i) {
    const RecoveredSegment& segment = log.segments[i];
    const Lsn next_lsn = i + 1 < log.segments.size() ? log.segments[i + 1].first_lsn : log.next_lsn;
    if (next_lsn - 1 <= log.synced_lsn) continue;
    auto map = files.open_mapped(segment.path);
    if (!map) return map.error();
    // Not only synced: if a sync failed in the life before, its pages count as clean and would not be
    // written.
    const std::uint64_t length = segment.end - kRecordsBegin;
    (*map)->mark_written(kRecordsBegin, length);
    if (Status status = (*map)->sync(kRecordsBegin, length); !status) return status;
  }
  if (log.segments.empty()) return {};
  const RecoveredSegment& last = log.segments.back();
  if (last.sealed_at == log.next_lsn) return {};
  // Only now: the seal bears witness that everything before it is synced. It replaces the first bytes that
  // are not a whole record, and nothing behind it is ever read as part of the log.
  auto map = files.open_mapped(last.path);
  if (!map) return map.error();
  RecordHeader seal;
  seal.lsn = log.next_lsn;
  seal.kind = kSealKind;
  seal.unsynced = 0;
  seal.seal_with(last.header.identity, hash_bytes({}));
  seal.encode((*map)->bytes().data() + last.end);
  return (*map)->sync(last.end, RecordHeader::kEncodedBytes);
}

// Takes the files that hold nothing out of the log, and returns those that can be used again.
Result<std::vector<std::string>> clear_unused(FileSystem& files, const std::string& folder,
                                              std::uint64_t segment_bytes, RecoveredLog& log) {
  SegmentFiles segments{files, folder, log.next_number};
  std::vector<std::string> spares;
  const auto reusable = [&](const std::string& path) -> Result<bool> {
    if (spares.size() == kSparesMax) return false;
    auto file = files.open(path);
    if (!file) return file.error();
    const auto size_bytes = (*file)->size();
    if (!size_bytes) return size_bytes.error();
    return *size_bytes == segment_bytes;
  };
  for (const auto* paths : {&log.spares, &log.unused}) {
    for (const std::string& path : *paths) {
      const auto keep = reusable(path);
      if (!keep) return keep.error();
      if (!*keep) {
        if (Status status = files.remove(path); !status) return status.error();
      } else if (paths == &log.spares) {
        spares.push_back(path);
      } else {
        auto spare = segments.make_spare(path);
        if (!spare) return spare.error();
        spares.push_back(std::move(*spare));
      }
    }
  }
  log.next_number += log.unused.size();
  if (Status status = files.sync_folder(folder); !status) return status.error();
  return spares;
}

}  // namespace

Result<std::unique_ptr<Log>> open_log(FileSystem& files, const std::string& folder, const LogOptions& options,
                                      Lsn first_needed, const ReplayRecord& replay, LogRecovery& recovery) {
  recovery = {};
  if (Status status = files.create_folder(folder); !status) return status.error();
  // Read twice: what is replayed may be persisted by the engines at once, so it has to be durable before.
  const auto look_only = [](Lsn, RecordKind, BytesView) -> Status { return {}; };
  auto recovered = recover_log(files, folder, first_needed, look_only, recovery);
  if (!recovered) return recovered.error();
  if (Status status = settle(files, *recovered); !status) return status.error();
  LogRecovery replayed;
  const auto settled = recover_log(files, folder, first_needed, replay, replayed);
  if (!settled) return settled.error();
  assert(settled->next_lsn >= recovered->next_lsn && replayed.records == recovery.records);
  auto spares = clear_unused(files, folder, options.segment_bytes, *recovered);
  if (!spares) return spares.error();
  auto log = std::make_unique<SegmentLog>(files, folder, options, *recovered);
  if (Status status = log->start(std::move(*spares)); !status) return status.error();
  return std::unique_ptr<Log>{std::move(log)};
}

}  // namespace shale::engine
