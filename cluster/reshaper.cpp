#include "cluster/reshaper.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cluster/layout_change.h"

namespace shale::cluster {
namespace {

using engine::Error;
using engine::ErrorKind;
using std::chrono::steady_clock;

// The shards of a layout with another in its place by id, and without one.
std::vector<std::shared_ptr<Shard>> with(std::vector<std::shared_ptr<Shard>> shards,
                                         std::shared_ptr<Shard> shard) {
  const auto place =
      std::ranges::lower_bound(shards, shard->id, {}, [](const auto& other) { return other->id; });
  shards.insert(place, std::move(shard));
  return shards;
}

}  // namespace

// A shard's tree without background work: until it is replaced, or this goes.
class Reshaper::Paused {
 public:
  explicit Paused(Shard& shard) : shard_(shard), tree_(shard.engine) {}
  ~Paused() {
    if (!tree_) return;
    const std::lock_guard lock{shard_.mutex};
    tree_->resume_work();
  }
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;

  const std::shared_ptr<engine::Engine>& tree() const { return tree_; }
  std::shared_ptr<engine::Engine> replaced() { return std::exchange(tree_, nullptr); }

 private:
  Shard& shard_;
  std::shared_ptr<engine::Engine> tree_;
};

// --- All changes

Error Reshaper::refused(std::string message) { return {ErrorKind::unsupported, std::move(message)}; }

std::int64_t Reshaper::key_count(const engine::Engine& tree) const {
  std::int64_t keys = 0;
  for (unsigned database = 0; database < kDatabaseCount; ++database)
    keys += tree.key_count(store_.database_id(database));
  return keys;
}

bool Reshaper::claim(const ReshapeRequest& request) {
  if (progress_) return false;
  progress_ = ReshapeProgress{request.kind, request.shard, request.other, request.engine, 0, 0};
  return true;
}

engine::Result<ReshapeEvent> Reshaper::run(const ReshapeRequest& request) {
  {
    const std::lock_guard lock{mutex_};
    if (!claim(request)) return Error{ErrorKind::busy, "another shard is being split, merged or moved"};
  }
  return change(request);
}

engine::Result<ReshapeEvent> Reshaper::change(const ReshapeRequest& request) {
  ReshapeEvent event;
  event.kind = request.kind;
  event.shard = request.shard;
  event.other = request.other;
  event.cause = request.cause;
  event.automatic = request.automatic;
  event.unix_ms = store_.clock().unix_ms();
  const auto begin = steady_clock::now();
  engine::Status made;
  switch (request.kind) {
    case ReshapeKind::split: made = split(request, event); break;
    case ReshapeKind::merge: made = merge(request, event); break;
    case ReshapeKind::move: made = move(request, event); break;
    case ReshapeKind::grow: made = grow_ring(event); break;
    case ReshapeKind::shrink: made = shrink_ring(request, event); break;
    case ReshapeKind::shape:
    case ReshapeKind::leaves: made = refused("trees do that by themselves"); break;
  }
  event.duration = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin);
  divide_memory(0, 0);
  const bool refused = !made && made.error().kind == ErrorKind::unsupported;
  if (!made) event.error = made.error().message;
  // Were it not written now, it would be with the next change.
  if (!refused) static_cast<void>(store_.history().add(event).has_value());
  {
    const std::lock_guard lock{mutex_};
    progress_.reset();
  }
  if (!made) return made.error();
  return event;
}

std::optional<ReshapeProgress> Reshaper::progress() const {
  const std::lock_guard lock{mutex_};
  return progress_;
}

void Reshaper::note_progress(std::uint64_t copied) {
  const std::lock_guard lock{mutex_};
  progress_->keys_copied = copied;
}

engine::Result<std::shared_ptr<Shard>> Reshaper::find(ShardId id) const {
  auto shard = store_.layout()->find(id);
  if (!shard) return refused("No such shard ID");
  return shard;
}

