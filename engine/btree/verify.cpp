#include "engine/btree/verify.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "engine/btree/index_loader.h"
#include "engine/btree/layers.h"
#include "engine/btree/leaf_load.h"
#include "engine/btree/page_file.h"
#include "engine/btree/record_page.h"

namespace shale::engine::btree {
namespace {

// What a class holds, and how far what was counted may be below that.
struct ClassTally {
  std::int64_t keys = 0;
  std::int64_t guesses = 0;
};

// Keys k with begin <= k < end; an empty end is open.
struct KeyRange {
  Bytes begin;
  Bytes end;

  bool contains(BytesView key) const { return key >= begin && (end.empty() || key < end); }
};

class TreeVerifier {
 public:
  TreeVerifier(PageFile& file, const CountClassOf& class_of, Verification& verification,
               const RecordVisitor& visit)
      : file_(file), class_of_(class_of), verification_(verification), visit_(visit) {}

  void run(std::uint32_t tree, const TreeState& state) {
    if (!state.root.exists()) return;
    check_inner(state.root, 0, {}, nullptr);
    if (!is_whole_ || !class_of_) return;  // what could not be read was not counted either
    for (const lsm::ClassBalance& counted : state.counts.all()) tally_[counted.count_class];
    for (const auto& [count_class, tally] : tally_) {
      const std::int64_t counted = state.counts.of(count_class);
      if (counted <= tally.keys && tally.keys <= counted + tally.guesses) continue;
      verification_.problem(fmt::format("{}: tree {} counts {} keys of class {}, and has {}", file_.path(),
                                        tree, counted, count_class, tally.keys));
    }
  }

 private:
  void fail(const Error& error) {
    verification_.add(error);
    is_whole_ = false;
  }
  void fail(const PageAddress& page, std::string_view what) {
    verification_.problem(fmt::format("{}: page at offset {}: {}", file_.path(), page.offset, what));
  }
  bool claim(const PageAddress& page) {
    if (auto claimed = file_.claim(page); !claimed) {
      fail(claimed.error());
      return false;
    }
    return true;
  }

  // `counted`: the keys below it, as its parent has them; null: nobody has.
  void check_inner(const PageAddress& address, unsigned level_expected, const KeyRange& range,
                   const KeyCounts* counted) {
    if (!claim(address)) return;
    const auto page = read_inner_page(file_, address);
    if (!page) return fail(page.error());
    if (level_expected != 0 && page->level != level_expected) {
      is_whole_ = false;
      return fail(address, "the inner node is of another level than expected");
    }
    if (counted != nullptr && page->has_counts && !(page->keys() == *counted)) {
      fail(address, "the inner node has another number of keys than its parent says");
    }
    for (std::size_t i = 0; i < page->children.size(); ++i) {
      const InnerPage::Child& child = page->children[i];
      KeyRange below{i == 0 ? range.begin : child.separator,
                     i + 1 < page->children.size() ? page->children[i + 1].separator : range.end};
      if (i > 0 && !range.contains(child.separator))
        fail(address, "a separator is outside of the node's range");
      if (page->level > 1) {
        check_inner(child.page, page->level - 1U, below, page->has_counts ? &child.keys : nullptr);
      } else {
        check_leaf(child, below, page->has_counts);
      }
    }
  }

  // Nothing if there is no such page, or if it is damaged.
  PageImage::Ref read(const PageAddress& address, PageType type, const KeyRange& range) {
    if (!address.exists() || !claim(address)) return nullptr;
    const auto image = read_record_page(file_, address, type);
    if (!image) {
      fail(image.error());
      return nullptr;
    }
    const RecordPage page{(*image)->payload()};
    Bytes key;
    for (std::uint32_t i = 0; i < page.count(); ++i) {
      page.key(i, key);
      if (!range.contains(key)) return fail(address, "a key is outside of the leaf's range"), *image;
      if (type == PageType::base && page.tag(i) != RecordTag{})
        fail(address, "a base has a record without value");
    }
    return *image;
  }

  void check_leaf(const InnerPage::Child& leaf, const KeyRange& range, bool is_counted) {
    const PageImage::Ref base = read(leaf.page, PageType::base, range);
    const PageImage::Ref changes = read(leaf.changes, PageType::changes, range);
    if ((leaf.page.exists() && !base) || (leaf.changes.exists() && !changes)) return;
    Layers layers;
    if (changes) layers.add(Layer{*changes, false});
    if (base) layers.add(Layer{*base, true});
    KeyCounts keys;
    LayersMerge merge{layers};
    while (const MergedKey* key = merge.next()) {
      const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
      const RecordTag tag = layers[key->newest].tag(index);
      const std::uint32_t count_class = class_of_ ? class_of_(key->key) : 0;
      keys.add(count_class, (tag.erased ? 0 : 1) - resolve(layers, *key, true).balance);
      ClassTally& tally = tally_[count_class];
      if (!tag.erased) {
        ++tally.keys;
        if (visit_) visit_(key->key, layers[key->newest].value(index));
      }
      if (tag.guessed) ++tally.guesses;
      verification_.count_records(1);
    }
    if (class_of_ && is_counted && !(keys == leaf.keys)) {
      fail(leaf.page.exists() ? leaf.page : leaf.changes, "has another number of keys than its parent says");
    }
  }

  PageFile& file_;
  const CountClassOf& class_of_;
  Verification& verification_;
  const RecordVisitor& visit_;
  std::map<std::uint32_t, ClassTally> tally_;
  bool is_whole_ = true;
};

}  // namespace

std::map<std::uint32_t, Lsn> verify_trees(FileSystem& files, const std::string& folder,
                                          const CountClassOf& class_of, Verification& verification,
                                          const RecordVisitor& visit,
                                          const std::optional<std::set<std::uint32_t>>& trees) {
  std::map<std::uint32_t, Lsn> persisted;
  const auto report = [&](const std::string& line) { verification.remark(line); };
  const auto file = PageFile::open_to_verify(files, folder, report);
  if (!file) {
    verification.add(file.error());
    return persisted;
  }
  verification.count_file((*file)->stats().file_bytes);
  for (const auto& [tree, state] : (*file)->directory()) {
    persisted.emplace(tree, state.persisted_lsn);
    if (trees && !trees->contains(tree)) continue;
    TreeVerifier{**file, class_of, verification, visit}.run(tree, state);
  }
  return persisted;
}

}  // namespace shale::engine::btree
