// A tree's nodes in memory. Guarded by the tree's owner's mutex, except where a comment says otherwise.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "engine/btree/key_counts.h"
#include "engine/btree/layers.h"
#include "engine/btree/leaf_buffer.h"
#include "engine/btree/memory_use.h"
#include "engine/btree/page_format.h"
#include "engine/btree/record_page.h"
#include "engine/bytes.h"
#include "engine/engine.h"
#include "engine/memory/pinned.h"

namespace shale::engine::btree {

// A stretch of time between two checkpoints' beginnings, numbered from 1.
using Epoch = std::uint64_t;

class Node : public Pinned {
 public:
  using Ref = boost::intrusive_ptr<Node>;

  bool is_leaf() const { return level_ == 0; }
  std::uint8_t level() const { return level_; }

  PageAddress page;         // of a leaf its base; none: not written yet, or an empty leaf
  bool is_retired = false;  // no longer in the tree, only in what a checkpoint looks at

 protected:
  explicit Node(std::uint8_t level) : level_(level) {}

 private:
  const std::uint8_t level_;  // 0: a leaf
};

// Which queue of the pool a leaf is in.
enum class PoolQueue : std::uint8_t { none, young, kept };

// A page of records in memory, and what a search of it begins with: who has read the leaf need not read the
// page's beginning before it knows what to fetch.
class RecordImage {
 public:
  RecordImage() = default;
  RecordImage(PageImage::Ref image)  // NOLINT(google-explicit-constructor): it is one, prepared
      : image_(std::move(image)), records_(image_ ? RecordPage{image_->payload()} : RecordPage{}) {}

  const RecordPage& records() const { return records_; }
  operator const PageImage::Ref&() const { return image_; }  // NOLINT(google-explicit-constructor): likewise
  explicit operator bool() const { return image_ != nullptr; }
  const PageImage& operator*() const { return *image_; }
  const PageImage* operator->() const { return image_.get(); }
  void reset() { *this = {}; }

 private:
  PageImage::Ref image_;
  RecordPage records_;
};

// A leaf's layers, as far as they are in memory; engine/btree/layers.h, docs/btree.md "A leaf has layers".
// The images and `frozen` are immutable.
class Leaf final : public Node {
 public:
  using Ref = boost::intrusive_ptr<Leaf>;

  Leaf() : Node(0) { MemoryUse::change(MemoryKind::nodes, 0, kMemoryBytes); }
  ~Leaf() override { MemoryUse::change(MemoryKind::nodes, kMemoryBytes, 0); }

  bool has_base_image() const { return base || !page.exists(); }
  bool has_changes_image() const { return changes != nullptr || !changes_page.exists(); }
  // Whether every layer is in memory.
  bool is_resident() const { return has_base_image() && has_changes_image(); }
  bool base_is_written() const { return !base || page.exists(); }
  // Of the base on disk, or of one that is not there yet.
  std::size_t base_bytes() const { return page.exists() ? page.bytes : (base ? base->bytes() : 0); }
  // Requires is_resident().
  Layers layers() const;
  // Calls `visit` with classes and keys, which add up to what the leaf has as counted.
  template <class Visit>
  void for_each_count(Visit visit) const {
    keys.for_each(visit);
    if (frozen) frozen->balance().for_each(visit);
    if (buffer) buffer->balance().for_each(visit);
  }
  // It is in these pages from now on.
  void set_pages(const PageAddress& base_page, const PageAddress& page_of_changes) {
    page = base_page;
    changes_page = page_of_changes;
    ++pages_version;
  }
  // Starts fetching the leaf itself.
  void prefetch() const {
    for (std::size_t at = 0; at < sizeof *this; at += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(this) + at);
  }
  // Starts fetching what a search of the buffer and the base reads.
  void prefetch_search() const {
    base.records().prefetch_search();
    if (buffer) buffer->prefetch_search();
  }

  LeafBuffer::MutableRef buffer;  // null: no writes
  LeafBuffer::Ref frozen;         // null: none
  PageImage::Ref changes;         // null: none, or not in memory
  RecordImage base;               // null: none, or not in memory
  PageAddress changes_page;
  KeyCounts
      keys;  // that base and changes have, as counted; frozen and buffer know by how many they change it
  // From when on something in the base or the changes is deleted or has expired, in Unix milliseconds, or
  // earlier; what is in the buffer does not count.
  std::int64_t obsolete_from_ms = KeyPolicy::kNeverObsolete;
  // The base image is the one on disk with the changes applied: they need not be asked. They are kept for the
  // next checkpoint.
  bool base_has_changes = false;
  Epoch buffer_epoch = 0;  // in which the buffer was begun
  std::uint32_t part = 0;  // of its tree, if that is what is being cut off (tree_part.h)
  // How often its pages have become others: an address that it has had before may be back.
  std::uint32_t pages_version = 0;
  // Of the pool (leaf_pool.h).
  boost::intrusive::list_member_hook<> pool_place;
  PoolQueue queue = PoolQueue::none;
  std::uint8_t uses = 0;
  std::uint32_t evicted_at = 0;  // the pool's count of evictions then; 0: never
  // It has left the tree, but a checkpoint has still to take what it held: that counts for as long.
  std::uint64_t retained_bytes = 0;

  static const std::size_t kMemoryBytes;
};

// Children in key order. The first has all keys below the second's separator.
class InnerNode final : public Node {
 public:
  using Ref = boost::intrusive_ptr<InnerNode>;

  struct Child {
    Bytes separator;  // its keys are from here on; of the first child ignored
    Node::Ref node;
  };

  InnerNode(std::uint8_t level, Epoch epoch, std::vector<Child> children);
  static Ref make_empty(Epoch epoch);  // with an empty leaf

  std::size_t count() const { return children_.size(); }
  // The one that has the key.
  std::size_t child_index(BytesView key) const;
  Node& child(std::size_t index) const { return *children_[index]; }
  Leaf& leaf(std::size_t index) const { return static_cast<Leaf&>(*children_[index]); }
  InnerNode& inner(std::size_t index) const { return static_cast<InnerNode&>(*children_[index]); }
  const Bytes& separator(std::size_t index) const { return separators_[index]; }

  // The same children.
  Ref copy(Epoch epoch) const;
  void set_child(std::size_t index, Node::Ref child) { children_[index] = std::move(child); }
  // Puts others in the place of `replaced` children from `first` on. The first of them takes the separator of
  // the first of those.
  void replace(std::size_t first, std::size_t replaced, std::vector<Child> others);
  // All children from `first` on leave; the separator of the first of them comes with it.
  std::vector<Child> split_off(std::size_t first);
  std::vector<Child> children() const;

  const Epoch epoch;        // in which it was made: a checkpoint of that epoch or later may be looking at it
  Epoch changed_epoch = 0;  // the last in which something below changed
  Epoch written_epoch = 0;  // what changed below up to then is in `page`
  KeyCounts written_keys;   // of all leaves below, as `page` says

 private:
  void index_separators();
  std::size_t memory_bytes() const;

  // Apart, so that a search reads numbers that lie side by side. heads_[i] belongs to separators_[i], without
  // the prefix that all but the first have.
  std::vector<std::uint64_t> heads_;
  Bytes prefix_;
  std::vector<Node::Ref> children_;
  std::vector<Bytes> separators_;
  MemoryCharge charge_{MemoryKind::nodes};
};

// The addresses of all pages below and including `node`.
void append_pages(const InnerNode& node, std::vector<PageAddress>& pages);

}  // namespace shale::engine::btree
