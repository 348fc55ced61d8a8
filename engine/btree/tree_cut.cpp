// One tree becomes two: what is written for it, before it counts.
#include <algorithm>
#include <utility>

#include "engine/btree/index_loader.h"
#include "engine/btree/leaf_load.h"
#include "engine/btree/leaf_size.h"
#include "engine/btree/tree_change.h"
#include "engine/btree/tree_store.h"

namespace shale::engine::btree {

TreeCut::TreeCut(TreeStore& store, Engine& parent, Bytes cut)
    : store_(store), parent_(static_cast<Tree&>(parent)), cut_(std::move(cut)) {}

TreeCut::~TreeCut() {
  if (is_settled_) return;
  give_up_part();
  forget();
}

// If it cannot be forgotten on the disk, it goes at the next start, and its pages with it.
void TreeCut::forget() {
  low_.tree.reset();
  high_.tree.reset();
  writer_.reset();  // gives back what is not synced
  PageFile& file = store_.file();
  const bool is_gone = !is_committed_ || (file.drop(low_.id) && file.drop(high_.id));
  if (!is_gone || !is_synced_) return;
  for (const Side* side : {&low_, &high_}) {
    for (const PageAddress& page : side->written) file.release(page.offset, page.bytes);
  }
}

// The parent's checkpoints go on if the change is not made after all, and must not give back what the new
// trees have.
void TreeCut::keep() {
  is_settled_ = true;
  give_up_part();
  std::vector<PageAddress> pages;
  {
    const std::lock_guard lock{parent_.owner_};
    pages = parent_.pages();
  }
  store_.file().hold(pages);
}

Status TreeCut::make(TreePlace low, TreePlace high) {
  Directory directory = store_.file().directory();
  const TreeState& whole = directory[parent_.id()];
  writer_ = std::make_unique<PageWriter>(store_.file(), parent_.id());
  for (Side* side : {&low_, &high_}) {
    side->state.persisted_lsn = whole.persisted_lsn;
    for (const lsm::ClassBalance& known : whole.counts.all()) side->state.counts.add(known.count_class, 0);
  }
  if (whole.root.exists()) {
    const auto halves = cut_inner(whole.root);
    if (!halves) return halves.error();
    const auto set = [](const std::optional<InnerPage::Child>& half, TreeState& state) {
      if (!half) return;
      state.root = half->page;
      half->keys.for_each(
          [&](std::uint32_t count_class, std::int64_t sum) { state.counts.add(count_class, sum); });
    };
    set(halves->low, low_.state);
    set(halves->high, high_.state);
  }
  if (auto committed = commit(low, high); !committed) return committed;
  if (auto held = hold_leaf(); !held) return held;
  begin_part();
  return {};
}

Status TreeCut::commit(TreePlace low, TreePlace high) {
  if (auto synced = writer_->sync(); !synced) return synced;
  is_synced_ = true;
  low_.id = low.id;
  high_.id = high.id;
  if (auto committed = store_.file().commit({{low.id, low_.state}, {high.id, high_.state}}); !committed)
    return committed;
  is_committed_ = true;
  const auto open = [this](Side& side, const TreePlace& place) {
    side.tree = std::make_shared<Tree>(store_, place.id, place.owner, side.state, nullptr);
    const std::lock_guard lock{place.owner};
    side.tree->stop_work();
  };
  open(low_, low);
  open(high_, high);
  return {};
}

Result<TreeCut::HalvesOnDisk> TreeCut::cut_inner(const PageAddress& address) {
  auto page = read_inner_page(store_.file(), address);
  if (!page) return page.error();
  if (!page->has_counts) return counts_missing();
  const auto behind = std::find_if(page->children.begin() + 1, page->children.end(),
                                   [this](const InnerPage::Child& child) { return child.separator > cut_; });
  const auto middle = std::prev(behind);
  InnerPage low{page->level, true, {page->children.begin(), middle}};
  InnerPage high{page->level, true, {}};
  if (middle != page->children.begin() && middle->separator == cut_) {
    high.children.push_back(*middle);
  } else {
    auto halves = page->level == 1 ? cut_leaf(*middle) : cut_inner(middle->page);
    if (!halves) return halves.error();
    if (halves->low) {
      halves->low->separator = middle->separator;
      low.children.push_back(std::move(*halves->low));
    }
    if (halves->high) high.children.push_back(std::move(*halves->high));
  }
  high.children.insert(high.children.end(), behind, page->children.end());
  auto low_half = write(low, low_);
  if (!low_half) return low_half.error();
  auto high_half = write(high, high_);
  if (!high_half) return high_half.error();
  return HalvesOnDisk{std::move(*low_half), std::move(*high_half)};
}

// Changes are applied on the way, so that guesses need not be counted on either side.
Result<TreeCut::HalvesOnDisk> TreeCut::cut_leaf(const InnerPage::Child& leaf) {
  Layers layers;
  PageImage::Ref changes;
  PageImage::Ref base;
  if (leaf.changes.exists()) {
    auto read = read_record_page(store_.file(), leaf.changes, PageType::changes);
    if (!read) return read.error();
    changes = std::move(*read);
    layers.add(Layer{*changes, false});
  }
  if (leaf.page.exists()) {
    auto read = read_record_page(store_.file(), leaf.page, PageType::base);
    if (!read) return read.error();
    base = std::move(*read);
    layers.add(Layer{*base, true});
  }
  RecordList low;
  RecordList high;
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
    const Layer& layer = layers[key->newest];
    if (!layer.tag(index).erased)
      (key->key < BytesView{cut_} ? low : high).add(key->key, layer.value(index), {});
  }
  auto low_half = write(low, low_);
  if (!low_half) return low_half.error();
  auto high_half = write(high, high_);
  if (!high_half) return high_half.error();
  return HalvesOnDisk{std::move(*low_half), std::move(*high_half)};
}

Result<std::optional<InnerPage::Child>> TreeCut::write(const InnerPage& page, Side& side) {
  if (page.children.empty()) return std::optional<InnerPage::Child>{};
  const auto address = writer_->add(*page.encode(), PageType::inner);
  if (!address) return address.error();
  side.written.push_back(*address);
  return std::optional{InnerPage::Child{{}, *address, {}, page.keys()}};
}

Result<std::optional<InnerPage::Child>> TreeCut::write(const RecordList& records, Side& side) {
  if (records.count() == 0) return std::optional<InnerPage::Child>{};
  const auto address = writer_->add(*build_record_page(records.records()), PageType::base);
  if (!address) return address.error();
  side.written.push_back(*address);
  InnerPage::Child leaf{{}, *address, {}, {}, obsolete_from_of(records.records(), *store_.options().policy)};
  for (const Record& record : records.records())
    leaf.keys.add(store_.options().policy->count_class(record.key), 1);
  return std::optional{std::move(leaf)};
}

// What hand_over() divides in memory stays there until then: whatever is written to the leaf meanwhile, it is
// this one or one that was merged in memory, which no one lets go of before a checkpoint.
Status TreeCut::hold_leaf() {
  for (;;) {
    {
      const std::lock_guard lock{parent_.owner_};
      Leaf& leaf = parent_.leaf_of(cut_);
      if (leaf.is_resident()) {
        held_images_ = {leaf.base, leaf.changes};
        return {};
      }
      held_load_ = parent_.load_of(leaf);
      if (held_load_->failure()) return *held_load_->failure();
    }
    held_load_->run();
  }
}

}  // namespace shale::engine::btree
