// Writes what a tree was at one moment, as far as it is not on disk yet, and commits it.
//
// Works in the background on a Snapshot: inner nodes that nobody changes any more, and leaves whose layers of
// that moment are taken under the owner's mutex, some hundred at a time. docs/btree.md, "Checkpoints".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/btree/inner_page.h"
#include "engine/btree/nodes.h"
#include "engine/btree/page_file.h"
#include "engine/btree/page_writer.h"
#include "engine/btree/shared_pages.h"
#include "engine/lsm/class_counts.h"
#include "engine/result.h"

namespace shale::engine::btree {

class Tree;

struct Snapshot {
  InnerNode::Ref root;
  Epoch epoch = 0;  // of everything in it, at most
  Lsn first_lsn = 0;
  Lsn lsn = 0;  // it holds the records up to here
  lsm::ClassCounts counts;
  std::uint64_t changed_bytes = 0;
  std::uint64_t generation = 0;                            // of the tree
  std::uint64_t writes = 0;                                // since the snapshot before
  std::uint64_t user_bytes = 0;                            // of those
  double work_per_byte = 0;                                // that writing it is expected to take, of them
  bool looks_up_guesses = false;                           // in all leaves that have some, not only in a few
  std::vector<InnerNode::Ref> dropped_roots;               // of trees that it no longer has
  std::vector<std::shared_ptr<SharedPages>> shared_pages;  // that it no longer has
};

// The layers of a leaf that are to be written.
struct TakenLeaf {
  Leaf::Ref leaf;          // null: it need not be written
  LeafBuffer::Ref frozen;  // may be null, as
  PageImage::Ref changes;  // these if they are not in memory
  PageImage::Ref base;
  PageAddress changes_page;
  PageAddress page;
  KeyCounts keys;                                             // of these pages, as
  std::int64_t obsolete_from_ms = KeyPolicy::kNeverObsolete;  // this
  bool is_moved = false;  // nothing else is wrong with it than where its pages lie
};

// A leaf that has grown too large for one base.
struct WrittenPiece {
  Bytes separator;  // its keys are from here on; of the first piece empty
  PageAddress page;
  PageImage::Ref base;
  KeyCounts keys;
  std::int64_t obsolete_from_ms = KeyPolicy::kNeverObsolete;
};

// What has become of it: new pages, not known to the leaf yet.
struct WrittenLeaf {
  TakenLeaf taken;
  PageAddress page;
  PageAddress changes_page;
  KeyCounts keys;                                             // of both; of pieces each has its own, as
  std::int64_t obsolete_from_ms = KeyPolicy::kNeverObsolete;  // this
  PageImage::Ref base;  // as in `page`; null if it has not been looked at
  PageImage::Ref changes;
  bool gives_up_base = false;        // the changes are damaged: their page stays, as the base
  bool base_has_changes = false;     // the base is as in `page` with the changes applied
  std::vector<WrittenPiece> pieces;  // in place of the one base, which is empty then; none or two at least
  KeyCounts corrections;             // of what writes guessed
  std::vector<Bytes> dropped_keys;   // that were obsolete
};

struct WrittenInner {
  InnerNode::Ref node;
  PageAddress page;
  KeyCounts keys;  // below it
};

// What a checkpoint has found out, and done, so far.
struct CheckpointProgress {
  std::vector<PageAddress> superseded;  // pages that the new state does without
  lsm::ClassCounts count_changes;       // against the snapshot's
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bases = 0;
  std::uint64_t changes = 0;
  std::uint64_t moved_from = UINT64_MAX;  // pages from there on were moved
  std::uint64_t moved_bytes = 0;
  bool found_no_room = false;  // further in front
  std::uint64_t leaves_changed = 0;
  std::uint64_t fresh_bytes = 0;    // of records in them
  std::uint64_t merged_bytes = 0;   // of bases that changes were applied to
  std::uint64_t guesses = 0;        // of writes that could not see their leaf, looked up
  std::uint64_t wrong_guesses = 0;  // of those
  std::uint64_t joined_bytes = 0;   // of leaves that were built in memory out of small ones
};

class Checkpoint {
 public:
  Checkpoint(Tree& tree, const Snapshot& snapshot);

  // Waits for the disk and for the log; without the owner's mutex.
  Status run();
  CheckpointProgress& progress() { return progress_; }

 private:
  struct NodeOnDisk {
    PageAddress page;
    KeyCounts keys;  // below it
  };
  Result<NodeOnDisk> write_node(const InnerNode::Ref& node);
  Status write_children(const InnerNode& node, InnerPage& page);
  Status write_leaves(const InnerNode& node, InnerPage& page);
  void take_leaves(const InnerNode& node, std::size_t first, std::span<TakenLeaf> taken);
  bool is_clean(const InnerNode& node) const;  // with the owner's mutex

  Result<WrittenLeaf> write_leaf(TakenLeaf taken);
  Result<WrittenLeaf> move_leaf(TakenLeaf taken);
  Status move_page(PageAddress& page, PageType type);
  bool is_to_move(const PageAddress& page) const { return page.exists() && page.offset >= move_from_; }
  static bool is_worth_a_base(const TakenLeaf& taken);
  bool is_worth_looking_up(const TakenLeaf& taken);
  Resolved settle(const Layers& layers, const MergedKey& key, const TakenLeaf& taken);
  Status write_base(WrittenLeaf& written);
  Status write_records(const RecordList& records, WrittenLeaf& written);
  KeyCounts keys_of(std::span<const Record> records) const;
  std::int64_t obsolete_from_of_changes(const TakenLeaf& taken) const;
  static void add_leaf(InnerPage& page, const Bytes& separator, const WrittenLeaf& written);
  Status write_changes(WrittenLeaf& written);
  static bool is_damage(const Status& status);
  void note_damage(const Error& error);
  Status read_missing(PageImage::Ref& image, const PageAddress& page, PageType type);
  Layers layers_of(const TakenLeaf& taken, bool with_base) const;
  Status add_page(const PageImage::Ref& image, PageType type, PageAddress& page);
  void pay_for(std::uint64_t bytes);

  void note_memory();
  Status install_when_due();
  Status install();
  Status commit(const PageAddress& root);

  Tree& tree_;
  const Snapshot& snapshot_;
  PageWriter writer_;
  CheckpointProgress progress_;
  std::vector<WrittenLeaf> written_leaves_;  // since the last sync
  std::vector<WrittenInner> written_inner_;
  std::uint64_t held_bytes_ = 0;  // of written_leaves_ and the images that it holds
  MemoryCharge charge_{MemoryKind::background};
  std::uint64_t leaves_with_guesses_ = 0;
  std::uint64_t pages_written_ = 0;
  std::uint64_t unpaid_bytes_ = 0;  // of work
  std::uint64_t move_from_;         // pages from there on are moved
  std::size_t target_bytes_ = 0;    // of leaves, as the tree has it now
};

}  // namespace shale::engine::btree
