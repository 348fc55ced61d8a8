#include "src/keyspace_walk.h"

#include <algorithm>
#include <limits>

#include "cluster/position.h"
#include "cluster/shard_lock.h"

namespace shale::server {
namespace {

using cluster::DatabaseId;

class Walk {
 public:
  Walk(cluster::Store& store, engine::ReadContext& reads, unsigned database, std::int64_t now_ms,
       const WalkLimits& limits, const VisitKey& visit, cluster::Transaction* within)
      : store_(store),
        placement_(store.placement()),
        reads_(reads),
        database_(database),
        now_ms_(now_ms),
        keys_left_(limits.keys),
        records_left_(limits.records),
        ranges_left_(limits.ranges),
        token_end_(limits.token_end),
        visit_(visit),
        within_(within) {}

  engine::Result<WalkEnd> run(ScanPlace from, const std::optional<TokenPrefix>& only) {
    if (only) {
      if (from.token > only->token) return WalkEnd{};
      if (from.token < only->token || from.key < only->prefix) from = {only->token, only->prefix};
      only_ = &*only;
    }
    walked_ = coarse_place(placement_, from.token, from.key);
    next_ = std::move(from);
    route();
    while (next_ && !full_ && ranges_left_ > 0) {
      if (auto walked = walk_range(); !walked) {
        if (!progressed_ || walked.error().kind != engine::ErrorKind::not_resident) return walked.error();
        break;
      }
    }
    return WalkEnd{next_, walked_};
  }

 private:
  Bytes position_of(const ScanPlace& place) const {
    Bytes position;
    placement_.append(place.token, id_, place.key, position);
    return position;
  }

  // The first place of the database at or after any position, also one of another database or a boundary that
  // is shorter than a position. Nothing if there is none.
  std::optional<ScanPlace> place_of(BytesView position) const {
    Bytes padded(position);
    if (padded.size() < placement_.prefix_bytes()) padded.resize(placement_.prefix_bytes(), '\0');
    const cluster::PositionParts parts = placement_.split(padded);
    if (parts.database < id_) return ScanPlace{parts.token, {}};
    if (parts.database == id_) return ScanPlace{parts.token, Bytes(parts.key)};
    const bool ends = !placement_.is_ring() || parts.token == std::numeric_limits<std::uint64_t>::max();
    return ends ? std::nullopt : std::optional{ScanPlace{parts.token + 1, {}}};
  }

  void route() {
    // The epoch first: a change in between is noticed under the next lock.
    epoch_ = store_.epoch();
    layout_ = store_.layout();
    id_ = within_ != nullptr ? within_->database_id(database_) : store_.database_id(database_);
    if (only_ != nullptr) {
      stop_ = cluster::end_of_prefix(position_of({only_->token, only_->prefix}));
    } else if (token_end_) {
      stop_.clear();
      placement_.append(*token_end_, 0, {}, stop_);
      stop_.resize(cluster::kTokenBytes);
    } else if (!placement_.is_ring()) {
      stop_ = cluster::end_of_prefix(position_of({}));  // a database is one run of positions
    }
  }

  // What is left of the range that next_ lies in, or as much as the limits allow.
  engine::Status walk_range() {
    const Bytes begin = position_of(*next_);
    if (!stop_.empty() && begin >= stop_) {
      next_.reset();
      return {};
    }
    const auto layout = layout_;  // stays, whatever route() does
    const std::size_t range = layout->map().range_of(begin);
    const auto& boundaries = layout->map().boundaries();
    cluster::Shard& shard = layout->owner_of_range(range);
    std::optional<cluster::BusyShardLock> lock;
    if (within_ == nullptr) lock.emplace(shard, store_.clock());
    if (store_.epoch() != epoch_) {
      route();
      return {};
    }
    const bool last =
        range + 1 == boundaries.size() || (!stop_.empty() && BytesView{boundaries[range + 1].begin} >= stop_);
    const BytesView end = last ? BytesView{stop_} : BytesView{boundaries[range + 1].begin};
    const engine::CursorBounds bounds{begin, end};
    const auto cursor =
        within_ != nullptr ? within_->cursor(shard, bounds) : shard.engine->cursor(bounds, reads_);
    if (auto walked = walk_records(*cursor); !walked) return walked;
    if (full_) return {};
    --ranges_left_;
    progressed_ = true;
    if (last) {
      next_.reset();
    } else {
      walked_ = std::max(walked_, coarse_place(placement_, next_->token, next_->key));
      next_ = place_of(end);
    }
    return {};
  }

