#include "engine/btree/leaf_load.h"

#include <fmt/format.h>

#include "engine/btree/record_page.h"
#include "engine/btree/tree.h"

namespace shale::engine::btree {

Result<PageImage::Ref> read_record_page(const PageFile& file, const PageAddress& page, PageType type) {
  auto image = file.read(page, type);
  if (!image) return image.error();
  if (!RecordPage::parse((*image)->payload())) {
    return corruption(fmt::format("{}: page at offset {} makes no sense", file.path(), page.offset));
  }
  return image;
}

LeafLoad::LeafLoad(Tree& tree, Leaf::Ref leaf)
    : tree_(tree.weak_from_this()),
      leaf_(std::move(leaf)),
      page_(leaf_->page),
      changes_page_(leaf_->changes_page) {}

Status LeafLoad::read(const PageFile& file) {
  if (changes_page_.exists()) {
    auto changes = read_record_page(file, changes_page_, PageType::changes);
    if (!changes) return changes.error();
    changes_ = std::move(*changes);
  }
  if (page_.exists()) {
    auto base = read_record_page(file, page_, PageType::base);
    if (!base) return base.error();
    base_ = std::move(*base);
  }
  if (base_ && changes_ && !has_guesses(*changes_)) {
    base_ = apply_changes(*changes_, *base_);
    base_has_changes_ = true;
  }
  return {};
}

void LeafLoad::run() {
  const std::lock_guard running{running_};
  if (is_done_) return;
  is_done_ = true;
  const auto tree = tree_.lock();
  if (!tree) return;
  tree->take_loaded(*this, read(tree->file()));
}

}  // namespace shale::engine::btree
