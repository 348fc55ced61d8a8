// One tree becomes two, or two become one, without a copy of the data: what both engines can do, each in its
// way (engine/lsm/tree_change.h, engine/btree/tree_change.h).
//
// The old trees serve until hand_over(), which takes microseconds to milliseconds; their background work has
// stopped (Engine::stop_work). The new ones are durable by then, beside the old: whoever knows which trees
// count decides with one atomic write, between make() and hand_over(), and forgets the others
// (TreeStore::drop_tree).
//
// Used by one thread, in the order of their functions. Destroyed without hand_over(), they forget what has
// been made, and wait for the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "engine/engine.h"
#include "engine/result.h"

namespace shale::engine {

// Where a new tree goes: a number that no tree has had, and the mutex under which it will be used.
struct TreePlace {
  std::uint32_t id = 0;
  std::mutex& owner;
};

// The new trees have the parent's keys below a cut, and from there on.
class TreeCut {
 public:
  TreeCut() = default;
  virtual ~TreeCut() = default;
  TreeCut(const TreeCut&) = delete;
  TreeCut& operator=(const TreeCut&) = delete;

  // Makes the new trees, durably, of what the parent has on disk. Waits for the disk, and takes the parent's
  // owner's mutex now and then. Errors: io, no_space, corruption (of what the cut goes through), unsupported.
  virtual Status make(TreePlace low, TreePlace high) = 0;
  // Looks at what the parent has in memory, so that little is left for hand_over(). As make(), but does not
  // fail. May be called again.
  virtual void prepare() = 0;
  // What the parent has in memory becomes the new trees'. With the owners' mutexes of all three; the parent
  // is of no further use then, but for readers that hold what it has given them.
  virtual void hand_over() = 0;
  // The new trees are forgotten neither by this nor by anyone before the next start: nobody knows whether
  // they count. With no mutex.
  virtual void keep() = 0;

  virtual std::shared_ptr<Engine> low() const = 0;
  virtual std::shared_ptr<Engine> high() const = 0;
};

// No key is in both of the old trees.
class TreeUnion {
 public:
  TreeUnion() = default;
  virtual ~TreeUnion() = default;
  TreeUnion(const TreeUnion&) = delete;
  TreeUnion& operator=(const TreeUnion&) = delete;

  // As TreeCut's.
  virtual Status make(TreePlace whole) = 0;
  virtual void hand_over() = 0;
  virtual void keep() = 0;

  virtual std::shared_ptr<Engine> whole() const = 0;
};

}  // namespace shale::engine
