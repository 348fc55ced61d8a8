// One LSM tree becomes two, or two become one, without a copy of the data: the new trees share the old ones'
// table files, each within its own keys, until compaction separates them; and parts of their memtables, until
// these are flushed.
//
// The old trees serve until hand_over(), which takes microseconds; their background work has stopped
// (Engine::stop_work). The new ones are durable by then, beside the old: whoever knows which trees count
// decides with one atomic write, and forgets the others (TreeStore::drop_tree). docs/sharding.md, "How an LSM
// tree is cut".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/bytes.h"
#include "engine/engine.h"
#include "engine/lsm/tree.h"
#include "engine/result.h"

namespace shale::engine::lsm {

class TreeStore;

// Where a new tree goes: a number that no tree has had, and the mutex under which it will be used.
struct TreePlace {
  std::uint32_t id = 0;
  std::mutex& owner;
};

// Used by one thread, in the order of its functions.
class TreeCut {
 public:
  // `parent` is of `store`. The new trees have its keys below `cut`, and from there on.
  TreeCut(TreeStore& store, Engine& parent, Bytes cut);
  ~TreeCut();  // without hand_over(), what has been made is forgotten: waits for the disk
  TreeCut(const TreeCut&) = delete;
  TreeCut& operator=(const TreeCut&) = delete;

  // Makes the new trees, durably, of the parent's tables. Waits for the disk: of every table that the cut
  // goes through the smaller part is read, to know how many keys are on either side. Errors: io, no_space.
  Status make(TreePlace low, TreePlace high);
  // Looks through what the parent has in memory, in several goes, so that little is left for hand_over().
  // Takes its owner's mutex now and then.
  void divide_memtables();
  // The parent's memtables become the new trees'. With the owners' mutexes of all three; the parent is of no
  // further use then, but for readers that hold what it has given them.
  void hand_over();
  // They are forgotten neither by this nor by anyone before the next start: nobody knows whether they count.
  void keep() { handed_over_ = true; }

  const std::shared_ptr<Tree>& low() const { return low_; }
  const std::shared_ptr<Tree>& high() const { return high_; }

 private:
  struct Halves {
    LoggedMemtable::Part low;
    LoggedMemtable::Part high;
  };
  Halves divide(const LoggedMemtable& memtable) const;
  const Halves& halves_of(const std::shared_ptr<LoggedMemtable>& memtable);

  TreeStore& store_;
  Tree& parent_;
  const Bytes cut_;
  std::shared_ptr<Tree> low_;
  std::shared_ptr<Tree> high_;
  std::map<std::shared_ptr<LoggedMemtable>, Halves> divided_;
  bool handed_over_ = false;
};

class TreeUnion {
 public:
  // No key is in both.
  TreeUnion(TreeStore& store, Engine& left, Engine& right);
  ~TreeUnion();  // as TreeCut's
  TreeUnion(const TreeUnion&) = delete;
  TreeUnion& operator=(const TreeUnion&) = delete;

  // Makes the new tree, durably, of the tables of both. Waits for the disk. Errors: io, no_space.
  Status make(TreePlace whole);
  // The memtables of both become the new tree's. With the owners' mutexes of all three; then as TreeCut's.
  void hand_over();
  void keep() { handed_over_ = true; }  // as TreeCut's

  const std::shared_ptr<Tree>& whole() const { return whole_; }

 private:
  TreeStore& store_;
  Tree& left_;
  Tree& right_;
  std::shared_ptr<Tree> whole_;
  bool handed_over_ = false;
};

}  // namespace shale::engine::lsm
