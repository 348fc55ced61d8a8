// Reads a log's folder after a stop, a kill or a crash: finds the records, the end, and damage.
//
// Segments are ordered by what is in them: each continues with the lsn at which another ended. Where no
// record continues, the log ends, or is damaged. Which of the two is decided by the records that are found
// behind that place: if one of them bears witness that the missing record had been synced, the disk has lost
// or changed what it had confirmed, and that is damage. If none does, the machine died before the record was
// written, in which case the disk may well hold later ones; nobody was told that any of them was safe.
// Besides, the log must reach as far as its closing note says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/log/log.h"
#include "engine/log/segment_format.h"
#include "engine/result.h"

namespace shale::engine {

struct RecoveredSegment {
  std::string path;
  SegmentHeader header;
  Lsn first_lsn = 0;
  std::uint64_t end = kRecordsBegin;  // of its last whole record
  std::optional<Lsn> sealed_at;       // the seal's lsn, if there is a seal at `end`
};

struct RecoveredLog {
  std::vector<RecoveredSegment> segments;  // that hold the records, oldest first; the log ends in the last
  std::vector<std::string> unused;         // segments without a record that belongs to the log
  std::vector<std::string> spares;
  Lsn synced_lsn = 0;  // records up to here bear witness of having been synced
  Lsn next_lsn = 1;
  std::uint64_t next_number = 1;
};

// Reads only; changes nothing. Errors and arguments as open_log's.
Result<RecoveredLog> recover_log(FileSystem& files, const std::string& folder, Lsn first_needed,
                                 const ReplayRecord& replay, LogRecovery& recovery);

}  // namespace shale::engine
