#include "cluster/boundary_index.h"

#include <algorithm>
#include <bit>

namespace shale::cluster {
namespace {

using engine::Bytes;
using engine::BytesView;
using engine::key_head;

constexpr std::size_t kHeadBytes = sizeof(std::uint64_t);

// How many bytes two strings have in common from `depth` on, where both have that many.
std::size_t common_bytes(BytesView a, BytesView b, std::size_t depth) {
  const BytesView left = a.substr(depth);
  const BytesView right = b.substr(depth);
  const auto differ = std::ranges::mismatch(left, right);
  return static_cast<std::size_t>(differ.in1 - left.begin());
}

// The first of `count` ascending numbers that is not below `wanted`, without branches to mispredict.
const std::uint64_t* lower_bound(const std::uint64_t* first, std::size_t count, std::uint64_t wanted) {
  if (count == 0) return first;
  while (count > 1) {
    const std::size_t half = count / 2;
    first += first[half - 1] < wanted ? half : 0;
    count -= half;
  }
  return first + (*first < wanted ? 1 : 0);
}

}  // namespace

BoundaryIndex::BoundaryIndex(std::vector<Bytes> strings) : strings_(std::move(strings)) {
  if (!strings_.empty()) add_node(0, static_cast<std::uint32_t>(strings_.size()), 0);
}

std::uint32_t BoundaryIndex::add_node(std::uint32_t begin, std::uint32_t end, std::size_t depth) {
  Node node;
  node.depth = depth;
  node.begin = begin;
  node.end = end;
  // What the first and the last have in common, all in between have.
  const BytesView first = strings_[begin];
  node.shared = first.substr(depth, common_bytes(first, strings_[end - 1], depth));
  add_heads(node);
  add_cells(node);
  const auto index = static_cast<std::uint32_t>(nodes_.size());
  const std::size_t next_depth = depth + node.shared.size() + kHeadBytes;
  const std::uint32_t heads_begin = node.heads_begin;
  const std::uint32_t heads_end = node.heads_end;
  nodes_.push_back(std::move(node));
  for (std::uint32_t head = heads_begin; head < heads_end; ++head) {
    const Group group = groups_[head];
    // The shortest come first among equal heads, for these are padded with zeros.
    if (group.end - group.begin == 1 || strings_[group.begin].size() < next_depth) continue;
    const std::uint32_t child = add_node(group.begin, group.end, next_depth);
    groups_[head].child = child;
  }
  return index;
}

void BoundaryIndex::add_heads(Node& node) {
  node.heads_begin = static_cast<std::uint32_t>(heads_.size());
  for (std::uint32_t string = node.begin; string < node.end; ++string) {
    const std::uint64_t head = key_head(BytesView{strings_[string]}.substr(node.depth + node.shared.size()));
    if (heads_.size() > node.heads_begin && heads_.back() == head) {
      ++groups_.back().end;
    } else {
      heads_.push_back(head);
      groups_.push_back({string, string + 1, kNone});
    }
  }
  node.heads_end = static_cast<std::uint32_t>(heads_.size());
  node.lowest = heads_[node.heads_begin];
  node.highest = heads_.back();
}

// About as many cells as heads, at most twice as many.
void BoundaryIndex::add_cells(Node& node) {
  const std::uint64_t span = node.highest - node.lowest;
  const auto span_bits = static_cast<unsigned>(std::bit_width(span));
  const auto cell_bits = static_cast<unsigned>(std::bit_width(node.heads_end - node.heads_begin));
  node.shift = span_bits - std::min(span_bits, cell_bits);
  node.cells_begin = static_cast<std::uint32_t>(cells_.size());
  const std::uint64_t last_cell = span >> node.shift;
  std::uint32_t head = node.heads_begin;
  for (std::uint64_t cell = 0; cell <= last_cell; ++cell) {
    while ((heads_[head] - node.lowest) >> node.shift < cell) ++head;
    cells_.push_back(head);
  }
  cells_.push_back(node.heads_end);
}

std::uint32_t BoundaryIndex::find_head(const Node& node, std::uint64_t head) const {
  if (head <= node.lowest) return node.heads_begin;
  if (head > node.highest) return node.heads_end;
  const std::uint32_t* const cell = &cells_[node.cells_begin + ((head - node.lowest) >> node.shift)];
  const std::uint64_t* const found = lower_bound(&heads_[cell[0]], cell[1] - cell[0], head);
  return static_cast<std::uint32_t>(found - heads_.data());
}

std::size_t BoundaryIndex::count_up_to(BytesView position) const {
  if (nodes_.empty()) return 0;
  for (const Node* node = nodes_.data();;) {
    // Equal so far as it goes, and then zeros: it is before all that are longer.
    if (position.size() < node->depth) return node->begin;
    BytesView rest = position.substr(node->depth);
    if (!node->shared.empty()) {
      const int order = rest.substr(0, node->shared.size()).compare(node->shared);
      if (order != 0) return order < 0 ? node->begin : node->end;
      rest.remove_prefix(node->shared.size());
    }
    const std::uint64_t head = key_head(rest);
    const std::uint32_t found = find_head(*node, head);
    if (found == node->heads_end) return node->end;
    const Group& group = groups_[found];
    if (heads_[found] != head) return group.begin;
    if (group.child == kNone) return count_in_group(group, position);
    node = &nodes_[group.child];
  }
}

std::size_t BoundaryIndex::count_in_group(const Group& group, BytesView position) const {
  const auto begin = strings_.begin() + group.begin;
  const auto end = strings_.begin() + group.end;
  return static_cast<std::size_t>(std::upper_bound(begin, end, position) - strings_.begin());
}

}  // namespace shale::cluster
