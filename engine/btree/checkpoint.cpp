#include "engine/btree/checkpoint.h"

#include <algorithm>
#include <utility>

#include "engine/btree/leaf_load.h"
#include "engine/btree/leaf_size.h"
#include "engine/btree/tree.h"

namespace shale::engine::btree {

Checkpoint::Checkpoint(Tree& tree, const Snapshot& snapshot)
    : tree_(tree),
      snapshot_(snapshot),
      writer_(tree.store_.file(), tree.id_, std::min(PageWriter::kRunBytesMax, tree.store_.sync_bytes())),
      move_from_(tree.store_.file().move_from()) {
  progress_.moved_from = move_from_;
}

Status Checkpoint::run() {
  for (const InnerNode::Ref& root : snapshot_.dropped_roots) append_pages(*root, progress_.superseded);
  const auto root = write_node(snapshot_.root);
  if (!root) return root.error();
  if (auto installed = install(); !installed) return installed;
  return commit(root->page);
}

void Checkpoint::note_memory() {
  charge_.set(written_leaves_.capacity() * sizeof(WrittenLeaf) +
              written_inner_.capacity() * sizeof(WrittenInner) +
              progress_.superseded.capacity() * sizeof(PageAddress));
}

// --- Walking

// Nobody changes what was dropped before this checkpoint began.
bool Checkpoint::is_clean(const InnerNode& node) const {
  return node.page.exists() && node.changed_epoch <= node.written_epoch;
}

// Where pages are to be moved, it looks at all nodes, for those that lie there.
Result<Checkpoint::NodeOnDisk> Checkpoint::write_node(const InnerNode::Ref& node) {
  const bool is_moving = move_from_ != PageFile::kNowhere;
  bool is_changed = false;
  bool is_given_up = tree_.store_.background().stopping();
  NodeOnDisk before;
  {
    const std::lock_guard lock{tree_.owner_};
    is_changed = !is_clean(*node);
    is_given_up |= tree_.stopping_;  // others are to take the tree's place, and wait
    before = {node->page, node->written_keys};
  }
  if (!is_changed && !is_moving) return before;
  if (is_given_up) return Error{ErrorKind::busy, {}};
  const std::uint64_t written_before = pages_written_;
  InnerPage page;
  page.level = node->level();
  if (auto written = node->level() == 1 ? write_leaves(*node, page) : write_children(*node, page); !written) {
    return written.error();
  }
  if (!is_changed && !is_to_move(before.page) && pages_written_ == written_before) return before;
  WrittenInner written{node, {}, page.keys()};
  if (auto added = add_page(page.encode(), PageType::inner, written.page); !added) return added.error();
  NodeOnDisk now{written.page, written.keys};
  written_inner_.push_back(std::move(written));
  if (auto installed = install_when_due(); !installed) return installed.error();
  return now;
}

// Who writes changes of some hundred bytes holds bases of many KiB meanwhile, which the pool cannot let go
// of.
Status Checkpoint::install_when_due() {
  note_memory();
  if (std::max(writer_.unsynced_bytes(), held_bytes_) < tree_.store_.sync_bytes()) return {};
  return install();
}

Status Checkpoint::write_children(const InnerNode& node, InnerPage& page) {
  for (std::size_t i = 0; i < node.count(); ++i) {
    const auto child = write_node(InnerNode::Ref{&node.inner(i)});
    if (!child) return child.error();
    page.children.push_back({node.separator(i), child->page, {}, child->keys});
  }
  return {};
}

Status Checkpoint::write_leaves(const InnerNode& node, InnerPage& page) {
  constexpr std::size_t kLeaves = 64;  // at a time, so that nobody waits long for the lock
  for (std::size_t first = 0; first < node.count(); first += kLeaves) {
    std::vector<TakenLeaf> taken(std::min(kLeaves, node.count() - first));
    take_leaves(node, first, taken);
    for (std::size_t i = 0; i < taken.size(); ++i) {
      const Bytes& separator = node.separator(first + i);
      if (!taken[i].leaf) {
        page.children.push_back(
            {separator, taken[i].page, taken[i].changes_page, taken[i].keys, taken[i].obsolete_from_ms});
        continue;
      }
      auto written = taken[i].is_moved ? move_leaf(std::move(taken[i])) : write_leaf(std::move(taken[i]));
      if (!written) return written.error();
      add_leaf(page, separator, *written);
      written_leaves_.push_back(std::move(*written));
      if (auto installed = install_when_due(); !installed) return installed;
    }
  }
  return {};
}

// Of those that need not be written only the pages.
void Checkpoint::take_leaves(const InnerNode& node, std::size_t first, std::span<TakenLeaf> taken) {
  const std::lock_guard lock{tree_.owner_};
  target_bytes_ = tree_.target_bytes();
  for (TakenLeaf& to : taken) {
    Leaf& leaf = node.leaf(first++);
    if (leaf.buffer && leaf.buffer_epoch <= snapshot_.epoch) {
      const std::int64_t change = Tree::freeze(leaf);
      const bool is_counted = !leaf.is_retired && snapshot_.generation == tree_.generation_;
      if (is_counted) tree_.note_changed_memory(change);
    }
    to.changes_page = leaf.changes_page;
    to.page = leaf.page;
    to.keys = leaf.keys;
    to.obsolete_from_ms = leaf.obsolete_from_ms;
    if (!leaf.frozen && leaf.base_is_written()) {
      to.is_moved = is_to_move(leaf.page) || is_to_move(leaf.changes_page);
      if (to.is_moved) to.leaf = &leaf;
      continue;
    }
    to.leaf = &leaf;
    to.frozen = leaf.frozen;
    to.changes = leaf.changes;
    to.base = leaf.base;
  }
}

void Checkpoint::add_leaf(InnerPage& page, const Bytes& separator, const WrittenLeaf& written) {
  if (written.pieces.empty()) {
    page.children.push_back(
        {separator, written.page, written.changes_page, written.keys, written.obsolete_from_ms});
    return;
  }
  for (const WrittenPiece& piece : written.pieces) {
    const bool is_first = &piece == &written.pieces.front();
    page.children.push_back(
        {is_first ? separator : piece.separator, piece.page, {}, piece.keys, piece.obsolete_from_ms});
  }
}

// --- Leaves

// The changes so far and the fresh ones against the base: docs/btree.md, "A leaf has layers".
bool Checkpoint::is_worth_a_base(const TakenLeaf& taken) {
  if (!taken.page.exists()) return true;
  const auto fresh = static_cast<double>(taken.frozen->page_bytes());
  const double changes = fresh + taken.changes_page.bytes;
  // Whoever erases wants the space, and an erased record is smaller than what it erases.
  constexpr double kErasedPart = 0.125;
  const bool is_erasing = 2 * taken.frozen->erased_bytes() > taken.frozen->page_bytes();
  if (is_erasing && changes >= kErasedPart * taken.page.bytes) return true;
  return changes * changes >= 2 * fresh * taken.page.bytes;
}

bool Checkpoint::is_damage(const Status& status) {
  return !status && status.error().kind == ErrorKind::corruption;
}

Result<WrittenLeaf> Checkpoint::write_leaf(TakenLeaf taken) {
  WrittenLeaf written;
  written.taken = std::move(taken);
  ++progress_.leaves_changed;
  progress_.fresh_bytes +=
      written.taken.frozen ? written.taken.frozen->page_bytes() : written.taken.base->bytes();
  Status status = read_missing(written.taken.changes, written.taken.changes_page, PageType::changes);
  // Twice, since what follows is final.
  if (is_damage(status)) {
    status = read_missing(written.taken.changes, written.taken.changes_page, PageType::changes);
  }
  if (is_damage(status)) {
    note_damage(status.error());
    written.taken.base = nullptr;
    written.gives_up_base = true;
    status = write_changes(written);
  } else if (status && (is_worth_a_base(written.taken) || is_to_move(written.taken.page))) {
    status = read_missing(written.taken.base, written.taken.page, PageType::base);
    // A base that is damaged goes on to be one that cannot be read; what has been written since can.
    if (is_damage(status)) {
      note_damage(status.error());
      status = write_changes(written);
    } else if (status) {
      status = write_base(written);
    }
  } else if (status) {
    status = write_changes(written);
  }
  if (!status) return status.error();
  for (const PageImage::Ref& image : {written.taken.base, written.base, written.changes}) {
    if (image) held_bytes_ += image->memory_bytes();
  }
  held_bytes_ += sizeof(WrittenLeaf);
  return written;
}

void Checkpoint::note_damage(const Error& error) {
  if (tree_.store_.options().on_damage) tree_.store_.options().on_damage(error.message);
}

Status Checkpoint::read_missing(PageImage::Ref& image, const PageAddress& page, PageType type) {
  if (image || !page.exists()) return {};
  auto read = read_record_page(tree_.store_.file(), page, type);
  if (!read) return read.error();
  progress_.bytes_read += page.bytes;
  pay_for(page.bytes);
  image = std::move(*read);
  return {};
}

Layers Checkpoint::layers_of(const TakenLeaf& taken, bool with_base) const {
  Layers layers;
  if (taken.frozen) layers.add(Layer{*taken.frozen});
  if (taken.changes) layers.add(Layer{*taken.changes, false});
  if (with_base && taken.base) layers.add(Layer{*taken.base, true});
  return layers;
}

Status Checkpoint::write_base(WrittenLeaf& written) {
  const TakenLeaf& taken = written.taken;
  ++progress_.bases;
  if (!taken.frozen) {  // it has been built in memory, as it should be
    written.base = taken.base;
    written.keys = taken.keys;
    written.obsolete_from_ms = taken.obsolete_from_ms;
    return add_page(written.base, PageType::base, written.page);
  }
  const KeyPolicy& policy = *tree_.store_.options().policy;
  const std::int64_t now_ms = tree_.store_.options().clock->unix_ms();
  if (taken.base) progress_.merged_bytes += taken.base->bytes();
  const Layers layers = layers_of(taken, true);
  RecordList records;
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const Resolved record = resolve(layers, *key, true);
    if (record.balance != 0) written.corrections.add(policy.count_class(key->key), record.balance);
    if (record.tag.erased) continue;
    const BytesView value = layers[key->newest].value(static_cast<std::uint32_t>(key->index[key->newest]));
    if (tree_.store_.is_obsolete(key->key, value, now_ms)) {
      written.dropped_keys.emplace_back(key->key);
    } else {
      records.add(key->key, value, {});
    }
  }
  return write_records(records, written);
}

