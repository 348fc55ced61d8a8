// Two trees become one: a common root, on disk and then in memory.
#include <algorithm>
#include <utility>

#include "engine/btree/index_loader.h"
#include "engine/btree/tree_change.h"
#include "engine/btree/tree_store.h"

namespace shale::engine::btree {

TreeUnion::TreeUnion(TreeStore& store, Engine& low, Engine& high, Bytes boundary)
    : store_(store),
      low_(static_cast<Tree&>(low)),
      high_(static_cast<Tree&>(high)),
      boundary_(std::move(boundary)) {}

TreeUnion::~TreeUnion() {
  if (!is_settled_) forget();
}

void TreeUnion::forget() {
  whole_.reset();
  writer_.reset();
  const bool is_gone = !is_committed_ || store_.file().drop(id_);
  if (!is_gone || !is_synced_) return;
  for (const PageAddress& page : written_) store_.file().release(page.offset, page.bytes);
}

void TreeUnion::keep() {
  is_settled_ = true;
  for (Tree* tree : {&low_, &high_}) {
    std::vector<PageAddress> pages;
    {
      const std::lock_guard lock{tree->owner_};
      pages = tree->pages();
    }
    store_.file().hold(pages);
  }
}

// --- On disk

Status TreeUnion::make(TreePlace place) {
  Directory directory = store_.file().directory();
  const TreeState& low = directory[low_.id()];
  const TreeState& high = directory[high_.id()];
  writer_ = std::make_unique<PageWriter>(store_.file(), place.id);
  const auto root = join(low, high);
  if (!root) return root.error();
  if (auto synced = writer_->sync(); !synced) return synced;
  is_synced_ = true;
  // What the log has of the other is applied twice after a crash, in its order.
  TreeState state{std::min(low.persisted_lsn, high.persisted_lsn), *root, low.counts};
  state.counts.add(high.counts.all());
  id_ = place.id;
  if (auto committed = store_.file().commit(place.id, state); !committed) return committed;
  is_committed_ = true;
  whole_ = std::make_shared<Tree>(store_, place.id, place.owner, state, nullptr);
  const std::lock_guard lock{place.owner};
  whole_->stop_work();
  return {};
}

// The root of the lower tree goes into that of the higher one, at its edge.
Result<PageAddress> TreeUnion::join(const TreeState& low_state, const TreeState& high_state) {
  if (!low_state.root.exists()) return high_state.root;
  if (!high_state.root.exists()) return low_state.root;
  auto low = read_inner_page(store_.file(), low_state.root);
  if (!low) return low.error();
  auto high = read_inner_page(store_.file(), high_state.root);
  if (!high) return high.error();
  if (!low->has_counts || !high->has_counts) return counts_missing();
  InnerPage::Child low_child{{}, low_state.root, {}, low->keys()};
  InnerPage::Child high_child{boundary_, high_state.root, {}, high->keys()};
  if (low->level == high->level) {
    if (low->children.size() + high->children.size() > store_.options().children_max) {
      const auto level = static_cast<std::uint8_t>(low->level + 1);
      return write({level, true, {std::move(low_child), std::move(high_child)}});
    }
    high->children.front().separator = boundary_;
    std::ranges::move(high->children, std::back_inserter(low->children));
    return write(*low);
  }
  if (low->level > high->level) {
    auto raised = raise(std::move(high_child), high->level, low->level);
    if (!raised) return raised.error();
    low->children.push_back(std::move(*raised));
    return write(*low);
  }
  auto raised = raise(std::move(low_child), low->level, high->level);
  if (!raised) return raised.error();
  high->children.front().separator = boundary_;
  high->children.insert(high->children.begin(), std::move(*raised));
  return write(*high);
}

// The child as one of a node of `parent_level`: below nodes with one child each, if it has to be.
Result<InnerPage::Child> TreeUnion::raise(InnerPage::Child child, std::uint8_t level,
                                          std::uint8_t parent_level) {
  while (level + 1 < parent_level) {
    ++level;
    const auto page = write({level, true, {child}});
    if (!page) return page.error();
    child.page = *page;
  }
  return child;
}

Result<PageAddress> TreeUnion::write(const InnerPage& page) {
  if (page.level > kLevelMax) return Error{ErrorKind::unsupported, "the tree would become too high"};
  const auto address = writer_->add(*page.encode(), PageType::inner);
  if (address) written_.push_back(*address);
  return address;
}

// --- In memory

void TreeUnion::hand_over() {
  whole_->epoch_ = std::max(low_.epoch_, high_.epoch_);
  whole_->counts_ = {};
  whole_->census_.clear();
  whole_->inner_nodes_ = 0;
  whole_->retired_ = std::move(written_);
  whole_->reclaim_pending_ = true;  // pages
  whole_->dead_looked_for_ = true;
  join_roots();
  take_over(low_);
  take_over(high_);
  const Tree& larger = low_.census_.leaves() >= high_.census_.leaves() ? low_ : high_;
  whole_->target_bytes_ = larger.target_bytes_;
  whole_->target_reason_ = larger.target_reason_;
  whole_->pool_bytes_ = whole_->pool_.bytes();
  whole_->shrink_root();
  for (Tree* tree : {&low_, &high_}) tree->become_empty();
  whole_->resume_work();
  is_settled_ = true;
}

// As join(). Nodes with one child stay until a leaf below is split or joined.
void TreeUnion::join_roots() {
  InnerNode::Ref low = low_.root_;
  InnerNode::Ref high = high_.root_;
  const bool fits =
      low->level() == high->level() && low->count() + high->count() <= store_.options().children_max;
  std::uint8_t level = std::max(low->level(), high->level());
  if (low->level() == high->level() && !fits) ++level;
  const auto children_of = [&](InnerNode::Ref node) {
    if (node->level() < level) {
      std::vector<InnerNode::Child> one;
      one.push_back({{}, raise(std::move(node), level)});
      return one;
    }
    whole_->retire(*node);
    --whole_->inner_nodes_;
    return node->children();
  };
  std::vector<InnerNode::Child> children = children_of(std::move(low));
  std::vector<InnerNode::Child> others = children_of(std::move(high));
  others.front().separator = boundary_;
  std::ranges::move(others, std::back_inserter(children));
  whole_->root_ = InnerNode::Ref{new InnerNode(level, whole_->epoch_, std::move(children))};
  ++whole_->inner_nodes_;
}

InnerNode::Ref TreeUnion::raise(InnerNode::Ref node, std::uint8_t parent_level) {
  while (node->level() + 1 < parent_level) {
    const auto level = static_cast<std::uint8_t>(node->level() + 1);
    std::vector<InnerNode::Child> one;
    one.push_back({{}, std::move(node)});
    node = InnerNode::Ref{new InnerNode(level, whole_->epoch_, std::move(one))};
    ++whole_->inner_nodes_;
  }
  return node;
}

void TreeUnion::take_over(Tree& tree) {
  Tree& whole = *whole_;
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  whole.counts_.add(tree.counts_.all());
  whole.census_.add(tree.census_);
  whole.inner_nodes_ += tree.inner_nodes_;
  whole.pool_.take_over(tree.pool_);
  whole.changed_bytes_ += tree.changed_bytes_;
  if (tree.first_lsn_ != 0)
    whole.first_lsn_ = whole.first_lsn_ == 0 ? tree.first_lsn_ : std::min(whole.first_lsn_, tree.first_lsn_);
  whole.last_lsn_ = std::max(whole.last_lsn_, tree.last_lsn_);
  if (tree.checkpoint_error_) {
    whole.checkpoint_error_ = tree.checkpoint_error_;
    whole.store_.failed_checkpoints().note(whole, *whole.checkpoint_error_);
  }
  append(whole.retired_, tree.retired_);
  append(whole.retired_, tree.retiring_);
  append(whole.dropped_roots_, tree.dropped_roots_);
  append(whole.shared_pages_, tree.shared_pages_);
  append(whole.guesses_, tree.guesses_);
  whole.wrong_guess_part_ = std::max(tree.wrong_guess_part_, &tree == &low_ ? 0 : whole.wrong_guess_part_);
  whole.open_guesses_ += tree.open_guesses_;
  whole.reclaim_lsn_ = std::max(whole.reclaim_lsn_, tree.reclaim_lsn_);
  whole.dead_looked_for_ = whole.dead_looked_for_ && tree.dead_looked_for_;
  whole.sweeps_all_ = whole.sweeps_all_ || (tree.sweep_wanted_ && tree.sweeps_all_);
  whole.sweep_wanted_ = whole.sweeps_all_;
}

}  // namespace shale::engine::btree
