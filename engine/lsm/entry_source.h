// What a scan of a tree merges: sorted runs of entries, each behind the same small interface.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/memtable.h"
#include "engine/lsm/version.h"

namespace shale::engine::lsm {

// One sorted run, tombstones included, within bounds: moves as engine's Cursor does. Where it stands is kept
// at hand, since a merge asks for it far more often than it moves.
class EntrySource {
 public:
  virtual ~EntrySource() = default;
  virtual Status seek(BytesView key) = 0;
  virtual Status seek_before(BytesView key) = 0;
  virtual Status seek_last() = 0;
  virtual Status next() = 0;
  virtual Status previous() = 0;
  // Of the current entry, wherever it is. Errors: not_resident, io, corruption.
  virtual Result<BytesView> value() = 0;

  bool valid() const { return valid_; }
  const Entry& entry() const { return entry_; }  // requires valid(); views valid until the next move
  std::uint64_t head() const { return head_; }   // key_head of its key

 protected:
  void stand_on(const Entry& entry, std::uint64_t head) {
    valid_ = true;
    entry_ = entry;
    head_ = head;
  }
  void stand_nowhere() { valid_ = false; }

 private:
  bool valid_ = false;
  Entry entry_;
  std::uint64_t head_ = 0;
};

// The bytes of the bounds, memtable, version and context must outlive the sources.
std::unique_ptr<EntrySource> make_memtable_source(const Memtable& memtable, CursorBounds bounds);
// All runs of the version that reach into the bounds, newest first, appended to `sources`.
void append_table_sources(const Version& version, CursorBounds bounds, ReadContext& context,
                          std::vector<std::unique_ptr<EntrySource>>& sources);

}  // namespace shale::engine::lsm
