// Checks what LSM trees have stored, every byte of it, without opening the trees and without changing a file:
//
//   - the manifest, every edit
//   - that every table it names is there, and which files it does not name
//   - every block of every table: checksum, structure, order of the keys; that index and filter find every
//     key; that the properties say what the blocks hold
//   - every record of every value file, and that each reference from a table leads to one of its key and
//   length
//   - that the slices lie within their tables and count what is in them and refer to, and that the slices of
//   a run are in
//     order and disjoint
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/verification.h"

namespace shale::engine::lsm {

// As KeyPolicy::count_class. Empty if nobody knows: then keys are not counted.
using CountClassOf = std::function<std::uint32_t(BytesView key)>;

// An entry of a table that its slices hold, and where it stands: of entries with the same key, the one on the
// lower level is the newer, and on one level the one with the higher run.
struct VerifiedEntry {
  BytesView key;
  BytesView value;  // how it begins, if it lies in a value file
  bool is_tombstone;
  std::uint32_t level;
  std::uint64_t run;
};
using EntryVisitor = std::function<void(const VerifiedEntry& entry)>;

// Checks `folder`, which nobody may be writing to. Waits for the disk, and long: it reads everything. Returns
// up to which log record each tree is persisted, as far as the manifest could be read. `visit`, if there is
// one, is shown all entries that could be read, table by table.
std::map<std::uint32_t, Lsn> verify_trees(FileSystem& files, const std::string& folder,
                                          const CountClassOf& class_of, Verification& verification,
                                          const EntryVisitor& visit = {});

}  // namespace shale::engine::lsm
