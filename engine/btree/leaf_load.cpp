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
      generation_(tree.generation_),
      pages_version_(leaf_->pages_version),
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
  apply();
  return {};
}

void LeafLoad::apply() {
  if (!base_ || !changes_ || has_guesses(*changes_)) return;
  base_ = apply_changes(*changes_, *base_);
  base_has_changes_ = true;
}

// What is damaged is left to run(), which says so.
bool LeafLoad::read_resident(const PageFile& file) {
  const auto take = [&](PageImage::Ref& image, const PageAddress& page, PageType type) {
    if (!page.exists()) return true;
    image = file.read_resident(page, type);
    return image && RecordPage::parse(image->payload());
  };
  if (!take(changes_, changes_page_, PageType::changes) || !take(base_, page_, PageType::base)) {
    changes_.reset();
    base_.reset();
    return false;
  }
  apply();
  is_done_ = true;
  return true;
}

void LeafLoad::announce() {
  const auto tree = tree_.lock();
  if (!tree) return;
  for (const PageAddress& page : {changes_page_, page_}) {
    if (page.exists()) tree->file().announce_read(page);
  }
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
