// LSM trees are cut and joined by sharing table files: the new trees have the old ones', each within its own
// keys, until compaction separates them; and parts of their memtables, until these are flushed.
// docs/sharding.md, "How an LSM tree is cut".
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "engine/bytes.h"
#include "engine/lsm/tree.h"
#include "engine/tree_change.h"

namespace shale::engine::lsm {

class TreeStore;

class TreeCut final : public engine::TreeCut {
 public:
  // `parent` is of `store`.
  TreeCut(TreeStore& store, Engine& parent, Bytes cut);
  ~TreeCut() override;

  // Of every table that the cut goes through the smaller part is read, to know how many keys are on either
  // side.
  Status make(TreePlace low, TreePlace high) override;
  // Looks through the memtables, in several goes.
  void prepare() override;
  void hand_over() override;
  void keep() override { handed_over_ = true; }

  std::shared_ptr<Engine> low() const override { return low_; }
  std::shared_ptr<Engine> high() const override { return high_; }

  // About which part of a tree's data lies below `cut`, by its tables, or by its memtable if that has more.
  // With the owner's mutex; microseconds. Nothing if that is no LSM tree.
  static std::optional<double> part_below(const Engine& tree, BytesView cut);

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

class TreeUnion final : public engine::TreeUnion {
 public:
  TreeUnion(TreeStore& store, Engine& left, Engine& right);
  ~TreeUnion() override;

  Status make(TreePlace whole) override;
  void hand_over() override;
  void keep() override { handed_over_ = true; }

  std::shared_ptr<Engine> whole() const override { return whole_; }

 private:
  TreeStore& store_;
  Tree& left_;
  Tree& right_;
  std::shared_ptr<Tree> whole_;
  bool handed_over_ = false;
};

}  // namespace shale::engine::lsm
