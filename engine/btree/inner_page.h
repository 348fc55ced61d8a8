// Inner nodes as they are stored.
//
//   payload := level:u8  children:varint  prefix:text  child*
//   child   := separator:text (without the prefix; the first child has none)  page:address
//              [level 1 only: changes:address]
//              [bit 7 of level only: classes:varint  (class:varint  keys:signed varint) *classes]
//              [level 1 with bit 6 only: obsolete_from:varint]
//
// A child has the keys from its separator on, up to the next child's. At level 1 children are leaves, whose
// page is the base; above they are inner nodes of the level below. A leaf without pages is empty. Pages of
// page files of format 1 do not say how many keys are below each child. `obsolete_from` says from when on
// the leaf's pages hold something that is deleted or has expired, in seconds since 1970 plus 1, or 0: never;
// pages of formats 1 and 2 do not say.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/btree/key_counts.h"
#include "engine/btree/page_format.h"
#include "engine/bytes.h"
#include "engine/engine.h"

namespace shale::engine::btree {

struct InnerPage {
  struct Child {
    Bytes separator;  // empty for the first
    PageAddress page;
    PageAddress changes;  // of a leaf
    KeyCounts keys;       // below it, as counted
    // Of a leaf (Leaf::obsolete_from_ms); 0 if it is not known.
    std::int64_t obsolete_from_ms = KeyPolicy::kNeverObsolete;
  };

  std::uint8_t level = 1;
  bool has_counts = true;       // otherwise all `keys` are empty
  std::vector<Child> children;  // at least one

  KeyCounts keys() const;  // of all children

  // A page image without its header filled in; with counts.
  PageImage::Ref encode() const;
  // Nothing unless all is as it should be and separators ascend.
  static std::optional<InnerPage> decode(BytesView payload);
};

}  // namespace shale::engine::btree