KeyCounts Checkpoint::keys_of(std::span<const Record> records) const {
  KeyCounts keys;
  for (const Record& record : records) keys.add(tree_.store_.options().policy->count_class(record.key), 1);
  return keys;
}

// A leaf that has grown too large leaves as several.
Status Checkpoint::write_records(const RecordList& records, WrittenLeaf& written) {
  if (records.count() == 0) return {};
  const std::size_t bytes_max =
      records.bytes() > leaf_bytes_split(target_bytes_) ? leaf_bytes_max(target_bytes_) : records.bytes();
  const auto pieces = cut_records(records.records(), records.bytes(), bytes_max, false);
  if (pieces.size() == 1) {
    written.base = build_record_page(pieces.front());
    written.keys = keys_of(pieces.front());
    written.obsolete_from_ms = obsolete_from_of(pieces.front(), *tree_.store_.options().policy);
    return add_page(written.base, PageType::base, written.page);
  }
  BytesView last_key;
  for (const auto& records_of_piece : pieces) {
    WrittenPiece piece;
    if (!written.pieces.empty()) piece.separator = separator_between(last_key, records_of_piece.front().key);
    piece.base = build_record_page(records_of_piece);
    piece.keys = keys_of(records_of_piece);
    piece.obsolete_from_ms = obsolete_from_of(records_of_piece, *tree_.store_.options().policy);
    if (auto added = add_page(piece.base, PageType::base, piece.page); !added) return added;
    written.pieces.push_back(std::move(piece));
    last_key = records_of_piece.back().key;
  }
  return {};
}

