#include "engine/btree/nodes.h"

#include <algorithm>
#include <cassert>

namespace shale::engine::btree {

const std::size_t Leaf::kMemoryBytes = allocation_bytes(sizeof(Leaf));

Layers Leaf::layers() const {
  assert(is_resident());
  Layers all;
  if (buffer) all.add(Layer{*buffer});
  if (frozen) all.add(Layer{*frozen});
  if (changes && !base_has_changes) all.add(Layer{*changes, false});
  if (base) all.add(Layer{*base, true});
  return all;
}

InnerNode::InnerNode(std::uint8_t level, Epoch made_in, std::vector<Child> children)
    : Node(level), epoch(made_in), changed_epoch(made_in) {
  assert(level > 0 && !children.empty());
  children_.reserve(children.size());
  separators_.reserve(children.size());
  for (Child& child : children) {
    children_.push_back(std::move(child.node));
    separators_.push_back(std::move(child.separator));
  }
  index_separators();
}

InnerNode::Ref InnerNode::make_empty(Epoch epoch) {
  std::vector<Child> children;
  children.push_back({{}, Leaf::Ref{new Leaf}});
  return Ref{new InnerNode(1, epoch, std::move(children))};
}

void InnerNode::index_separators() {
  separators_.front().clear();
  prefix_.clear();
  if (count() > 1) prefix_ = separators_[1].substr(0, shared_bytes(separators_[1], separators_.back()));
  heads_.assign(count(), 0);
  for (std::size_t i = 1; i < count(); ++i)
    heads_[i] = key_head(BytesView{separators_[i]}.substr(prefix_.size()));
  charge_.set(memory_bytes());
}

std::size_t InnerNode::child_index(BytesView key) const {
  if (!key.starts_with(prefix_)) return key < prefix_ ? 0 : count() - 1;
  const std::uint64_t wanted = key_head(key.substr(prefix_.size()));
  // The first separator above the key, by heads first.
  std::size_t first = 1;
  for (std::size_t size = count() - 1; size != 0;) {
    const std::size_t half = size / 2;
    const bool is_below = heads_[first + half] < wanted;
    first = is_below ? first + half + 1 : first;
    size = is_below ? size - half - 1 : half;
  }
  while (first < count() && heads_[first] == wanted && separators_[first] <= key) ++first;
  return first - 1;
}

InnerNode::Ref InnerNode::copy(Epoch made_in) const {
  return Ref{new InnerNode(level(), made_in, children())};
}

std::vector<InnerNode::Child> InnerNode::children() const {
  std::vector<Child> all;
  all.reserve(count());
  for (std::size_t i = 0; i < count(); ++i) all.push_back({separators_[i], children_[i]});
  return all;
}

void InnerNode::replace(std::size_t first, std::size_t replaced, std::vector<Child> others) {
  if (!others.empty() && replaced != 0) others.front().separator = separators_[first];
  const auto at = [first](auto& list) { return list.begin() + static_cast<std::ptrdiff_t>(first); };
  children_.erase(at(children_), at(children_) + static_cast<std::ptrdiff_t>(replaced));
  separators_.erase(at(separators_), at(separators_) + static_cast<std::ptrdiff_t>(replaced));
  std::vector<Node::Ref> nodes;
  std::vector<Bytes> separators;
  for (Child& other : others) {
    nodes.push_back(std::move(other.node));
    separators.push_back(std::move(other.separator));
  }
  children_.insert(at(children_), std::make_move_iterator(nodes.begin()),
                   std::make_move_iterator(nodes.end()));
  separators_.insert(at(separators_), std::make_move_iterator(separators.begin()),
                     std::make_move_iterator(separators.end()));
  assert(!children_.empty());
  index_separators();
}

std::vector<InnerNode::Child> InnerNode::split_off(std::size_t first) {
  std::vector<Child> all = children();
  std::vector<Child> leaving(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(first)),
                             std::make_move_iterator(all.end()));
  children_.resize(first);
  separators_.resize(first);
  index_separators();
  return leaving;
}

std::size_t InnerNode::memory_bytes() const {
  std::size_t bytes = allocation_bytes(sizeof *this) +
                      allocation_bytes(heads_.capacity() * sizeof(std::uint64_t)) +
                      allocation_bytes(children_.capacity() * sizeof(Node::Ref)) +
                      allocation_bytes(separators_.capacity() * sizeof(Bytes));
  static const std::size_t kInPlace = Bytes{}.capacity();
  for (const Bytes& separator : separators_) {
    if (separator.capacity() > kInPlace) bytes += allocation_bytes(separator.capacity() + 1);
  }
  return bytes;
}

void append_pages(const InnerNode& node, std::vector<PageAddress>& pages) {
  if (node.page.exists()) pages.push_back(node.page);
  for (std::size_t i = 0; i < node.count(); ++i) {
    if (node.level() > 1) {
      append_pages(node.inner(i), pages);
      continue;
    }
    for (const PageAddress& page : {node.leaf(i).page, node.leaf(i).changes_page}) {
      if (page.exists()) pages.push_back(page);
    }
  }
}

}  // namespace shale::engine::btree
