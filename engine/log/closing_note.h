// A file beside the segments of a log that says up to which record the log was durable when it was last
// closed in good order.
//
// Segments tell a torn end from damage by records behind the one that is missing. Behind the newest records
// there are none, and a whole segment may be missing: then the note tells. What it says stays true, since
// records are only added; it need not be taken back when the log goes on. Bytes on disk: docs/formats.md.
#pragma once

#include <string>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/result.h"

namespace shale::engine {

std::string closing_note_path(const std::string& folder);
// Records up to `lsn` are durable. Waits for the disk; durable once it succeeds.
Status write_closing_note(FileSystem& files, const std::string& folder, Lsn lsn);
// 0 if the log has no note. Error{corruption} or Error{unsupported}, naming the file, if it is damaged or of
// another format; any error of the disk.
Result<Lsn> read_closing_note(FileSystem& files, const std::string& folder);

}  // namespace shale::engine
