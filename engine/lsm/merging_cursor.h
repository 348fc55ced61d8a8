// Walks a whole tree in key order for foreground scans: merges memtables and tables, newest first, and passes
// over tombstones. Made and used under the owner's lock; see engine.h for what may come back from seek and
// next.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/memtable.h"
#include "engine/lsm/value_reference.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

static_assert(kValueHeadBytes >= Cursor::kHeadBytes);

// One sorted run among those that are merged.
class EntrySource {
 public:
  virtual ~EntrySource() = default;
  virtual Status seek(BytesView key) = 0;
  virtual Status next() = 0;
  virtual bool valid() const = 0;
  virtual Entry entry() const = 0;
  // Of the current entry, wherever it is. Errors: not_resident, io, corruption.
  virtual Result<BytesView> value() = 0;
};

std::unique_ptr<EntrySource> make_memtable_source(const Memtable& memtable);
// All runs of the version, newest first, appended to `sources`.
void append_table_sources(const std::shared_ptr<const Version>& version, ReadContext& context,
                          std::vector<std::unique_ptr<EntrySource>>& sources);

class MergingCursor final : public Cursor {
 public:
  explicit MergingCursor(std::vector<std::unique_ptr<EntrySource>> newest_first)
      : sources_(std::move(newest_first)) {}

  Status seek(BytesView key) override;
  Status next() override;
  bool valid() const override { return valid_; }
  BytesView key() const override { return entry_.key; }
  BytesView head() const override { return value_head(entry_); }
  Result<BytesView> value() override { return source_->value(); }

 private:
  Status settle();             // finds the next live entry among where the sources stand
  Status step_over_current();  // moves every source past the current key

  std::vector<std::unique_ptr<EntrySource>> sources_;
  bool valid_ = false;
  EntrySource* source_ = nullptr;  // of entry_
  Entry entry_;
};

}  // namespace shale::engine::lsm
