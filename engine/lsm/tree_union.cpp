#include <algorithm>

#include "engine/lsm/tree_change.h"
#include "engine/lsm/tree_store.h"

namespace shale::engine::lsm {
namespace {

bool are_disjoint(const Run& a, const Run& b) {
  return std::ranges::none_of(
      a.tables(), [&](const TableRef& table) { return b.overlaps(table->begin_key(), table->end_key()); });
}

// Which runs the slices of one level's runs of the right tree go to: as far as the keys allow to those of the
// left tree, from the oldest on, else to new ones. Whichever they are, no key of the left tree is in them;
// but the right tree's own must keep their order.
std::map<std::uint64_t, std::uint64_t> run_numbers(const std::vector<Run>& left,
                                                   const std::vector<Run>& right, bool may_join,
                                                   TreeStore& store) {
  std::map<std::uint64_t, std::uint64_t> numbers;
  auto partner = left.rbegin();
  for (auto run = right.rbegin(); run != right.rend(); ++run) {
    may_join = may_join && partner != left.rend() && are_disjoint(*partner, *run);
    numbers[run->id()] = may_join ? (partner++)->id() : store.new_number();
  }
  return numbers;
}

std::vector<TableRef> all_slices(const Version& left, const Version& right, TreeStore& store) {
  std::vector<TableRef> all;
  left.for_each([&](const TableRef& slice) { all.push_back(slice); });
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    // Runs of level 0 are what flushes have made, and are planned by their number.
    const auto numbers = run_numbers(left.runs(level), right.runs(level), level > 0, store);
    for (const Run& run : right.runs(level)) {
      for (const TableRef& slice : run.tables()) {
        SliceDescriptor descriptor = slice->slice();
        descriptor.run = numbers.at(run.id());
        all.push_back(std::make_shared<const LiveTable>(slice->file(), std::move(descriptor)));
      }
    }
  }
  return all;
}

}  // namespace

TreeUnion::TreeUnion(TreeStore& store, Engine& left, Engine& right)
    : store_(store), left_(static_cast<Tree&>(left)), right_(static_cast<Tree&>(right)) {}

TreeUnion::~TreeUnion() {
  if (whole_ && !handed_over_) store_.forget_new(*whole_);
}

Status TreeUnion::make(TreePlace place) {
  const auto version_of = [](const Tree& tree) {
    const std::lock_guard lock{tree.owner_};
    return tree.version_;
  };
  const auto left = version_of(left_);
  const auto right = version_of(right_);
  TreeStore::NewTree made;
  {
    const std::lock_guard lock{left_.owner_};
    made.persisted_lsn = left_.persisted_lsn_;
    made.shape = left_.shape_;
  }
  {
    // What the log has of the other is applied twice after a crash, in its order.
    const std::lock_guard lock{right_.owner_};
    made.persisted_lsn = std::min(made.persisted_lsn, right_.persisted_lsn_);
  }
  auto tree = store_.make_tree(place.id, place.owner, made, all_slices(*left, *right, store_));
  if (!tree) return tree.error();
  whole_ = std::move(*tree);
  return {};
}

void TreeUnion::hand_over() {
  for (Tree* tree : {&left_, &right_}) {
    if (tree->active_->first_lsn != 0) tree->seal_active();
    whole_->sealed_.insert(whole_->sealed_.end(), tree->sealed_.begin(), tree->sealed_.end());
    whole_->reclaim_lsn_ = std::max(whole_->reclaim_lsn_, tree->reclaim_lsn_);
  }
  std::ranges::stable_sort(whole_->sealed_, {}, [](const auto& memtable) { return memtable->first_lsn; });
  whole_->resume_work();
  handed_over_ = true;
}

}  // namespace shale::engine::lsm
