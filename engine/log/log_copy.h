// Copies the end of a running log: a log that open_log() takes for one that was closed in order at that
// moment.
//
// Segments are copied, not linked: they are used again when nobody needs their records any more, in the log's
// folder and in the copy's alike.
#pragma once

#include <string>

#include "engine/io/paced_copy.h"
#include "engine/log/log.h"
#include "engine/result.h"

namespace shale::engine {

std::uint64_t bytes_of(const LogCut& cut);

// Makes segments in `folder`, which is there and empty, of what `cut` has. Durable when it returns. The
// records must not be trimmed meanwhile. Waits for the disk. Errors: as PacedCopy.
Status copy_log(PacedCopy& copy, const LogCut& cut, const std::string& folder);

}  // namespace shale::engine
