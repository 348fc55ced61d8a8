// A leaf's pages on their way from the disk.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/btree/nodes.h"
#include "engine/btree/page_file.h"
#include "engine/engine.h"

namespace shale::engine::btree {

class Tree;

// Several commands may hold one and run it; the first to come reads, the others wait for it. What has been
// read is hung into the leaf under the owner's mutex, and stays there for as long as the load lives.
class LeafLoad final : public Load {
 public:
  // With the owner's mutex.
  LeafLoad(Tree& tree, Leaf::Ref leaf);

  void run() override;
  // Tells the kernel what run() will read.
  void announce() override;
  // Reads what the kernel has in memory, with the owner's mutex. False if that is not all.
  bool read_resident(const PageFile& file);

  // Why the leaf could not be read; with the owner's mutex. Nothing as long as run() is not through, or if it
  // could.
  const std::optional<Error>& failure() const { return failure_; }
  // Whether the leaf still has the pages that this is about; with the owner's mutex.
  bool is_current() const { return leaf_->pages_version == pages_version_; }

 private:
  friend class Tree;
  Status read(const PageFile& file);
  void apply();

  const std::weak_ptr<Tree> tree_;  // which keeps some of its loads
  const Leaf::Ref leaf_;
  const std::uint64_t generation_;  // of the tree
  const std::uint32_t pages_version_;
  const PageAddress page_;
  const PageAddress changes_page_;
  std::mutex running_;  // held by the one that reads; taken before the owner's
  bool is_done_ = false;
  PageImage::Ref base_;  // read; kept so that the pool does not let go of it
  PageImage::Ref changes_;
  bool base_has_changes_ = false;
  std::optional<Error> failure_;
};

// Reads a page of records and checks all of it, wherever it comes from.
Result<PageImage::Ref> read_record_page(const PageFile& file, const PageAddress& page, PageType type);

}  // namespace shale::engine::btree
