#include "engine/log/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "engine/log/closing_note.h"
#include "engine/log/segment_reader.h"

namespace shale::engine {
namespace {

struct Found {
  SegmentReader reader;
  std::optional<Lsn> first_lsn;  // of its first record, if that is whole
  bool visited = false;
};

// What lies behind the end of the log.
struct Trace {
  bool any = false;             // a whole record
  std::uint64_t bytes_end = 0;  // of the last one
  std::string witness;          // that the missing record had been synced; empty if there is none
};

class Recovery {
 public:
  Recovery(FileSystem& files, const std::string& folder, Lsn first_needed, const ReplayRecord& replay,
           LogRecovery& report)
      : files_(files), folder_(folder), first_needed_(first_needed), replay_(replay), report_(report) {}

  Result<RecoveredLog> run() {
    if (Status status = find_segments(); !status) return status.error();
    const auto start = find_start();
    if (!start) return start.error();
    if (*start) {
      if (Status status = follow(*start); !status) return status.error();
    } else {
      log_.next_lsn = std::max<Lsn>(first_needed_, 1);
    }
    if (Status status = check_end(); !status) return status.error();
    if (Status status = check_closing_note(); !status) return status.error();
    log_.next_lsn = std::max(log_.next_lsn, first_needed_);
    for (const Found& found : found_) {
      if (!found.visited) log_.unused.push_back(found.reader.path());
    }
    report_.segments = log_.segments.size();
    return std::move(log_);
  }

 private:
  Status find_segments() {
    const auto names = files_.list(folder_);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      const std::string path = folder_ + "/" + name;
      if (const auto spare = spare_number(name)) {
        log_.next_number = std::max(log_.next_number, *spare + 1);
        log_.spares.push_back(path);
      }
      const auto number = segment_number(name);
      if (!number) continue;
      log_.next_number = std::max(log_.next_number, *number + 1);
      auto reader = SegmentReader::open(files_, path, *number);
      if (!reader) return reader.error();
      const auto first = reader->record_at(kRecordsBegin);
      if (!first) return first.error();
      found_.push_back({std::move(*reader), {}, false});
      if (*first) found_.back().first_lsn = (*first)->header.lsn;
    }
    if (found_.empty() && first_needed_ > 1) {
      return corruption(
          fmt::format("{}: there is no log, but its records from {} on are needed", folder_, first_needed_));
    }
    return {};
  }

  // The newest segment that begins at or before the first record needed. What is older may be there or not:
  // trimming does not promise to remove in order.
  Result<Found*> find_start() {
    Found* start = nullptr;
    const Found* oldest = nullptr;
    for (Found& found : found_) {
      if (!found.first_lsn) continue;
      if (!oldest || *found.first_lsn < *oldest->first_lsn) oldest = &found;
      if (*found.first_lsn <= first_needed_ && (!start || *found.first_lsn > *start->first_lsn))
        start = &found;
    }
    if (!start && oldest) {
      const auto promised = first_needed_was_synced();
      if (!promised) return promised.error();
      // A crash may have kept a later segment and nothing of an earlier one, none of it synced: the log is
      // empty.
      if (!*promised) return start;
      if (Status status = explain_late_start(*oldest); !status) return status.error();
      return corruption(fmt::format("{}: the log begins with record {}, but records from {} on are needed",
                                    oldest->reader.path(), *oldest->first_lsn, first_needed_));
    }
    return start;
  }

  // Whether any record bears witness that the first record needed had been synced.
  Result<bool> first_needed_was_synced() {
    log_.next_lsn = std::max<Lsn>(first_needed_, 1);
    for (Found& found : found_) {
      const auto trace = search(found.reader, kRecordsBegin);
      if (!trace) return trace.error();
      if (!trace->witness.empty()) return true;
    }
    return false;
  }

  // Names the segment whose first record is damaged, if that is why the log seems to begin with `oldest`.
  Status explain_late_start(const Found& oldest) {
    for (Found& found : found_) {
      if (found.first_lsn) continue;
      for (std::uint64_t offset = kRecordsBegin;; offset += 8) {
        const auto place = found.reader.find_lsn(offset, 1, *oldest.first_lsn - 1);
        if (!place) return place.error();
        if (!*place) break;
        offset = **place;
        const auto record = found.reader.record_at(offset);
        if (!record) return record.error();
        if (!*record) continue;
        return corruption(
            fmt::format("{} at offset {}: the record is damaged; record {} follows at offset {}, and "
                        "records from {} on are needed",
                        found.reader.path(), kRecordsBegin, (*record)->header.lsn, offset, first_needed_));
      }
    }
    return {};
  }

  // Replays from `segment` on, through all that continue it.
  Status follow(Found* segment) {
    log_.next_lsn = *segment->first_lsn;
    while (segment) {
      if (Status status = replay_segment(*segment); !status) return status;
      segment = find_unvisited(log_.next_lsn);
    }
    return {};
  }

  Found* find_unvisited(Lsn first_lsn) {
    for (Found& found : found_) {
      if (!found.visited && found.first_lsn == first_lsn) return &found;
    }
    return nullptr;
  }

