// Write-ahead log: makes a batch durable before anyone is told that it is done.
// One log for all shards, so that one fdatasync covers everyone who waits for it, and a record that touches
// several shards survives a crash whole or not at all.
//
//   I1  A record is acknowledged only after append() has returned; under SyncMode::always only after
//       when_synced() has reported success for it.
//   I2  Sequence numbers (Lsn) grow by one per record, without gaps.
//   I3  Replay ends at the first record that is not whole; what follows it is never read, and never mistaken
//       for a later record, because checksums cover the sequence number and the segment's own identity.
//   I4  After a failed sync no record is acknowledged again until the process has been restarted.
//
// What its owner has to keep: nothing that follows from a record is made durable elsewhere before the record
// is synced (when_synced), or a crash may leave half of a record that touches several shards; and records
// that were given to trim() are not needed by a later open_log().
//
// Segments are preallocated files mapped into memory: an append is a copy under a short lock and makes no
// system call but a wake-up now and then; the kernel keeps the bytes if the process dies, and a background
// thread syncs them. Full segments whose records every engine has persisted are renamed and used again.
// Bytes on disk: docs/formats.md. Design: docs/log.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/result.h"

namespace shale::engine {

enum class SyncMode : std::uint8_t { always, every_second, never };

struct LogOptions {
  std::uint64_t segment_bytes = 64u << 20;
  SyncMode sync_mode = SyncMode::every_second;
};

// Kinds are the owner's: the log stores the number and gives it back. 0 is reserved.
using RecordKind = std::uint8_t;

struct LogStats {
  std::uint64_t records_appended = 0;  // since open
  std::uint64_t bytes_appended = 0;
  std::uint64_t syncs = 0;
  std::uint64_t sync_us_last = 0;
  std::uint64_t sync_us_max = 0;
  std::uint64_t segments = 0;    // files now, spares included
  std::uint64_t bytes_kept = 0;  // from the oldest record that is kept to the newest
};

struct LogRecovery {  // what replay found, for the start-up line
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t torn_bytes = 0;  // after the last whole record, cut
  std::string torn_file;         // where; empty if the end was clean
  std::string unreadable_note;   // why the closing note (closing_note.h) could not be heeded; else empty
};

// Where the log's records are at one moment: for copying them (log_copy.h).
struct LogCut {
  struct Part {
    std::string path;  // of a segment
    std::uint64_t number = 0;
    std::uint64_t identity = 0;
    Lsn first_lsn = 0;
    std::uint64_t end = 0;  // of its last record
  };
  std::vector<Part> parts;  // oldest first; those before `end` do not change until they are trimmed
  Lsn lsn = 0;              // of the newest record; 0 if there is none
};

class Log {
 public:
  // Stops the threads after a last sync (unless syncing has failed), which calls whoever still waits in
  // when_synced(): those callbacks must not use the log.
  virtual ~Log() = default;

  // Appends one record. Thread-safe; copies under a short lock and does not wait for a disk. Returns the
  // record's Lsn. Errors: busy (the next segment is being prepared, or the disk is behind by two segments;
  // try again in a millisecond), no_space and io (the next segment could not be made; nothing is lost, and
  // the log goes on as soon as it can be), stopped. A record larger than a quarter of a segment gets a
  // segment of its own: the first attempt is busy. A record of 4 GiB or more is unsupported.
  virtual Result<Lsn> append(RecordKind kind, BytesView payload) = 0;

  virtual Lsn appended_lsn() const = 0;  // of the newest record; 0 if there is none. Thread-safe, cheap.
  virtual Lsn synced_lsn()
      const = 0;  // all records up to here would survive the machine. Thread-safe, cheap.

  // Calls `done(status)` once, from the sync thread (or at once, from here, if it is so already), when
  // synced_lsn() covers `lsn` (which has been appended) or syncing has failed. In every mode this makes the
  // sync happen soon. One sync covers all who wait when it starts; they are called in the order of their
  // records. `done` must be short.
  virtual void when_synced(Lsn lsn, std::function<void(Status)> done) = 0;
  virtual void set_sync_mode(SyncMode mode) = 0;
  virtual SyncMode sync_mode() const = 0;

  // Whether trim(keep_from) would free at least one segment. Cheap, thread-safe: asked several times a
  // second.
  virtual bool can_trim(Lsn keep_from) const = 0;
  // Forgets records before `keep_from`, where whole segments can be reused. Waits for disks: background
  // threads only.
  virtual Status trim(Lsn keep_from) = 0;

  // The records from `keep_from` on, up to the newest, and what lies before them in the same segment.
  // Thread-safe; does not wait for a disk.
  virtual LogCut cut(Lsn keep_from) const = 0;

  // Success, or the error that stopped the log for good.
  virtual Status health() const = 0;
  virtual LogStats stats() const = 0;
};

// Called for each record in order during open(). An error ends the opening.
using ReplayRecord = std::function<Status(Lsn lsn, RecordKind kind, BytesView payload)>;

// Opens (or creates) the log in `folder` and replays it. `first_needed` is the oldest record anyone still
// needs: older ones are skipped, and a log that begins after it is an Error{corruption} (records are
// missing). A log that ends before `first_needed` goes on there.
//
// A record that is not whole is the torn end, unless a whole record behind it tells that it had been synced:
// then it was damaged, which is an Error{corruption} that names file and offset, never skipped. (That whole
// records follow is no sign of damage: the kernel writes unsynced pages in any order.) What the last sync
// before a kill or crash covered has no such witness; an orderly close leaves two, the seal behind the last
// record and the closing note: records up to where the log was closed cannot be missing unnoticed.
//
// Whatever was replayed is durable when this returns. A disk that is full does not keep the log from opening.
Result<std::unique_ptr<Log>> open_log(FileSystem& files, const std::string& folder, const LogOptions& options,
                                      Lsn first_needed, const ReplayRecord& replay, LogRecovery& recovery);

}  // namespace shale::engine
