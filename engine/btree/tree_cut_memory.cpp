// One tree becomes two: what it has in memory, when they count.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "engine/btree/tree_change.h"
#include "engine/btree/tree_store.h"

namespace shale::engine::btree {
namespace {

std::uint64_t count_inner(const InnerNode& node) {
  std::uint64_t count = 1;
  for (std::size_t i = 0; node.level() > 1 && i < node.count(); ++i) count += count_inner(node.inner(i));
  return count;
}

// A leaf that is not in memory is taken to be cut in the middle.
double part_of_leaf_below(const Leaf& leaf, BytesView cut) {
  if (!leaf.is_resident()) return 0.5;
  std::size_t keys = 0;
  std::size_t below = 0;
  const Layers layers = leaf.layers();
  LayersMerge merge{layers};
  for (const MergedKey* key = merge.next(); key != nullptr; key = merge.next()) {
    ++keys;
    below += BytesView{key->key} < cut;
  }
  return static_cast<double>(below) / static_cast<double>(std::max<std::size_t>(keys, 1));
}

double part_below(const InnerNode& node, BytesView cut) {
  const std::size_t child = node.child_index(cut);
  const double of_child =
      node.level() > 1 ? part_below(node.inner(child), cut) : part_of_leaf_below(node.leaf(child), cut);
  return (static_cast<double>(child) + of_child) / static_cast<double>(node.count());
}

}  // namespace

std::optional<double> TreeCut::part_below(const Engine& engine, BytesView cut) {
  const auto* const tree = dynamic_cast<const Tree*>(&engine);
  return tree == nullptr ? std::nullopt : std::optional{btree::part_below(*tree->root_, cut)};
}

void TreeCut::begin_part() {
  const std::lock_guard lock{parent_.owner_};
  const bool is_low = low_is_smaller();
  part_.emplace(store_.pool(), (is_low ? low_ : high_).id, cut_, is_low);
  if (!is_low) counted_to_ = cut_;
  parent_.part_ = &*part_;
}

void TreeCut::give_up_part() {
  if (!part_) return;
  const std::lock_guard lock{parent_.owner_};
  parent_.part_ = nullptr;
  parent_.pool_.take_over(part_->pool);
}

// Some leaves at a time, as a checkpoint takes them: whoever waits for the lock waits for these.
void TreeCut::prepare() {
  constexpr std::size_t kLeaves = 512;
  constexpr std::chrono::microseconds kMoment{20};
  for (bool is_done = false; !is_done; std::this_thread::sleep_for(kMoment)) {
    const std::lock_guard lock{parent_.owner_};
    is_done = prepare_some(kLeaves);
  }
}

// True when all is done.
bool TreeCut::prepare_some(std::size_t leaves_max) {
  if (!is_prepared_) is_prepared_ = count_some(leaves_max);
  return is_prepared_;
}

// The leaf that the cut goes through is not among them: it is divided when all is handed over.
bool TreeCut::count_some(std::size_t leaves_max) {
  constexpr std::size_t kAhead = 8;
  Tree::Path path = parent_.path_to(counted_to_);
  const bool is_first_of_high = !part_->is_low && counted_to_ == cut_;
  if (is_first_of_high && (path.begin() == nullptr || *path.begin() != cut_) && !path.to_next()) return true;
  for (std::size_t i = 0; i < leaves_max; ++i) {
    const Bytes* const end = path.end();
    if (part_->is_low && (end == nullptr || *end > cut_)) return true;
    const Tree::Step& step = path.last();
    if (step.index + kAhead < step.node->count()) step.node->leaf(step.index + kAhead).prefetch();
    Leaf& leaf = path.leaf();
    if (!part_->has(leaf)) {
      part_->add(leaf, Tree::changed_memory(leaf));
      parent_.pool_.give(leaf, part_->pool);
    }
    if (end == nullptr) return true;
    counted_to_ = *end;
    path.to_next();
  }
  return false;
}

void TreeCut::hand_over() {
  while (!prepare_some(SIZE_MAX)) {
  }
  std::vector<PageAddress> pages = std::move(parent_.retired_);
  pages.insert(pages.end(), parent_.retiring_.begin(), parent_.retiring_.end());
  Halves halves = cut_inner(*parent_.root_, pages);
  low_.tree->root_ = root_of(std::move(halves.low), low_);
  high_.tree->root_ = root_of(std::move(halves.high), high_);
  if (part_->is_low) {
    divide_totals(*low_.tree, *high_.tree);
  } else {
    divide_totals(*high_.tree, *low_.tree);
  }
  const auto shared = std::make_shared<SharedPages>(store_.file(), std::move(pages), parent_.dropped_roots_);
  for (Side* side : {&low_, &high_}) {
    Tree& tree = *side->tree;
    hand_on_state(*side);
    tree.shared_pages_ = parent_.shared_pages_;
    tree.shared_pages_.push_back(shared);
    tree.shrink_root();
  }
  parent_.part_ = nullptr;
  parent_.become_empty();
  for (Side* side : {&low_, &high_}) side->tree->resume_work();
  is_settled_ = true;
}

bool TreeCut::low_is_smaller() const { return btree::part_below(*parent_.root_, cut_) < 0.5; }

TreeCut::Halves TreeCut::cut_inner(InnerNode& node, std::vector<PageAddress>& pages) {
  const std::size_t index = node.child_index(cut_);
  const bool is_between = index > 0 && node.separator(index) == cut_;
  Halves below;
  if (!is_between)
    below = node.level() == 1 ? cut_leaf(node.leaf(index), pages) : cut_inner(node.inner(index), pages);
  if (!below.low.empty()) below.low.front().separator = node.separator(index);
  std::vector<InnerNode::Child> children = node.children();
  const auto middle = children.begin() + static_cast<std::ptrdiff_t>(index);
  Halves halves;
  const auto make = [&](std::vector<InnerNode::Child>& half, std::vector<InnerNode::Child> of) {
    if (of.empty()) return;
    half.push_back({{}, InnerNode::Ref{new InnerNode(node.level(), parent_.epoch_, std::move(of))}});
    ++parent_.inner_nodes_;
  };
  std::vector<InnerNode::Child> low{children.begin(), middle};
  low.insert(low.end(), below.low.begin(), below.low.end());
  std::vector<InnerNode::Child> high = std::move(below.high);
  high.insert(high.end(), is_between ? middle : middle + 1, children.end());
  make(halves.low, std::move(low));
  make(halves.high, std::move(high));
  node.is_retired = true;
  if (node.page.exists()) pages.push_back(node.page);
  --parent_.inner_nodes_;
  return halves;
}

TreeCut::Halves TreeCut::cut_leaf(Leaf& leaf, std::vector<PageAddress>& pages) {
  RecordList records;
  lsm::ClassCounts count_changes;
  parent_.gather(leaf, records, count_changes);
  parent_.counts_.add(count_changes.all());
  for (const PageAddress& page : {leaf.page, leaf.changes_page}) {
    if (page.exists()) pages.push_back(page);
  }
  parent_.take_out(leaf);
  const std::span<const Record> all = records.records();
  const auto middle = std::ranges::partition_point(
      all, [this](const Record& record) { return record.key < BytesView{cut_}; });
  const auto low_count = static_cast<std::size_t>(middle - all.begin());
  return {build(all.first(low_count)), build(all.subspan(low_count))};
}

// They are the parent's, as yet.
std::vector<InnerNode::Child> TreeCut::build(std::span<const Record> records) {
  if (records.empty()) return {};
  std::size_t bytes = 0;
  for (const Record& record : records) bytes += record_bytes(record.key.size(), record.value.size());
  std::vector<InnerNode::Child> leaves = parent_.build_leaves(records, bytes, false);
  for (const InnerNode::Child& child : leaves) parent_.take_in(static_cast<Leaf&>(*child.node), false);
  return leaves;
}

InnerNode::Ref TreeCut::root_of(std::vector<InnerNode::Child> top, const Side& side) {
  if (!top.empty()) return InnerNode::Ref{static_cast<InnerNode*>(top.front().node.get())};
  InnerNode::Ref root = InnerNode::make_empty(parent_.epoch_);
  ++parent_.inner_nodes_;
  parent_.take_in(root->leaf(0), side.id == part_->id);
  return root;
}

void TreeCut::divide_totals(Tree& smaller, Tree& larger) {
  smaller.counts_ = {};
  larger.counts_ = {};
  for (const lsm::ClassBalance& known : parent_.counts_.all()) {
    const std::int64_t part = part_->keys.of(known.count_class);
    smaller.counts_.add(known.count_class, part);
    larger.counts_.add(known.count_class, known.sum - part);
  }
  smaller.census_ = part_->census;
  larger.census_ = parent_.census_;
  larger.census_.remove(part_->census);
  smaller.inner_nodes_ = count_inner(*smaller.root_);
  larger.inner_nodes_ = parent_.inner_nodes_ - smaller.inner_nodes_;
  smaller.changed_bytes_ = static_cast<std::uint64_t>(part_->changed_bytes);
  larger.changed_bytes_ = parent_.changed_bytes_ - smaller.changed_bytes_;
  parent_.changed_bytes_ = 0;
  larger.pool_.take_over(parent_.pool_);
  smaller.pool_.take_over(part_->pool);
  for (Tree* tree : {&smaller, &larger}) tree->pool_bytes_ = tree->pool_.bytes();
  parent_.pool_bytes_ = 0;
}

void TreeCut::hand_on_state(Side& side) {
  Tree& tree = *side.tree;
  const bool is_low = &side == &low_;
  tree.epoch_ = parent_.epoch_;
  tree.first_lsn_ = parent_.first_lsn_;
  tree.last_lsn_ = parent_.last_lsn_;
  tree.target_bytes_ = parent_.target_bytes_;
  tree.target_reason_ = parent_.target_reason_;
  tree.checkpoint_error_ = parent_.checkpoint_error_;
  if (tree.checkpoint_error_) tree.store_.failed_checkpoints().note(tree, *tree.checkpoint_error_);
  tree.retired_ = std::move(side.written);
  tree.wrong_guess_part_ = parent_.wrong_guess_part_;
  tree.open_guesses_ = parent_.open_guesses_;
  for (const Bytes& key : parent_.guesses_) {
    if ((key < cut_) == is_low) tree.guesses_.push_back(key);
  }
  tree.reclaim_lsn_ = parent_.reclaim_lsn_;
  tree.reclaim_pending_ = true;  // pages
  tree.dead_looked_for_ = parent_.dead_looked_for_;
  tree.sweeps_all_ = parent_.sweep_wanted_ && parent_.sweeps_all_;
  tree.sweep_wanted_ = tree.sweeps_all_;
}

}  // namespace shale::engine::btree
