// How much of a tree's value files is alive, and which files are to be emptied.
//
// A value file is a mixture of what tables refer to and of garbage, and only goes as a whole. When the
// garbage of all files together passes 15 % of their bytes, enough of them are named victims, emptiest
// and oldest first, that without them it is well below. Compaction then writes what is left of the victims to
// new files.
//
// Victims are chosen together and stay until they are gone: keys of one flush lie all over the tree, so
// emptying a single file costs a rewrite of many tables, and emptying a hundred costs the same.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "engine/lsm/version.h"

namespace shale::engine::lsm {

class ValueCensus {
 public:
  struct FileCount {
    std::uint64_t live_records = 0;  // that tables refer to
    std::uint64_t live_bytes = 0;
    std::uint64_t total_bytes =
        0;              // of all records but other trees' live ones; live_bytes if the file has to stay
    ValueFileRef file;  // null: unknown
    bool is_movable = true;
  };
  // What a flush or a compaction changes. Made without the tree's lock: a table may refer to many files.
  class Change {
   public:
    void add(const LiveTable& slice) { count(slice, 1); }
    void remove(const LiveTable& slice) { count(slice, -1); }

   private:
    friend class ValueCensus;
    struct FileChange {
      std::int64_t records = 0;
      std::int64_t bytes = 0;
      ValueFileRef file;
      bool is_readable = true;
    };
    void count(const LiveTable& slice, std::int64_t sign);

    std::map<std::uint64_t, FileChange> files_;  // by number
  };

  void apply(const Change& change);
  // Since a split, trees may have live values in the same files: what of a file is garbage, or another's,
  // changes without this tree's doing. To be called now and then.
  void refresh();
  // The tree's values are others' now.
  void leave();
  // Some values of these files cannot be read: they stay where they are, and so do the files. Their garbage
  // is counted no longer.
  void exclude(const std::set<std::uint64_t>& files);

  std::size_t file_count() const { return files_.size(); }
  std::uint64_t total_bytes() const { return total_bytes_; }
  std::uint64_t live_bytes() const { return live_bytes_; }
  std::uint64_t garbage_bytes() const { return total_bytes_ - live_bytes_; }
  // Garbage against how much of it among `bytes` makes victims, 15 %.
  double fill_within(std::uint64_t bytes) const;
  // By number, ascending.
  const std::vector<std::uint64_t>& victims() const { return victims_; }
  std::uint64_t victim_garbage_bytes() const;
  std::uint64_t victim_live_bytes() const;

 private:
  void choose_victims();
  static std::uint64_t total_bytes_of(const FileCount& file);
  // The sums without and with this file.
  void take_out(const FileCount& file);
  void put_in(const FileCount& file);

  std::map<std::uint64_t, FileCount> files_;  // by number, all that tables refer to
  std::vector<std::uint64_t> victims_;
  std::uint64_t total_bytes_ = 0;  // of files_
  std::uint64_t live_bytes_ = 0;
};

// How many bytes the slices's entries refer to in files of `victims`, which are in ascending order.
std::uint64_t victim_bytes(const std::vector<ValueFileUse>& uses, const std::vector<std::uint64_t>& victims);

}  // namespace shale::engine::lsm
