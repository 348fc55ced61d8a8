#include "engine/lsm/merging_cursor.h"

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

 private:
  Memtable::Cursor cursor_;
};

class TableSource final : public EntrySource {
 public:
  TableSource(const LiveTable& table, ReadContext& context) : cursor_(table.shared_table(), context) {}

  Status seek(BytesView key) override { return cursor_.seek(key); }
  Status next() override { return cursor_.next(); }
  bool valid() const override { return cursor_.valid(); }
  Entry entry() const override { return cursor_.entry(); }

 private:
  TableCursor cursor_;
};

// A level of disjoint tables, one after the other.
class LevelSource final : public EntrySource {
 public:
  LevelSource(std::shared_ptr<const Version> version, std::uint32_t level, ReadContext& context)
      : version_(std::move(version)), level_(level), context_(context) {}

  Status seek(BytesView key) override {
    open(version_->first_reaching(level_, key));
    return cursor_ ? cursor_->seek(key) : Status{};
  }
  Status next() override {
    if (auto moved = cursor_->next(); !moved) return moved;
    if (cursor_->valid()) return {};
    open(place_ + 1);
    return cursor_ ? cursor_->seek_first() : Status{};
  }
  bool valid() const override { return cursor_ && cursor_->valid(); }
  Entry entry() const override { return cursor_->entry(); }

 private:
  void open(std::size_t place) {
    place_ = place;
    cursor_.reset();
    const auto& tables = version_->level(level_);
    if (place < tables.size()) cursor_.emplace(tables[place]->shared_table(), context_);
  }

  std::shared_ptr<const Version> version_;
  const std::uint32_t level_;
  ReadContext& context_;
  std::size_t place_ = 0;
  std::optional<TableCursor> cursor_;
};

}  // namespace

std::unique_ptr<EntrySource> make_memtable_source(const Memtable& memtable) {
  return std::make_unique<MemtableSource>(memtable);
}

void append_table_sources(const std::shared_ptr<const Version>& version, ReadContext& context,
                          std::vector<std::unique_ptr<EntrySource>>& sources) {
  for (const TableRef& table : version->level(0))
    sources.push_back(std::make_unique<TableSource>(*table, context));
  for (std::uint32_t level = 1; level < Version::kLevelCount; ++level) {
    if (!version->level(level).empty())
      sources.push_back(std::make_unique<LevelSource>(version, level, context));
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
    const EntrySource* smallest = nullptr;  // the newest of those with the smallest key
    for (const auto& source : sources_) {
      if (!source->valid()) continue;
      if (smallest == nullptr || source->entry().key < entry_.key) {
        smallest = source.get();
        entry_ = source->entry();
      }
    }
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
