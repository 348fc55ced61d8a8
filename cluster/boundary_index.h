// Where a position stands among sorted byte strings, the boundaries of a shard map: a tree whose nodes
// compare eight bytes at a time, as integers.
//
// The strings of a node begin with the same bytes, which are looked at once; the eight bytes behind them are
// the string's head. Heads are searched through a table of cells, into which the node's span of heads is
// divided evenly, and by halving within a cell. Strings with the same head are a node of their own, one level
// down. On the ring, whose heads are hashes, that is one node, and a cell has about one head; boundaries like
// "user:00001234" need two or three nodes of ever fewer strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/bytes.h"

namespace shale::cluster {

class BoundaryIndex {
 public:
  // `strings` ascending, without duplicates.
  explicit BoundaryIndex(std::vector<engine::Bytes> strings);

  // How many of the strings are at or before `position`. Thread-safe, no allocation.
  std::size_t count_up_to(engine::BytesView position) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    std::size_t depth = 0;    // bytes that the strings have in common with a position that gets here
    engine::Bytes shared{};   // what they have in common behind these
    std::uint32_t begin = 0;  // the strings
    std::uint32_t end = 0;
    std::uint32_t heads_begin = 0;  // into heads_
    std::uint32_t heads_end = 0;
    std::uint64_t lowest = 0;  // of the heads
    std::uint64_t highest = 0;
    unsigned shift = 0;             // of a head's distance from the lowest, to its cell
    std::uint32_t cells_begin = 0;  // into cells_
  };
  // The strings with one head.
  struct Group {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t child = kNone;  // a node, if they are several and none ends within the head
  };

  std::uint32_t add_node(std::uint32_t begin, std::uint32_t end, std::size_t depth);
  void add_heads(Node& node);
  void add_cells(Node& node);
  // The first of the node's heads that is not below `head`.
  std::uint32_t find_head(const Node& node, std::uint64_t head) const;
  std::size_t count_in_group(const Group& group, engine::BytesView position) const;

  std::vector<engine::Bytes> strings_;
  std::vector<Node> nodes_;  // the first is the root
  std::vector<std::uint64_t> heads_;
  std::vector<Group> groups_;         // of each head
  std::vector<std::uint32_t> cells_;  // of each cell of each node: the first head in it or behind it
};

}  // namespace shale::cluster