// A wrong guess is a key that is not counted. All leaves that have some are looked into for as long as that
// finds wrong ones, as while new keys come in; otherwise, where records are written over that are not in
// memory, one in sixteen, to notice when that changes.
bool Checkpoint::is_worth_looking_up(const TakenLeaf& taken) {
  constexpr std::uint64_t kSampled = 16;
  if (taken.frozen->guess_count() == 0) return false;
  return snapshot_.looks_up_guesses || leaves_with_guesses_++ % kSampled == 0;
}

// What a record of the changes says, once it has been held to the base, if that is at hand.
Resolved Checkpoint::settle(const Layers& layers, const MergedKey& key, const TakenLeaf& taken) {
  Resolved record = resolve(layers, key, false);
  if (!record.tag.guessed || (!taken.base && taken.page.exists())) return record;
  ++progress_.guesses;
  record.tag.guessed = false;
  if (taken.base && RecordPage{taken.base->payload()}.find(key.key)) return record;
  ++progress_.wrong_guesses;
  ++record.balance;
  return record;
}

Status Checkpoint::write_changes(WrittenLeaf& written) {
  ++progress_.changes;
  const bool was_in_memory = written.taken.base != nullptr;
  if (!written.gives_up_base && is_worth_looking_up(written.taken)) {
    // If it cannot be read, they stay guesses.
    static_cast<void>(read_missing(written.taken.base, written.taken.page, PageType::base).has_value());
  }
  const KeyPolicy& policy = *tree_.store_.options().policy;
  const Layers layers = layers_of(written.taken, false);
  RecordList records;
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const Resolved record = settle(layers, *key, written.taken);
    if (record.balance != 0) written.corrections.add(policy.count_class(key->key), record.balance);
    records.add(key->key, layers[key->newest].value(static_cast<std::uint32_t>(key->index[key->newest])),
                record.tag);
  }
  written.keys = written.taken.keys;
  written.keys.add(written.taken.frozen->balance());
  written.keys.add(written.corrections);
  written.obsolete_from_ms = obsolete_from_of_changes(written.taken);
  // What the changes said nobody knows: no key that has not been written since can be read. So the leaf
  // stands on the damaged page from now on, where readers find it as they find a damaged base.
  written.page = written.gives_up_base ? written.taken.changes_page : written.taken.page;
  written.base = written.taken.base;
  written.changes = build_record_page(records.records());
  if (was_in_memory) {
    progress_.merged_bytes += written.base->bytes();
    written.base = apply_changes(*written.changes, *written.base);
    written.base_has_changes = true;
  }
  return add_page(written.changes, PageType::changes, written.changes_page);
}

