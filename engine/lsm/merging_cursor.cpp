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
    return cursor_ && cursor_->valid() && cursor_->key() < run_.tables()[place_]->end_key();
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

Status MergingCursor::seek(BytesView key) {
  // Every source is asked even if one lacks a block: what all of them lack is then loaded at once.
  std::optional<Error> error;
  for (const auto& source : sources_) {
    if (auto placed = source->seek(key); !placed && (!error || error->kind == ErrorKind::not_resident)) {
      error = placed.error();
    }
  }
  if (error) return *error;
  return settle();
}

Status MergingCursor::next() {
  if (auto moved = step_over_current(); !moved) return moved;
  return settle();
}

Status MergingCursor::settle() {
  for (;;) {
    EntrySource* smallest = nullptr;  // the newest of those with the smallest key
    for (const auto& source : sources_) {
      if (!source->valid()) continue;
      if (smallest == nullptr || source->entry().key < entry_.key) {
        smallest = source.get();
        entry_ = source->entry();
      }
    }
    source_ = smallest;
    valid_ = smallest != nullptr;
    if (!valid_ || entry_.tag.type == EntryType::value) return {};
    if (auto moved = step_over_current(); !moved) return moved;
  }
}

Status MergingCursor::step_over_current() {
  const Bytes key{entry_.key};  // the entry's own view moves away under us
  for (const auto& source : sources_) {
    if (!source->valid() || source->entry().key != key) continue;
    if (auto moved = source->next(); !moved) return moved;
  }
  return {};
}

}  // namespace shale::engine::lsm
