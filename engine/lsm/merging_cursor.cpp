#include "engine/lsm/merging_cursor.h"

#include <algorithm>
#include <optional>

#include "engine/lsm/table_cursor.h"

namespace shale::engine::lsm {
namespace {

class MemtableSource final : public EntrySource {
 public:
  explicit MemtableSource(const Memtable& memtable) : cursor_(memtable.cursor()) {}

  Status seek(BytesView key) override {
    cursor_.seek(key);
    return {};
  }
  Status next() override {
    cursor_.next();
    return {};
  }
  bool valid() const override { return cursor_.valid(); }
  Entry entry() const override { return cursor_.entry(); }
  Result<BytesView> value() override { return cursor_.entry().value; }

 private:
  Memtable::Cursor cursor_;
};

// The slices of a run, one after the other.
class RunSource final : public EntrySource {
 public:
  RunSource(std::shared_ptr<const Version> version, const Run& run, ReadContext& context)
      : version_(std::move(version)), run_(run), context_(context) {}

  Status seek(BytesView key) override { return open(run_.first_reaching(key), key); }
  Status next() override {
    if (auto moved = cursor_->next(); !moved) return moved;
    return valid() ? Status{} : open(place_ + 1, {});
  }
  bool valid() const override {
    if (!cursor_ || !cursor_->valid()) return false;
    return key_head(cursor_->key()) < end_head_ || cursor_->key() < run_.tables()[place_]->end_key();
  }
  Entry entry() const override { return cursor_->entry(); }
  Result<BytesView> value() override {
    // The pins are kept here: those of a long scan would otherwise add up.
    ReadContext reads;
    auto value = run_.tables()[place_]->value_of(cursor_->entry(), reads, BlockCache::Access::scan);
    for (auto& load : reads.missing) context_.missing.push_back(std::move(load));
    value_pins_ = std::move(reads.pins);
    return value;
  }

 private:
  // On the first entry >= `key` of this slice or one that follows.
  Status open(std::size_t place, BytesView key) {
    for (place_ = place; place_ < run_.tables().size(); ++place_) {
      const LiveTable& slice = *run_.tables()[place_];
      if (!slice.table()) return slice.table().error();
      cursor_.emplace(*slice.table(), context_);
      end_head_ = key_head(slice.end_key());
      if (auto placed = cursor_->seek(std::max(key, slice.begin_key())); !placed) return placed;
      if (valid()) return {};
    }
    cursor_.reset();
    return {};
  }

  std::shared_ptr<const Version> version_;  // keeps the run
  const Run& run_;
  ReadContext& context_;
  std::size_t place_ = 0;
  std::uint64_t end_head_ = 0;  // of the current slice
  std::optional<TableCursor> cursor_;
  decltype(ReadContext::pins) value_pins_;
};

}  // namespace

std::unique_ptr<EntrySource> make_memtable_source(const Memtable& memtable) {
  return std::make_unique<MemtableSource>(memtable);
}

void append_table_sources(const std::shared_ptr<const Version>& version, ReadContext& context,
                          std::vector<std::unique_ptr<EntrySource>>& sources) {
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    for (const Run& run : version->runs(level)) {
      sources.push_back(std::make_unique<RunSource>(version, run, context));
    }
  }
}

MergingCursor::MergingCursor(std::vector<std::unique_ptr<EntrySource>> newest_first) {
  for (auto& source : newest_first) inputs_.push_back({std::move(source)});
}

void MergingCursor::Input::look() {
  valid = source->valid();
  if (valid) head = key_head(source->entry().key);
}

Status MergingCursor::seek(BytesView key) {
  // Every source is asked even if one lacks a block: what all of them lack is then loaded at once.
  std::optional<Error> error;
  for (Input& input : inputs_) {
    const auto placed = input.source->seek(key);
    if (placed) {
      input.look();
    } else if (!error || error->kind == ErrorKind::not_resident) {
      error = placed.error();
    }
  }
  if (error) return *error;
  choose();
  return settle();
}

Status MergingCursor::next() {
  if (auto moved = step_over_current(); !moved) return moved;
  return settle();
}

Status MergingCursor::settle() {
  while (valid_ && entry_.tag.type != EntryType::value) {
    if (auto moved = step_over_current(); !moved) return moved;
  }
  return {};
}

bool MergingCursor::is_before(const Input& a, const Input& b) const {
  return a.head != b.head ? a.head < b.head : a.source->entry().key < b.source->entry().key;
}

void MergingCursor::choose() {
  valid_ = false;
  alone_ = true;
  next_head_ = UINT64_MAX;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Input& input = inputs_[i];
    if (!input.valid) continue;
    std::uint64_t other_head = input.head;
    if (!valid_) {
      current_ = i;
      valid_ = true;
      continue;
    }
    alone_ = false;
    if (is_before(input, inputs_[current_])) {
      other_head = inputs_[current_].head;
      current_ = i;
    }
    next_head_ = std::min(next_head_, other_head);
  }
  if (valid_) entry_ = inputs_[current_].source->entry();
}

Status MergingCursor::step_over_current() {
  shadowed_.clear();
  if (!alone_ && next_head_ == inputs_[current_].head) {
    // Found before anything moves: the current key is a view of what moves.
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Input& input = inputs_[i];
      const bool shares_head = i != current_ && input.valid && input.head == inputs_[current_].head;
      if (shares_head && input.source->entry().key == entry_.key) shadowed_.push_back(i);
    }
  }
  shadowed_.push_back(current_);
  for (const std::size_t i : shadowed_) {
    if (auto moved = inputs_[i].source->next(); !moved) return moved;
    inputs_[i].look();
  }
  // As a rule several entries of one source follow each other.
  const Input& current = inputs_[current_];
  if (current.valid && (alone_ || current.head < next_head_)) {
    entry_ = current.source->entry();
    return {};
  }
  choose();
  return {};
}

}  // namespace shale::engine::lsm
