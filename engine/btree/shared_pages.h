// Pages of a tree that has been cut in two, of which it is not known which of the two has them on disk, if
// one does: docs/btree.md, "Cutting and joining trees".
#pragma once

#include <utility>
#include <vector>

#include "engine/btree/nodes.h"
#include "engine/btree/page_file.h"

namespace shale::engine::btree {

// Both trees hold one, until they have committed a state without these pages: then they are given back. Any
// thread may be the last.
class SharedPages {
 public:
  // The pages themselves, and those of whole trees that were left behind.
  SharedPages(PageFile& file, std::vector<PageAddress> pages, std::vector<InnerNode::Ref> roots)
      : file_(file), pages_(std::move(pages)), roots_(std::move(roots)) {}
  ~SharedPages() {
    for (const PageAddress& page : pages()) file_.release(page.offset, page.bytes);
  }
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;

  std::vector<PageAddress> pages() const {
    std::vector<PageAddress> all = pages_;
    for (const InnerNode::Ref& root : roots_) append_pages(*root, all);
    return all;
  }

 private:
  PageFile& file_;
  const std::vector<PageAddress> pages_;
  const std::vector<InnerNode::Ref> roots_;
};

}  // namespace shale::engine::btree
