// Checks the files of large values against what refers to them (docs/large-values.md).
//
// Which value of a key counts is not told by one table: a reference may be hidden behind a newer value, and
// its file gone. So the tables are gone through once for all references, and, only if a file is missing, a
// second time for what may stand above those; then comes the log, whose last word on a key is the newest.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "cluster/catalog.h"
#include "engine/io/file_system.h"
#include "engine/large/large_value_format.h"
#include "engine/lsm/verify.h"
#include "engine/verification.h"

namespace shale::cluster {

// Used by one thread, in the order of its functions. Waits for the disk.
class LargeValueVerifier {
 public:
  // `value_is_large`: as in StoreOptions.
  LargeValueVerifier(engine::FileSystem& files, std::string folder, bool (*value_is_large)(BytesView),
                     engine::Verification& verification)
      : files_(files),
        folder_(std::move(folder)),
        value_is_large_(value_is_large),
        verification_(verification) {}

  void see(const engine::lsm::VerifiedEntry& entry);
  // Reads every file, and checks every byte of it.
  void check_files();
  // Whether the tables have to be gone through again, with see_again().
  bool misses_files() const { return !missing_.empty(); }
  void see_again(const engine::lsm::VerifiedEntry& entry);
  void see_logged(BytesView position, BytesView value, bool erases);
  // Of a key of these databases, what has been found to be wrong.
  void report(Placement placement, const DatabaseIds& databases);

 private:
  // Level and run: of two entries of a key, the one with the smaller rank is the newer.
  using Rank = std::pair<std::uint32_t, std::uint64_t>;
  struct Referenced {
    engine::LargeValueReference reference;
    Rank rank;
  };
  struct Present {
    engine::LargeValueReference reference;
    Bytes key;
  };

  static Rank rank_of(const engine::lsm::VerifiedEntry& entry) {
    return {entry.level, UINT64_MAX - entry.run};
  }
  bool is_large(BytesView value) const;
  static engine::LargeValueReference reference_in(BytesView value);
  void check_file(const std::string& name, std::uint64_t id);
  bool is_there(BytesView position, const engine::LargeValueReference& reference) const;

  engine::FileSystem& files_;
  const std::string folder_;
  bool (*const value_is_large_)(BytesView);
  engine::Verification& verification_;
  std::map<Bytes, Referenced> in_tables_;                // the newest by position
  std::map<std::uint64_t, Present> present_;             // files by id, those that are sound
  std::set<std::uint64_t> damaged_;                      // those that are not, and have been named
  std::map<Bytes, Referenced> missing_;                  // of in_tables_, those without their file
  std::map<Bytes, engine::LargeValueReference> in_log_;  // by position
};

}  // namespace shale::cluster