// The tree is still the shard's, and goes on taking writes.
engine::Status Reshaper::stop_work(Shard& shard, engine::Engine& tree) const {
  {
    const std::lock_guard lock{shard.mutex};
    tree.stop_work();
  }
  for (;;) {
    {
      const std::lock_guard lock{shard.mutex};
      if (tree.work_stopped()) return {};
    }
    if (stopping_.load(std::memory_order_relaxed)) return Error{ErrorKind::stopped, "the server stops"};
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

// One that is not forgotten now is forgotten at the next start.
void Reshaper::drop(EngineKind kind, Shard& owner, const std::shared_ptr<engine::Engine>& tree) const {
  if (store_.catalog_in_doubt() || !stop_work(owner, *tree)) return;
  static_cast<void>(store_.trees().drop_tree(kind, *tree).has_value());
}

void Reshaper::divide_memory(int more_lsm, int more_btree) const {
  const auto records = store_.shard_records();
  const auto lsm = std::ranges::count(records, EngineKind::lsm, &ShardRecord::engine);
  const auto btree = std::ssize(records) - lsm;
  store_.trees().divide_memory(static_cast<std::size_t>(lsm + more_lsm),
                               static_cast<std::size_t>(btree + more_btree));
}

// --- Splits

Reshaper::DivideMap Reshaper::divide_at(ShardId shard, const Bytes& cut, ShardId high) const {
  return [this, shard, cut, high](const ShardMap& map) -> engine::Result<std::vector<Boundary>> {
    if (!is_of_today(cut)) return refused("the database of the cut has been emptied meanwhile");
    return split_boundaries(map, shard, cut, high);
  };
}

engine::Status Reshaper::split(const ReshapeRequest& request, ReshapeEvent& event) {
  const auto plan = plan_split(request.shard, request.cut, true);
  if (!plan) return plan.error();
  const auto shard = find(request.shard);
  if (!shard) return shard.error();
  event.cut = plan->cut;
  if (event.cause.empty()) event.cause = plan->reason;
  event.other = store_.new_shard_id();
  event.from = event.to = (*shard)->kind;
  return cut_tree(*shard, event);
}

engine::Status Reshaper::cut_tree(const std::shared_ptr<Shard>& shard, ReshapeEvent& event) {
  const auto layout = store_.layout();
  const auto high = std::make_shared<Shard>(event.other);
  Paused parent{*shard};
  if (auto stopped = stop_work(*shard, *parent.tree()); !stopped) return stopped;
  const ShardRecord low_record{shard->id, event.from, store_.new_tree_number()};
  const ShardRecord high_record{high->id, event.from, store_.new_tree_number()};
  const auto cut = store_.trees().cut_tree(event.from, *parent.tree(), event.cut);
  if (auto made = cut->make({low_record.tree, shard->mutex}, {high_record.tree, high->mutex}); !made)
    return made;

  Store::NewLayout next;
  next.divide = divide_at(shard->id, event.cut, high->id);
  next.shards = with(layout->shards(), high);
  next.changed = {low_record, high_record};
  next.locked = {shard, high};
  next.prepare = [&] { cut->prepare(); };
  next.swap = [&] {
    event.keys = key_count(*parent.tree());
    cut->hand_over();
    shard->set_tree(low_record, cut->low());
    high->set_tree(high_record, cut->high());
    shard->load.forget();
    event.keys_moved = key_count(*cut->high());
  };
  cut->prepare();
  if (auto changed = store_.change_layout(next, event.pause); !changed) {
    if (store_.catalog_in_doubt()) cut->keep();
    return changed;
  }
  drop(event.from, *shard, parent.replaced());
  return {};
}

// --- Merges

engine::Status Reshaper::merge(const ReshapeRequest& request, ReshapeEvent& event) {
  const auto plan = plan_merge(request.shard, request.other);
  if (!plan) return plan.error();
  const auto first = find(plan->into);
  const auto second = find(plan->from);
  if (!first) return first.error();
  if (!second) return second.error();
  event.shard = plan->into;
  event.other = plan->from;
  event.from = plan->from_engine;
  event.to = plan->engine;
  const auto layout = store_.layout();
  if (!plan->is_copied) return join_trees(*first, *second, event);

  // What a lock is taken under has a lower id, and so the new tree can have neither's.
  const auto whole = std::make_shared<Shard>(event.shard);
  CopyPlan copying{{*first, *second}, {{whole, event.to}}, layout->map(), event.other, {}, layout->shards()};
  copying.divide = [into = event.shard, from = event.other](const ShardMap& map) {
    return merged_boundaries(map, into, from);
  };
  std::erase(copying.shards, *second);
  std::ranges::replace(copying.shards, *first, whole);
  return copy(copying, event);
}

engine::Status Reshaper::join_trees(const std::shared_ptr<Shard>& into, const std::shared_ptr<Shard>& from,
                                    ReshapeEvent& event) {
  const auto layout = store_.layout();
  Paused left{*into};
  Paused right{*from};
  if (auto stopped = stop_work(*into, *left.tree()); !stopped) return stopped;
  if (auto stopped = stop_work(*from, *right.tree()); !stopped) return stopped;
  const ShardRecord record{into->id, event.to, store_.new_tree_number()};
  const Bytes into_begin = ranges_of(layout->map(), into->id).front().begin;
  const Bytes from_begin = ranges_of(layout->map(), from->id).front().begin;
  const bool is_in_order = into_begin < from_begin;
  const auto join =
      store_.trees().join_trees(event.to, is_in_order ? *left.tree() : *right.tree(),
                                is_in_order ? *right.tree() : *left.tree(), std::max(into_begin, from_begin));
  if (auto made = join->make({record.tree, into->mutex}); !made) return made;

  Store::NewLayout next;
  next.divide = [into = into->id, from = from->id](const ShardMap& map) {
    return merged_boundaries(map, into, from);
  };
  next.shards = layout->shards();
  std::erase(next.shards, from);
  next.changed = {record};
  next.locked = {into, from};
  next.swap = [&] {
    event.keys_moved = key_count(*right.tree());
    join->hand_over();
    into->set_tree(record, join->whole());
    from->engine.reset();
    into->load.forget();
    event.keys = key_count(*join->whole());
  };
  if (auto changed = store_.change_layout(next, event.pause); !changed) {
    if (store_.catalog_in_doubt()) join->keep();
    return changed;
  }
  drop(event.to, *into, left.replaced());
  drop(event.to, *from, right.replaced());
  store_.keep(from);
  return {};
}

}  // namespace shale::cluster
