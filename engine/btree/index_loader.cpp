#include "engine/btree/index_loader.h"

#include <fmt/format.h>

#include "engine/btree/inner_page.h"

namespace shale::engine::btree {
namespace {

constexpr std::uint8_t kLevelMax = 15;

Result<InnerNode::Child> load_leaf(PageFile& file, InnerPage::Child& entry) {
  Leaf::Ref leaf{new Leaf};
  leaf->page = entry.page;
  leaf->changes_page = entry.changes;
  for (const PageAddress& page : {entry.page, entry.changes}) {
    if (!page.exists()) continue;
    if (auto claimed = file.claim(page); !claimed) return claimed.error();
  }
  return InnerNode::Child{std::move(entry.separator), std::move(leaf)};
}

Result<InnerNode::Ref> load_node(PageFile& file, const PageAddress& address, std::uint8_t level_expected) {
  if (auto claimed = file.claim(address); !claimed) return claimed.error();
  const auto image = file.read(address, PageType::inner);
  if (!image) return image.error();
  auto page = InnerPage::decode((*image)->payload());
  if (!page || page->level > kLevelMax || (level_expected != 0 && page->level != level_expected)) {
    return corruption(fmt::format("{}: inner node at offset {} makes no sense", file.path(), address.offset));
  }
  std::vector<InnerNode::Child> children;
  children.reserve(page->children.size());
  for (InnerPage::Child& entry : page->children) {
    if (page->level == 1) {
      auto leaf = load_leaf(file, entry);
      if (!leaf) return leaf.error();
      children.push_back(std::move(*leaf));
      continue;
    }
    auto node = load_node(file, entry.page, static_cast<std::uint8_t>(page->level - 1));
    if (!node) return node.error();
    children.push_back({std::move(entry.separator), std::move(*node)});
  }
  InnerNode::Ref node{new InnerNode(page->level, 0, std::move(children))};
  node->page = address;
  return node;
}

}  // namespace

Result<InnerNode::Ref> load_index(PageFile& file, const PageAddress& root) {
  return load_node(file, root, 0);
}

}  // namespace shale::engine::btree
