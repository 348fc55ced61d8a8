// Checks what B+ trees have stored, every page of it, without opening the trees and without changing a file:
//
//   - both superblocks and the directory
//   - every page: checksum, place, structure, order of the keys; that no two overlap
//   - that every key is where the index would look for it, and that a base holds only values
//   - that the keys counted are those that are there, of every tree, and below every inner node
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/verification.h"

namespace shale::engine::btree {

// As KeyPolicy::count_class.
using CountClassOf = std::function<std::uint32_t(BytesView key)>;

using RecordVisitor = std::function<void(BytesView key, BytesView value)>;

// Checks `folder`, which nobody may be writing to. Waits for the disk, and long: it reads everything. Returns
// up to which log record each tree is persisted, as far as the directory could be read. `trees`: those that
// count, if that is known; others share pages with them, or refer to what has been written over, and are not
// looked at. `visit`, if there is one, is shown every live record of leaves that could be read.
std::map<std::uint32_t, Lsn> verify_trees(FileSystem& files, const std::string& folder,
                                          const CountClassOf& class_of, Verification& verification,
                                          const RecordVisitor& visit = {},
                                          const std::optional<std::set<std::uint32_t>>& trees = {});

}  // namespace shale::engine::btree
