#include "cluster/expirer.h"

#include <algorithm>
#include <condition_variable>
#include <thread>
#include <utility>

#include "cluster/store.h"

namespace shale::cluster {
namespace {

constexpr std::chrono::milliseconds kBetweenRounds{50};
constexpr std::chrono::seconds kAfterError{1};
// What is looked at with one hold of the locks: about a tenth of a millisecond.
constexpr std::size_t kLooksAtOnce = 64;
// Of hints, which are then sorted: neighbours share blocks and processor caches.
constexpr std::size_t kDueBytesMax = 1u << 20;
constexpr std::size_t kReplayedBytesMax = 1u << 20;

}  // namespace

Expirer::Expirer(Store& store)
    : store_(store), calendar_(store.placement(), store.clock()), locks_(store), transaction_(store, locks_) {
  transaction_.set_unnoticed();
}

void Expirer::on_expired(Listener listener) {
  const std::lock_guard round{round_mutex_};
  listener_ = std::move(listener);
}

void Expirer::on_hold(std::function<void(std::chrono::nanoseconds)> listener) {
  const std::lock_guard round{round_mutex_};
  hold_listener_ = std::move(listener);
}

bool Expirer::may_erase() const {
  const auto now = store_.clock().now().time_since_epoch().count();
  return active() && now >= paused_until_.load(std::memory_order_relaxed);
}

void Expirer::run(const std::stop_token& stop) {
  const std::stop_callback on_stop{stop, [this] { stopping_ = true; }};
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock{mutex};
  while (!stop.stop_requested()) {
    const auto more = round();
    if (more && *more) continue;
    wake.wait_for(lock, stop, more ? kBetweenRounds : std::chrono::milliseconds{kAfterError},
                  [] { return false; });
  }
}

// The log's end is read first: see ExpiryInbox::add().
void Expirer::drain(bool stores_all) {
  const engine::Lsn lsn = store_.log().appended_lsn();
  take_in();
  calendar_.cover(lsn, stores_all);
  if (arrived_.capacity() > kDueBytesMax) Bytes().swap(arrived_);
}

// Covers nothing, so it may be done while hints are being looked at: writers need the room.
void Expirer::take_in() {
  arrived_.clear();
  inbox_.drain(arrived_);
  calendar_.add(arrived_);
}

void Expirer::try_cover() {
  const std::unique_lock round{round_mutex_, std::try_to_lock};
  if (round) drain();
}

void Expirer::try_flush() {
  const std::unique_lock round{round_mutex_, std::try_to_lock};
  if (!round) {
    flush_wanted_ = true;  // by the next round
    return;
  }
  drain(true);
  calendar_.flush();
}

// Each write of a value that expires leaves a hint, though the key may be the same: with many more hints than
// keys it must be so.
void Expirer::note_crowding() {
  constexpr std::chrono::seconds kInterval{1};
  constexpr std::int64_t kHintsPerKey = 2;
  constexpr std::int64_t kFewHints = 1'000'000;
  const auto now = store_.clock().now();
  if (now - crowding_noted_ < kInterval) return;
  crowding_noted_ = now;
  const std::int64_t hints = calendar_.hint_count();
  std::int64_t keys = 0;
  if (hints > kFewHints) {
    for (unsigned database = 0; database < kDatabaseCount; ++database) keys += store_.key_count(database);
  }
  calendar_.set_crowded(hints > kFewHints + kHintsPerKey * keys);
}

engine::Result<bool> Expirer::round() {
  const std::lock_guard round{round_mutex_};
  const bool flushes = flush_wanted_.exchange(false);
  drain(flushes);
  if (flushes) calendar_.flush();
  note_crowding();
  if (!may_erase()) return false;
  due_.clear();
  std::vector<std::shared_ptr<engine::Load>> loads;  // kept: what they have fetched stays in memory
  engine::Result<bool> more = false;
  for (;;) {
    engine::ReadContext context;
    more = calendar_.take_due(due_, kDueBytesMax, context);
    if (more || more.error().kind != engine::ErrorKind::not_resident) break;
    for (auto& load : context.missing) {
      load->run();
      loads.push_back(std::move(load));
    }
  }
  route(due_);
  if (auto looked = look_at_all(); !looked) return looked.error();
  if (due_.capacity() > 4 * kDueBytesMax) Bytes().swap(due_);
  return more;
}

std::optional<unsigned> Expirer::number_of(DatabaseId database) const {
  const auto found = std::ranges::find(databases_, database);
  if (found == databases_.end()) return {};
  return static_cast<unsigned>(found - databases_.begin());
}

// Hints of databases that have been emptied go.
void Expirer::route(BytesView hints) {
  looks_.clear();
  for (unsigned database = 0; database < kDatabaseCount; ++database) {
    databases_[database] = store_.database_id(database);
  }
  const auto layout = store_.layout();
  std::vector<ExpiryHint> dead;
  while (const auto hint = take_hint(hints)) {
    if (number_of(store_.placement().database_of(hint->position))) {
      looks_.push_back({*hint, layout->owner(hint->position).id, engine::key_head(hint->position)});
    } else {
      dead.push_back(*hint);
    }
  }
  calendar_.remove(dead);
  std::ranges::sort(looks_, [](const Look& a, const Look& b) {
    if (a.shard != b.shard) return a.shard < b.shard;
    return a.place != b.place ? a.place < b.place : a.hint.position < b.hint.position;
  });
}

// Some of each shard's in turns, so that between two holds of a lock others get it.
engine::Status Expirer::look_at_all() {
  std::vector<std::span<Look>> of_shards;
  for (auto begin = looks_.begin(); begin != looks_.end();) {
    const auto end =
        std::find_if(begin, looks_.end(), [&](const Look& l) { return l.shard != begin->shard; });
    of_shards.emplace_back(begin, end);
    begin = end;
  }
  engine::Status looked;
  while (!of_shards.empty()) {
    for (std::span<Look>& rest : of_shards) {
      const std::size_t count = looked ? std::min(rest.size(), kLooksAtOnce) : rest.size();
      if (looked) {
        looked = look_at(rest.first(count));
      } else {
        put_back(rest);
      }
      rest = rest.subspan(count);
    }
    std::erase_if(of_shards, [](const std::span<Look>& rest) { return rest.empty(); });
  }
  return looked;
}

void Expirer::put_back(std::span<const Look> looks) {
  Bytes hints;
  for (const Look& look : looks) append_hint(look.hint, hints);
  calendar_.put_back(hints);
}

Expirer::Outcome Expirer::look_at_one(std::size_t index, const ExpiryHint& hint) {
  // Databases have been swapped or emptied since it was routed: the next round routes it anew.
  if (locks_.key(index).bytes != hint.position) return Outcome::again;
  const auto stored = transaction_.get(index);
  if (!stored) {
    // Of a damaged one nobody can say when it expires.
    return stored.error().kind == engine::ErrorKind::not_resident ? Outcome::missing : Outcome::done;
  }
  if (!*stored) return Outcome::done;
  const std::int64_t due_ms = store_.policy().obsolete_from_ms(hint.position, **stored);
  if (due_ms <= store_.clock().unix_ms()) {
    transaction_.erase(index);
    return Outcome::erased;
  }
  return due_ms == hint.due_ms ? Outcome::again : Outcome::done;
}

// With all locks held. False: try again shortly.
engine::Result<bool> Expirer::try_look_at(std::span<Look> looks, std::vector<Outcome>& outcomes) {
  outcomes.clear();
  for (std::size_t i = 0; i < looks.size(); ++i) outcomes.push_back(look_at_one(i, looks[i].hint));
  const auto committed = transaction_.commit();
  if (committed) return true;
  if (committed.error().kind == engine::ErrorKind::busy) return false;
  return committed.error();
}

// Changes `looks`. On an Error what has not been dealt with is back in the calendar.
engine::Status Expirer::look_at(std::span<Look> looks) {
  std::vector<std::shared_ptr<engine::Load>> loads;  // kept: what they have fetched stays in memory
  std::vector<Outcome> outcomes;
  while (!looks.empty()) {
    take_in();
    if (stopping_) {
      put_back(looks);
      return {};
    }
    locks_.clear();
    transaction_.reset();
    for (const Look& look : looks) {
      const auto number = number_of(store_.placement().database_of(look.hint.position));
      locks_.add(number.value_or(0), store_.placement().key_of(look.hint.position));
    }
    locks_.lock();
    const auto locked_at = store_.clock().now();
    const auto committed = try_look_at(looks, outcomes);
    locks_.unlock();
    if (hold_listener_) hold_listener_(store_.clock().now() - locked_at);
    if (!committed) {
      put_back(looks);
      return committed.error();
    }
    const auto pause = *committed ? transaction_.take_write_delay() : std::chrono::milliseconds{1};
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    if (!*committed) continue;

    looks = settle(looks, outcomes);
    for (const auto& load : transaction_.reads().missing) load->announce();
    for (auto& load : transaction_.reads().missing) {
      load->run();
      loads.push_back(std::move(load));
    }
  }
  return {};
}

// What has been decided is done. Returns those that wait for the disk.
std::span<Expirer::Look> Expirer::settle(std::span<Look> looks, const std::vector<Outcome>& outcomes) {
  std::vector<ExpiryHint> gone;
  std::vector<Look> again;
  std::size_t left = 0;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    switch (outcomes[i]) {
      case Outcome::erased: note_expired(i, looks[i].hint); [[fallthrough]];
      case Outcome::done: gone.push_back(looks[i].hint); break;
      case Outcome::again: again.push_back(looks[i]); break;
      case Outcome::missing: looks[left++] = looks[i]; break;
    }
  }
  calendar_.remove(gone);
  put_back(again);
  return looks.first(left);
}

void Expirer::note_expired(std::size_t index, const ExpiryHint& hint) {
  expired_keys_.fetch_add(1, std::memory_order_relaxed);
  const auto database = number_of(store_.placement().database_of(hint.position));
  if (listener_ && database) listener_(*database, locks_.name(index));
}

// --- At start

// A value that has expired may have been left out when its shard was copied or compacted. Then there was
// nothing to erase when its hint came up, but the log brings it back.
void Expirer::replay(engine::Lsn lsn, std::int64_t due_ms, BytesView position, bool applies) {
  const bool comes_back = applies && due_ms <= store_.clock().unix_ms();
  if (comes_back || lsn > calendar_.persisted_lsn()) append_hint({due_ms, 0, position}, replayed_);
}

void Expirer::end_replayed_record(engine::Lsn lsn) {
  if (replayed_.empty()) return;
  calendar_.add(replayed_);
  replayed_bytes_ += replayed_.size();
  replayed_.clear();
  if (replayed_bytes_ < kReplayedBytesMax) return;
  replayed_bytes_ = 0;
  calendar_.cover(lsn, true);
}

}  // namespace shale::cluster
