// Walks a tree in key order, both ways; engine.h has the contract.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/btree/layers.h"
#include "engine/btree/tree.h"
#include "engine/engine.h"

namespace shale::engine::btree {

// The live records of a leaf by number, whatever layers they are in. A view.
class LeafRecords {
 public:
  LeafRecords() = default;
  explicit LeafRecords(const Leaf& leaf);

  std::uint32_t count() const { return count_; }
  std::size_t merged() const { return places_.size(); }  // records that had to be gathered from layers
  // The first whose key is >= `key`.
  std::uint32_t lower_bound(BytesView key) const;
  // Key and value; the key is in `scratch` if it has to be put together.
  Record entry(std::uint32_t number, Bytes& scratch) const;

 private:
  struct Place {
    std::uint32_t layer;
    std::uint32_t index;
  };
  void gather();

  Layers layers_;
  bool is_plain_ = true;       // all are in the one layer, numbered as there
  std::vector<Place> places_;  // otherwise
  std::uint32_t count_ = 0;
};

class TreeCursor final : public Cursor {
 public:
  TreeCursor(Tree& tree, CursorBounds bounds, ReadContext& context)
      : tree_(tree), context_(context), begin_(bounds.begin), end_(bounds.end) {}

  Status seek(BytesView key) override;
  Status seek_before(BytesView key) override;
  Status seek_last() override;
  Status next() override;
  Status previous() override;
  bool valid() const override { return valid_; }
  BytesView key() const override { return key_; }
  BytesView head() const override { return value_; }
  Result<BytesView> value() override { return value_; }

 private:
  enum class Coming : std::uint8_t { from_above, from_neighbour };
  Status enter_leaf(Coming coming);  // its records become records_
  Status go_forward();  // from number_, which may be one too many, to the first record that is there
  Status go_back();     // from the record in front of number_
  void stand_at(std::uint32_t number);
  void read_ahead();
  void prefetch_next_leaf(std::uint32_t number) const;

  static constexpr std::uint32_t kStepsPerPrefetch = 16;

  Tree& tree_;
  ReadContext& context_;
  const Bytes begin_;
  const Bytes end_;  // empty: open
  Tree::Path path_;
  LeafRecords records_;
  std::uint32_t number_ = 0;
  bool valid_ = false;
  BytesView key_;
  BytesView value_;
  Bytes scratch_;  // behind key_, as a rule
};

}  // namespace shale::engine::btree
