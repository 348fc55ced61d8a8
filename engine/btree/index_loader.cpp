#include "engine/btree/index_loader.h"

#include <fmt/format.h>

#include "engine/btree/leaf_load.h"

namespace shale::engine::btree {
namespace {

// As the leaf was counted: what its changes have guessed is put right when it is next written.
Result<KeyCounts> count_leaf(const PageFile& file, const InnerPage::Child& leaf, const KeyPolicy& policy) {
  Layers layers;
  PageImage::Ref changes;
  PageImage::Ref base;
  if (leaf.changes.exists()) {
    auto read = read_record_page(file, leaf.changes, PageType::changes);
    if (!read) return read.error();
    changes = std::move(*read);
    layers.add(Layer{*changes, false});
  }
  if (leaf.page.exists()) {
    auto read = read_record_page(file, leaf.page, PageType::base);
    if (!read) return read.error();
    base = std::move(*read);
    layers.add(Layer{*base, true});
  }
  KeyCounts keys;
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const Resolved record = resolve(layers, *key, true);
    keys.add(policy.count_class(key->key), (record.tag.erased ? 0 : 1) - record.balance);
  }
  return keys;
}

class IndexLoader {
 public:
  IndexLoader(PageFile& file, const KeyPolicy& policy) : file_(file), policy_(policy) {}

  Result<InnerNode::Ref> load(const PageAddress& address, std::uint8_t level_expected) {
    if (auto claimed = file_.claim(address); !claimed) return claimed.error();
    auto page = read_inner_page(file_, address);
    if (!page) return page.error();
    if (level_expected != 0 && page->level != level_expected) {
      return corruption(
          fmt::format("{}: inner node at offset {} makes no sense", file_.path(), address.offset));
    }
    std::vector<InnerNode::Child> children;
    children.reserve(page->children.size());
    for (InnerPage::Child& entry : page->children) {
      auto child = page->level == 1 ? load_leaf(entry, page->has_counts) : load_inner(entry, *page);
      if (!child) return child.error();
      children.push_back(std::move(*child));
    }
    InnerNode::Ref node{new InnerNode(page->level, 0, std::move(children))};
    node->page = address;
    node->written_keys = page->keys();
    constexpr Epoch kFirst = 1;
    if (!page->has_counts) node->changed_epoch = kFirst;
    return node;
  }

 private:
  Result<InnerNode::Child> load_inner(InnerPage::Child& entry, const InnerPage& page) {
    auto node = load(entry.page, static_cast<std::uint8_t>(page.level - 1));
    if (!node) return node.error();
    if (!page.has_counts) entry.keys = (*node)->written_keys;
    return InnerNode::Child{std::move(entry.separator), std::move(*node)};
  }
  Result<InnerNode::Child> load_leaf(InnerPage::Child& entry, bool is_counted) {
    Leaf::Ref leaf{new Leaf};
    leaf->page = entry.page;
    leaf->changes_page = entry.changes;
    for (const PageAddress& page : {entry.page, entry.changes}) {
      if (!page.exists()) continue;
      if (auto claimed = file_.claim(page); !claimed) return claimed.error();
    }
    if (!is_counted) {
      auto counted = count_leaf(file_, entry, policy_);
      if (!counted && counted.error().kind != ErrorKind::corruption) return counted.error();
      if (counted) entry.keys = std::move(*counted);  // else of a damaged leaf, whose keys nobody knows
    }
    leaf->keys = entry.keys;
    leaf->obsolete_from_ms = entry.obsolete_from_ms;
    return InnerNode::Child{std::move(entry.separator), std::move(leaf)};
  }

  PageFile& file_;
  const KeyPolicy& policy_;
};

}  // namespace

Error counts_missing() {
  return {ErrorKind::unsupported,
          "the shard is as an earlier build has left it; its next checkpoint, which begins at once, changes "
          "that"};
}

Result<InnerPage> read_inner_page(const PageFile& file, const PageAddress& address) {
  const auto image = file.read(address, PageType::inner);
  if (!image) return image.error();
  auto page = InnerPage::decode((*image)->payload());
  if (!page || page->level > kLevelMax) {
    return corruption(fmt::format("{}: inner node at offset {} makes no sense", file.path(), address.offset));
  }
  return std::move(*page);
}

Result<InnerNode::Ref> load_index(PageFile& file, const PageAddress& root, const KeyPolicy& policy) {
  return IndexLoader{file, policy}.load(root, 0);
}

}  // namespace shale::engine::btree
