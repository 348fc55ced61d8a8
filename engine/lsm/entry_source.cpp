#include "engine/lsm/entry_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/lsm/table_cursor.h"

namespace shale::engine::lsm {
namespace {

bool is_below_end(BytesView key, CursorBounds bounds) { return bounds.end.empty() || key < bounds.end; }

class MemtableSource final : public EntrySource {
 public:
  MemtableSource(const Memtable& memtable, CursorBounds bounds)
      : cursor_(memtable.cursor()), bounds_(bounds) {}

  Status seek(BytesView key) override {
    cursor_.seek(std::max(key, bounds_.begin));
    return look();
  }
  Status seek_before(BytesView key) override {
    cursor_.seek_before(bounds_.end.empty() ? key : std::min(key, bounds_.end));
    return look();
  }
  Status seek_last() override {
    if (!bounds_.end.empty()) return seek_before(bounds_.end);
    cursor_.seek_to_last();
    return look();
  }
  Status next() override {
    cursor_.next();
    return look();
  }
  Status previous() override {
    cursor_.previous();
    return look();
  }
  Result<BytesView> value() override { return entry().value; }

 private:
  Status look() {
    stand_nowhere();
    if (!cursor_.valid()) return {};
    const Entry entry = cursor_.entry();
    const bool is_behind_begin = bounds_.begin.empty() || entry.key >= bounds_.begin;
    if (is_behind_begin && is_below_end(entry.key, bounds_)) stand_on(entry, key_head(entry.key));
    return {};
  }

  Memtable::Cursor cursor_;
  const CursorBounds bounds_;
};

// The slices of a run, one after the other.
class RunSource final : public EntrySource {
 public:
  RunSource(const Run& run, CursorBounds bounds, ReadContext& context)
      : slices_(run.tables()), run_(run), bounds_(bounds), context_(context) {}

  Status seek(BytesView key) override {
    const BytesView from = at_or_behind_begin(key);
    return walk_forward(run_.first_reaching(from), from);
  }
  Status seek_before(BytesView key) override {
    const BytesView to = bounds_.end.empty() ? key : std::min(key, bounds_.end);
    std::size_t end = run_.first_reaching(to);
    if (end != slices_.size() && slices_[end]->begin_key() < to) ++end;
    return walk_backward(end, to);
  }
  Status seek_last() override {
    if (!bounds_.end.empty()) return seek_before(bounds_.end);
    return walk_backward(slices_.size(), slices_.back()->end_key());
  }
  Status next() override {
    if (auto moved = cursor_->next(); !moved) return moved;
    return cursor_->valid() ? look() : walk_forward(place_ + 1, {});
  }
  Status previous() override {
    if (auto moved = cursor_->previous(); !moved) return moved;
    return cursor_->valid() ? look() : walk_backward(place_, slices_[place_]->begin_key());
  }
  Result<BytesView> value() override {
    if (!entry().tag.separated) return entry().value;
    // The pins are kept here: those of a long scan would otherwise add up.
    ReadContext reads;
    auto value = slices_[place_]->value_of(cursor_->entry(), reads, BlockCache::Access::scan);
    for (auto& load : reads.missing) context_.missing.push_back(std::move(load));
    value_pins_ = std::move(reads.pins);
    return value;
  }

 private:
  BytesView at_or_behind_begin(BytesView key) const {
    return bounds_.begin.empty() ? key : std::max(key, bounds_.begin);
  }
  Status look() {
    stand_on(cursor_->entry(), cursor_->head());
    return {};
  }
  // On the first entry >= `key` of this slice or one behind it.
  Status walk_forward(std::size_t place, BytesView key) {
    stand_nowhere();
    for (; place < slices_.size() && is_below_end(slices_[place]->begin_key(), bounds_); ++place) {
      if (auto opened = open(place); !opened) return opened;
      if (auto moved = cursor_->seek(key); !moved) return moved;
      if (cursor_->valid()) return look();
    }
    return {};
  }
  // On the last entry < `key` of the slice before `end` or one before it.
  Status walk_backward(std::size_t end, BytesView key) {
    stand_nowhere();
    for (; end > 0 && slices_[end - 1]->end_key() > bounds_.begin; --end) {
      if (auto opened = open(end - 1); !opened) return opened;
      if (auto moved = cursor_->seek_before(key); !moved) return moved;
      if (cursor_->valid()) return look();
    }
    return {};
  }
  Status open(std::size_t place) {
    if (cursor_ && place == place_) return {};
    const LiveTable& slice = *slices_[place];
    if (!slice.table()) return slice.table().error();
    const BytesView begin = at_or_behind_begin(slice.begin_key());
    const BytesView end = bounds_.end.empty() ? slice.end_key() : std::min(slice.end_key(), bounds_.end);
    place_ = place;
    cursor_.emplace(**slice.table(), CursorBounds{begin, end}, context_);
    return {};
  }

  const std::vector<TableRef>& slices_;
  const Run& run_;
  const CursorBounds bounds_;
  ReadContext& context_;
  std::size_t place_ = 0;
  std::optional<TableCursor> cursor_;  // of the slice at place_
  decltype(ReadContext::pins) value_pins_;
};

bool reaches(const Run& run, CursorBounds bounds) {
  if (!bounds.end.empty()) return run.overlaps(bounds.begin, bounds.end);
  return run.end_key() > bounds.begin;
}

}  // namespace

std::unique_ptr<EntrySource> make_memtable_source(const Memtable& memtable, CursorBounds bounds) {
  return std::make_unique<MemtableSource>(memtable, bounds);
}

void append_table_sources(const Version& version, CursorBounds bounds, ReadContext& context,
                          std::vector<std::unique_ptr<EntrySource>>& sources) {
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    for (const Run& run : version.runs(level)) {
      if (reaches(run, bounds)) sources.push_back(std::make_unique<RunSource>(run, bounds, context));
    }
  }
}

}  // namespace shale::engine::lsm