  // Sets full_ and next_ if a limit is met. On an error next_ is behind the last record that has been walked.
  engine::Status walk_records(engine::Cursor& cursor) {
    bool any = false;
    auto moved = cursor.seek({});
    for (; moved && cursor.valid(); moved = advance(cursor)) {
      const BytesView position = cursor.key();
      const cluster::PositionParts parts = placement_.split(position);
      std::size_t& left = parts.database == id_ ? keys_left_ : records_left_;
      if (left == 0) {
        full_ = true;
        next_ = place_of(position);
        return {};
      }
      --left;
      any = true;
      walked_ = coarse_place(placement_, parts.token, parts.key);
      if (parts.database == id_ && !visit_record(parts, cursor.head())) {
        full_ = true;
        next_ = place_after(position);
        return {};
      }
    }
    if (!moved && any) {
      progressed_ = true;
      next_ = place_after(last_);
    }
    return moved;
  }

  bool visit_record(const cluster::PositionParts& parts, BytesView stored) {
    return stored.empty() || value_expired(stored, now_ms_) || visit_(parts.key, decode_value(stored));
  }

  // To the next record, or over many of another database with the same hash tag. A step is cheaper than a
  // search, so that only a run of them makes it search.
  engine::Status advance(engine::Cursor& cursor) {
    constexpr std::size_t kStepsBeforeSearch = 16;
    last_.assign(cursor.key());
    const cluster::PositionParts parts = placement_.split(last_);
    const bool foreign = parts.database != id_;
    foreign_run_ = foreign && parts.token == foreign_token_ ? foreign_run_ + 1 : 0;
    foreign_token_ = parts.token;
    if (foreign_run_ < kStepsBeforeSearch) return cursor.next();
    foreign_run_ = 0;
    const auto place = place_of(last_);
    return place ? cursor.seek(position_of(*place)) : cursor.next();
  }

  std::optional<ScanPlace> place_after(BytesView position) const {
    const cluster::PositionParts parts = placement_.split(position);
    if (parts.database == id_) return ScanPlace{parts.token, Bytes(parts.key) + '\0'};
    return place_of(position);
  }

  cluster::Store& store_;
  const cluster::Placement placement_;
  engine::ReadContext& reads_;
  const unsigned database_;
  const std::int64_t now_ms_;
  std::size_t keys_left_;
  std::size_t records_left_;
  std::size_t ranges_left_;
  const std::optional<std::uint64_t> token_end_;
  const VisitKey& visit_;
  cluster::Transaction* const within_;

  std::uint64_t epoch_ = 0;
  std::shared_ptr<const cluster::Layout> layout_;
  DatabaseId id_ = 0;

  const TokenPrefix* only_ = nullptr;  // null: all keys
  Bytes stop_;                         // the first position that is not walked; empty: none
  std::optional<ScanPlace> next_;
  std::uint32_t walked_ = 0;
  bool full_ = false;
  bool progressed_ = false;
  Bytes last_;  // position of the record before the cursor's
  std::uint64_t foreign_token_ = 0;
  std::size_t foreign_run_ = 0;
};

}  // namespace

std::optional<TokenPrefix> neighbours_of_pattern(cluster::Placement placement, BytesView pattern) {
  const std::size_t special = pattern.find_first_of("*?[\\");
  const BytesView literal = pattern.substr(0, special);
  if (!placement.is_ring()) return TokenPrefix{0, Bytes(literal)};
  const bool names_key = special == BytesView::npos;
  const bool names_tag = cluster::hash_tag(literal).size() != literal.size();
  if (!names_key && !names_tag) return std::nullopt;
  return TokenPrefix{cluster::token_of(literal), Bytes(literal)};
}

engine::Result<WalkEnd> walk_keys(cluster::Store& store, engine::ReadContext& reads, unsigned database,
                                  std::int64_t now_ms, const ScanPlace& from,
                                  const std::optional<TokenPrefix>& only, const WalkLimits& limits,
                                  const VisitKey& visit, cluster::Transaction* within) {
  return Walk(store, reads, database, now_ms, limits, visit, within).run(from, only);
}

}  // namespace shale::server