  Status replay_segment(Found& found) {
    found.visited = true;
    RecoveredSegment segment{found.reader.path(), found.reader.header(), *found.first_lsn, kRecordsBegin, {}};
    while (true) {
      const auto record = found.reader.record_at(segment.end);
      if (!record) return record.error();
      if (!*record) break;
      const RecordHeader& header = (*record)->header;
      if (header.lsn >= log_.next_lsn) log_.synced_lsn = std::max(log_.synced_lsn, header.synced_before());
      if (header.kind == kSealKind && header.lsn >= log_.next_lsn) {
        segment.sealed_at = log_.next_lsn = header.lsn;
        break;
      }
      if (header.kind == kSealKind || header.lsn != log_.next_lsn) break;
      if (header.lsn >= first_needed_) {
        if (Status status = replay_(header.lsn, header.kind, (*record)->payload); !status) return status;
        ++report_.records;
        report_.bytes += (*record)->payload.size();
      }
      ++log_.next_lsn;
      segment.end = (*record)->end;
    }
    log_.segments.push_back(std::move(segment));
    return {};
  }

  // Decides between the end of the log and damage (see the header's comment).
  Status check_end() {
    const RecoveredSegment* const last = log_.segments.empty() ? nullptr : &log_.segments.back();
    const bool open_end = last && !last->sealed_at;
    const Found* suspect = nullptr;  // where the missing record should be, if not at the open end
    std::string witness;
    for (Found& found : found_) {
      const bool holds_end = last && found.reader.path() == last->path;
      if (found.visited && !(holds_end && open_end)) continue;
      const auto trace = search(found.reader, holds_end ? last->end : kRecordsBegin);
      if (!trace) return trace.error();
      if (holds_end) report_torn_end(found.reader, *last, *trace);
      if (!holds_end && !found.first_lsn) {
        const auto header = found.reader.header_at(kRecordsBegin);
        if (!header) return header.error();
        if (trace->any || (*header && (*header)->lsn == log_.next_lsn)) suspect = &found;
      }
      if (!trace->witness.empty()) witness = trace->witness;
    }
    if (witness.empty()) return {};
    if (open_end) {
      return corruption(fmt::format("{} at offset {}: record {} is damaged; {}", last->path, last->end,
                                    log_.next_lsn, witness));
    }
    if (suspect) {
      return corruption(fmt::format("{} at offset {}: record {} is damaged; {}", suspect->reader.path(),
                                    kRecordsBegin, log_.next_lsn, witness));
    }
    return corruption(fmt::format("{}: records from {} on are missing{}; {}", folder_, log_.next_lsn,
                                  last ? " after " + last->path : "", witness));
  }

  // A note that cannot be read harms nobody; it is reported.
  Status check_closing_note() {
    const auto closed_behind = read_closing_note(files_, folder_);
    if (!closed_behind) {
      report_.unreadable_note = closed_behind.error().message;
      return {};
    }
    if (*closed_behind < log_.next_lsn || *closed_behind < first_needed_) return {};
    return corruption(fmt::format("{}: records from {} on are missing{}; {} says that the log reached to {}",
                                  folder_, log_.next_lsn,
                                  log_.segments.empty() ? "" : " after " + log_.segments.back().path,
                                  closing_note_path(folder_), *closed_behind));
  }

  // Looks for whole records at or after the end of the log, at every place where one may start.
  Result<Trace> search(SegmentReader& reader, std::uint64_t offset) {
    Trace trace;
    for (;; offset += 8) {
      const auto place = reader.find_lsn(offset, log_.next_lsn, log_.next_lsn + kLsnsAheadMax);
      if (!place) return place.error();
      if (!*place) return trace;
      offset = **place;
      const auto record = reader.record_at(offset);
      if (!record) return record.error();
      if (!*record) continue;
      trace.any = true;
      trace.bytes_end = (*record)->end;
      if (trace.witness.empty() && (*record)->header.synced_before() >= log_.next_lsn) {
        trace.witness = fmt::format("record {} in {} at offset {} says that it had been synced",
                                    (*record)->header.lsn, reader.path(), offset);
      }
    }
  }

  void report_torn_end(SegmentReader& reader, const RecoveredSegment& last, const Trace& trace) {
    std::uint64_t torn_end = trace.bytes_end;
    const auto header = reader.header_at(last.end);
    if (header && *header && (*header)->lsn == log_.next_lsn) {
      const std::uint64_t claimed_end = last.end + record_span((*header)->payload_bytes);
      if (claimed_end <= last.header.size_bytes) torn_end = std::max(torn_end, claimed_end);
    }
    if (torn_end <= last.end) return;
    report_.torn_bytes = torn_end - last.end;
    report_.torn_file = last.path;
  }

  // More records than the segments that may be unsynced at one time can hold.
  static constexpr Lsn kLsnsAheadMax = Lsn{1} << 32;

  FileSystem& files_;
  const std::string& folder_;
  const Lsn first_needed_;
  const ReplayRecord& replay_;
  LogRecovery& report_;
  std::vector<Found> found_;
  RecoveredLog log_;
};

}  // namespace

Result<RecoveredLog> recover_log(FileSystem& files, const std::string& folder, Lsn first_needed,
                                 const ReplayRecord& replay, LogRecovery& recovery) {
  return Recovery{files, folder, first_needed, replay, recovery}.run();
}

}  // namespace shale::engine
