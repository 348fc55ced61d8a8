// B+ trees are cut and joined by handing over whole subtrees, on disk and in memory: docs/btree.md, "Cutting
// and joining trees".
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/btree/inner_page.h"
#include "engine/btree/page_writer.h"
#include "engine/btree/tree.h"
#include "engine/bytes.h"
#include "engine/tree_change.h"

namespace shale::engine::btree {

class TreeCut final : public engine::TreeCut {
 public:
  // `parent` is of `store`.
  TreeCut(TreeStore& store, Engine& parent, Bytes cut);
  ~TreeCut() override;

  // Reads and writes the pages on the way to the cut.
  Status make(TreePlace low, TreePlace high) override;
  // Looks at all leaves of the smaller side, and at what the pool has.
  void prepare() override;
  void hand_over() override;
  void keep() override;

  std::shared_ptr<Engine> low() const override { return low_.tree; }
  std::shared_ptr<Engine> high() const override { return high_.tree; }

  // About which part of a tree's data lies below `cut`: subtrees of one level are taken to be of one size.
  // With the owner's mutex; microseconds. Nothing if that is no B+ tree.
  static std::optional<double> part_below(const Engine& tree, BytesView cut);

 private:
  // --- On disk
  struct Side {
    std::shared_ptr<Tree> tree;
    std::vector<PageAddress> written;  // pages that only this tree has
    std::uint32_t id = 0;              // of the tree
    TreeState state;
  };
  struct HalvesOnDisk {  // nothing: the side has no key there
    std::optional<InnerPage::Child> low;
    std::optional<InnerPage::Child> high;
  };
  Result<HalvesOnDisk> cut_inner(const PageAddress& address);
  Result<HalvesOnDisk> cut_leaf(const InnerPage::Child& leaf);
  Result<std::optional<InnerPage::Child>> write(const InnerPage& page, Side& side);
  Result<std::optional<InnerPage::Child>> write(const RecordList& records, Side& side);
  Status commit(TreePlace low, TreePlace high);
  Status hold_leaf();
  void forget();

  // --- In memory
  struct Halves {  // at most one each, but of leaves
    std::vector<InnerNode::Child> low;
    std::vector<InnerNode::Child> high;
  };
  bool low_is_smaller() const;
  void begin_part();
  bool count_some(std::size_t leaves_max);
  bool prepare_some(std::size_t leaves_max);
  void give_up_part();
  Halves cut_inner(InnerNode& node, std::vector<PageAddress>& pages);
  Halves cut_leaf(Leaf& leaf, std::vector<PageAddress>& pages);
  std::vector<InnerNode::Child> build(std::span<const Record> records);
  InnerNode::Ref root_of(std::vector<InnerNode::Child> top, const Side& side);
  void divide_totals(Tree& smaller, Tree& larger);
  void hand_on_state(Side& side);

  TreeStore& store_;
  Tree& parent_;
  const Bytes cut_;
  std::unique_ptr<PageWriter> writer_;
  Side low_;
  Side high_;
  // The parent's leaf that the cut goes through: what keeps it in memory.
  std::shared_ptr<LeafLoad> held_load_;
  std::vector<PageImage::Ref> held_images_;
  std::optional<TreePart> part_;  // the smaller side
  Bytes counted_to_;              // its leaves up to there are in part_
  bool is_prepared_ = false;
  bool is_synced_ = false;
  bool is_committed_ = false;
  bool is_settled_ = false;  // handed over, or kept
};

class TreeUnion final : public engine::TreeUnion {
 public:
  // All keys of `low` are below `boundary`, and none of `high`.
  TreeUnion(TreeStore& store, Engine& low, Engine& high, Bytes boundary);
  ~TreeUnion() override;

  // Reads the roots, and writes one.
  Status make(TreePlace whole) override;
  void hand_over() override;
  void keep() override;

  std::shared_ptr<Engine> whole() const override { return whole_; }

 private:
  Result<PageAddress> join(const TreeState& low, const TreeState& high);
  Result<InnerPage::Child> raise(InnerPage::Child child, std::uint8_t level, std::uint8_t parent_level);
  Result<PageAddress> write(const InnerPage& page);
  void forget();

  void join_roots();
  InnerNode::Ref raise(InnerNode::Ref node, std::uint8_t parent_level);
  void take_over(Tree& tree);

  TreeStore& store_;
  Tree& low_;
  Tree& high_;
  const Bytes boundary_;
  std::uint32_t id_ = 0;  // of the new tree
  std::shared_ptr<Tree> whole_;
  std::unique_ptr<PageWriter> writer_;
  std::vector<PageAddress> written_;
  bool is_synced_ = false;
  bool is_committed_ = false;
  bool is_settled_ = false;
};

}  // namespace shale::engine::btree
