// What trees have on disk at a moment: which tables, and up to which record of the log they hold all. Their
// files, and the value files that these refer to, stay for as long as the snapshot does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/io/file_system.h"
#include "engine/lsm/version.h"
#include "engine/result.h"

namespace shale::engine::lsm {

struct TreeSnapshot {
  Lsn persisted_lsn = 0;
  std::shared_ptr<const Version> version;
};

using TreeSnapshots = std::map<std::uint32_t, TreeSnapshot>;  // by tree

// Makes a folder that holds these trees, for TreeStore::open: `place` puts each of their files, which is
// called `name` in the trees' own folder, into it; the manifest is made anew. Durable when it returns, if
// what `place` does is but for the name. Waits for the disk. Errors: io, no_space, and those of `place`.
Status write_snapshot(FileSystem& files, const TreeSnapshots& trees, const std::string& folder,
                      const std::function<Status(const std::string& name)>& place);

}  // namespace shale::engine::lsm
