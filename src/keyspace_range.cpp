#include "src/keyspace_range.h"

#include <algorithm>
#include <memory>

#include "cluster/position.h"
#include "cluster/shard_lock.h"

namespace shale::server {
namespace {

using cluster::DatabaseId;

// All positions of a token in one database, or where keys are placed by range of one database, begin with the
// same bytes, and so does every boundary between them: what follows those bytes is a key, of the store or
// not.
class Piece {
 public:
  Piece(cluster::Store& store, KeyRange& left, cluster::Transaction* within)
      : store_(store), placement_(store.placement()), left_(left), within_(within) {}

  // Where the piece lies. The epoch first: a change in between is noticed under the shard's lock.
  void route(unsigned database) {
    epoch_ = store_.epoch();
    layout_ = store_.layout();
    const DatabaseId id = within_ != nullptr ? within_->database_id(database) : store_.database_id(database);
    begin_ = position(id, left_.begin);
    end_ = left_.end ? position(id, *left_.end) : cluster::end_of_prefix(position(id, {}));
    const auto& boundaries = layout_->map().boundaries();
    std::size_t range = layout_->map().range_of(begin_);
    if (left_.reverse) {
      range = end_.empty() ? boundaries.size() - 1 : layout_->map().range_of(end_);
      if (BytesView{boundaries[range].begin} == BytesView{end_} && range > 0) --range;
    }
    shard_ = &layout_->owner_of_range(range);
    cut_begin_ = BytesView{boundaries[range].begin} > BytesView{begin_};
    if (cut_begin_) begin_ = boundaries[range].begin;
    const bool has_next = range + 1 < boundaries.size();
    cut_end_ = has_next && (end_.empty() || BytesView{boundaries[range + 1].begin} < BytesView{end_});
    if (cut_end_) end_ = boundaries[range + 1].begin;
  }

  cluster::Shard& shard() const { return *shard_; }
  bool is_stale() const { return store_.epoch() != epoch_; }
  engine::CursorBounds bounds() const { return {begin_, end_}; }

  void take_off(BytesView position) {
    const BytesView key = placement_.key_of(position);
    if (left_.reverse) {
      left_.end.emplace(key);
    } else {
      left_.begin.assign(key) += '\0';
    }
  }
  // All of the piece has been read. Whether that was all that was left.
  bool take_off_all() {
    if (left_.reverse) {
      left_.end = cut_begin_ ? Bytes(placement_.key_of(begin_)) : left_.begin;
      return !cut_begin_;
    }
    if (cut_end_) left_.begin = placement_.key_of(end_);
    return !cut_end_;
  }

 private:
  Bytes position(DatabaseId database, BytesView key) const {
    Bytes made;
    placement_.append(left_.token, database, key, made);
    return made;
  }

  cluster::Store& store_;
  const cluster::Placement placement_;
  KeyRange& left_;
  cluster::Transaction* const within_;
  std::uint64_t epoch_ = 0;
  std::shared_ptr<const cluster::Layout> layout_;
  cluster::Shard* shard_ = nullptr;
  Bytes begin_;
  Bytes end_;
  bool cut_begin_ = false;  // by a boundary between shards
  bool cut_end_ = false;
};

engine::Result<Value> value_of(BytesView stored) {
  if (stored.empty()) return engine::corruption("a stored value lacks its header");
  const Value value = decode_value(stored);
  if (!value.large && value_is_large(stored)) {
    return engine::corruption("a stored value's reference to a large value is too short");
  }
  return value;
}

struct Visit {
  std::int64_t now_ms;
  bool keys_only;
  const VisitPair& visit;
  std::size_t bytes = 0;  // of the record visited last, as far as it was read
};

// The cursor's record. What the visitor has said.
engine::Result<bool> visit_record(engine::Cursor& cursor, BytesView key, Visit& visit) {
  visit.bytes = 0;
  const BytesView head = cursor.head();
  if (value_expired(head, visit.now_ms)) return true;
  visit.bytes = key.size();
  if (visit.keys_only) return head.empty() || visit.visit(key, decode_value(head));
  const auto stored = cursor.value();
  if (!stored) return stored.error();
  const auto value = value_of(*stored);
  if (!value) return value.error();
  visit.bytes += stored->size();
  return visit.visit(key, *value);
}

}  // namespace

engine::Result<bool> read_range_piece(cluster::Store& store, engine::ReadContext& reads, unsigned database,
                                      std::int64_t now_ms, KeyRange& left, const RangePieceLimits& limits,
                                      const VisitPair& visit, cluster::Transaction* within) {
  if (left.end && left.begin >= *left.end) return true;
  Piece piece(store, left, within);
  piece.route(database);
  std::optional<cluster::BusyShardLock> lock;
  if (within == nullptr) lock.emplace(piece.shard(), store.clock());
  if (piece.is_stale()) return false;
  const engine::CursorBounds bounds = piece.bounds();
  const auto cursor =
      within != nullptr ? within->cursor(piece.shard(), bounds) : piece.shard().engine->cursor(bounds, reads);
  auto moved = left.reverse ? cursor->seek_last() : cursor->seek({});
  std::size_t records_left = limits.records;
  std::size_t bytes_left = limits.bytes;
  Visit visiting{now_ms, limits.keys_only, visit};
  Bytes position;
  while (moved && cursor->valid()) {
    position = cursor->key();
    const auto goes_on = visit_record(*cursor, store.placement().key_of(position), visiting);
    if (!goes_on) return goes_on.error();
    piece.take_off(position);
    if (!*goes_on || --records_left == 0 || visiting.bytes >= bytes_left) return false;
    bytes_left -= visiting.bytes;
    moved = left.reverse ? cursor->previous() : cursor->next();
  }
  if (!moved) return moved.error();
  return piece.take_off_all();
}

}  // namespace shale::server