// What is erased was deleted just now; what was before, in these pages, they say themselves.
std::int64_t Checkpoint::obsolete_from_of_changes(const TakenLeaf& taken) const {
  const TreeStoreOptions& options = tree_.store_.options();
  std::int64_t from_ms = taken.obsolete_from_ms;
  for (std::uint32_t i = 0; i < taken.frozen->count(); ++i) {
    const Record record = taken.frozen->at(i);
    from_ms =
        std::min(from_ms, record.tag.erased ? options.clock->unix_ms()
                                            : options.policy->obsolete_from_ms(record.key, record.value));
  }
  return from_ms;
}

// --- Moving

// To where there is room, which is further in front as a rule: docs/btree.md, "Free space".
Result<WrittenLeaf> Checkpoint::move_leaf(TakenLeaf taken) {
  WrittenLeaf written;
  written.page = taken.page;
  written.changes_page = taken.changes_page;
  written.keys = taken.keys;
  written.obsolete_from_ms = taken.obsolete_from_ms;
  written.taken = std::move(taken);
  if (auto moved = move_page(written.page, PageType::base); !moved) return moved.error();
  if (auto moved = move_page(written.changes_page, PageType::changes); !moved) return moved.error();
  return written;
}

Status Checkpoint::move_page(PageAddress& page, PageType type) {
  if (!is_to_move(page)) return {};
  const auto image = tree_.store_.file().read(page, type);
  if (!image) {
    if (image.error().kind != ErrorKind::corruption) return image.error();
    note_damage(image.error());  // and the file stays as long as it is
    return {};
  }
  progress_.bytes_read += page.bytes;
  progress_.moved_bytes += page.bytes;
  const std::uint64_t offset_before = page.offset;
  if (auto added = add_page(*image, type, page); !added) return added;
  if (page.offset > offset_before) {
    progress_.found_no_room = true;
    move_from_ = PageFile::kNowhere;
  }
  return {};
}

// --- Making pages

Status Checkpoint::add_page(const PageImage::Ref& image, PageType type, PageAddress& page) {
  const auto address = writer_.add(*image, type);
  if (!address) return address.error();
  page = *address;
  ++pages_written_;
  pay_for(page.bytes);
  return {};
}

// In pieces that are worth a look at the clock.
void Checkpoint::pay_for(std::uint64_t bytes) {
  constexpr std::uint64_t kPiece = 64u << 10;
  unpaid_bytes_ += bytes;
  if (unpaid_bytes_ < kPiece) return;
  const std::uint64_t piece = std::exchange(unpaid_bytes_, 0);
  if (!tree_.is_checkpoint_urgent_) tree_.store_.pay(piece, snapshot_.work_per_byte);
}

// --- Making it count

Status Checkpoint::install() {
  if (auto synced = writer_.sync(); !synced) return synced;
  progress_.bytes_written = writer_.bytes_added();
  std::vector<WrittenLeaf> leaves = std::exchange(written_leaves_, {});
  std::vector<WrittenInner> inner = std::exchange(written_inner_, {});
  tree_.install(leaves, inner, progress_);
  held_bytes_ = 0;
  note_memory();
  return {};  // what the leaves let go of is freed here, without the lock
}

Status Checkpoint::commit(const PageAddress& root) {
  TreeState state{snapshot_.lsn, root, snapshot_.counts};
  state.counts.add(progress_.count_changes.all());
  Lsn lsn = snapshot_.lsn;
  {
    // Classes become obsolete under this mutex: if one has been seen to go, its record is known here.
    const std::lock_guard lock{tree_.owner_};
    lsn = std::max(lsn, tree_.reclaim_lsn_);
  }
  if (auto durable = tree_.store_.options().barrier->wait_until_durable(lsn); !durable) return durable;
  return tree_.store_.file().commit(tree_.id_, state);
}

}  // namespace shale::engine::btree
