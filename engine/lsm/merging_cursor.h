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
  explicit MergingCursor(std::vector<std::unique_ptr<EntrySource>> newest_first);

  Status seek(BytesView key) override;
  Status next() override;
  bool valid() const override { return valid_; }
  BytesView key() const override { return entry_.key; }
  BytesView head() const override { return value_head(entry_); }
  Result<BytesView> value() override { return inputs_[current_].source->value(); }

 private:
  // A source, and what is asked of it at every step, kept at hand.
  struct Input {
    std::unique_ptr<EntrySource> source;
    std::uint64_t head = 0;  // key_head of its entry's key
    bool valid = false;

    void look();
  };

  Status settle();             // finds the next live entry among where the inputs stand
  Status step_over_current();  // moves every input past the current key
  void choose();               // the newest of the inputs with the smallest key becomes the current one
  bool is_before(const Input& a, const Input& b) const;

  std::vector<Input> inputs_;          // newest first
  std::vector<std::size_t> shadowed_;  // inputs that stand on the current key, too
  bool valid_ = false;
  std::size_t current_ = 0;
  std::uint64_t next_head_ = 0;  // the smallest among the other inputs; no smaller key is there
  bool alone_ = false;           // no other input is valid
  Entry entry_;                  // of the current input
};

}  // namespace shale::engine::lsm
