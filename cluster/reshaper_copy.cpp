// Changes that copy shards' data, while they serve: to a tree of another engine, of two shards to one, or of
// all shards of a ring that grows or shrinks to those that it will have.
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "cluster/layout_change.h"
#include "cluster/reshaper.h"
#include "engine/log/log.h"

namespace shale::cluster {

using engine::Error;
using engine::ErrorKind;
using std::chrono::steady_clock;

// The engines of the sources are MovingEngines for as long as this has not been given up, or come to its end.
class Reshaper::Copying {
 public:
  Copying(Reshaper& reshaper, const CopyPlan& plan) : reshaper_(reshaper), plan_(plan) {}

  engine::Status open_targets();
  void begin(ReshapeEvent& event);
  engine::Status copy_all();
  engine::Status persist();
  engine::Status change_layout(ReshapeEvent& event);
  void drop_sources();
  void give_up();

 private:
  struct Source {
    std::shared_ptr<Shard> shard;
    EngineKind kind{};
    std::shared_ptr<engine::Engine> tree;
    std::shared_ptr<MovingEngine> moving;
  };
  struct Target {
    std::shared_ptr<Shard> shard;
    ShardRecord record;
    std::shared_ptr<engine::Engine> tree;
  };

  Store& store() const { return reshaper_.store_; }
  bool is_stopping() const { return reshaper_.stopping_.load(std::memory_order_relaxed); }
  std::vector<std::unique_lock<std::mutex>> lock_sources() const;
  void note_applied();
  void note_applied_now_and_then();
  std::vector<CopyTarget> targets_of(const Shard& source) const;
  engine::Result<bool> copy_some(const Source& source, engine::ReadContext& context);
  engine::Status copy(const Source& source);
  engine::Status persist(const Target& target);
  void swap(ReshapeEvent& event);
  std::int64_t keys_moved() const;

  Reshaper& reshaper_;
  const CopyPlan& plan_;
  std::vector<Target> targets_;
  std::vector<Source> sources_;
  std::atomic<engine::Lsn> applied_lsn_ = 0;  // all sources have applied the records up to it
  steady_clock::time_point noted_applied_{};
  std::uint64_t copied_before_ = 0;  // records, of the sources that are done
};

engine::Status Reshaper::move(const ReshapeRequest& request, ReshapeEvent& event) {
  const auto shard = find(request.shard);
  if (!shard) return shard.error();
  {
    const std::lock_guard lock{(*shard)->mutex};
    event.from = (*shard)->kind;
  }
  event.to = request.engine;
  if (event.from == event.to) return Error{ErrorKind::unsupported, "the shard has that engine already"};
  const auto layout = store_.layout();
  CopyPlan plan{{*shard}, {{*shard, request.engine}}, layout->map(), (*shard)->id, {}, layout->shards()};
  plan.divide = [](const ShardMap& map) { return map.boundaries(); };
  return copy(plan, event);
}

engine::Status Reshaper::copy(const CopyPlan& plan, ReshapeEvent& event) {
  const auto lsm = std::ranges::count(plan.targets, EngineKind::lsm, &CopyPlan::Target::kind);
  divide_memory(static_cast<int>(lsm), static_cast<int>(std::ssize(plan.targets) - lsm));
  Copying copying{*this, plan};
  engine::Status done = copying.open_targets();
  if (done) {
    copying.begin(event);
    done = copying.copy_all();
  }
  if (done) done = copying.persist();
  if (done) done = copying.change_layout(event);
  if (done) {
    copying.drop_sources();
  } else {
    copying.give_up();
  }
  return done;
}

engine::Status Reshaper::Copying::open_targets() {
  for (const auto& [shard, kind] : plan_.targets) {
    const ShardRecord record{shard->id, kind, store().new_tree_number()};
    auto tree = store().trees().open_tree(kind, record.tree, shard->mutex);
    if (!tree) return tree.error();
    targets_.push_back({shard, record, std::move(*tree)});
  }
  return {};
}

std::vector<std::unique_lock<std::mutex>> Reshaper::Copying::lock_sources() const {
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const auto& shard : plan_.sources) locks.emplace_back(shard->mutex);
  return locks;
}

// With the locks of all sources: a record is appended, and applied, under those of its shards.
void Reshaper::Copying::note_applied() {
  applied_lsn_ = store().log().appended_lsn();
  noted_applied_ = steady_clock::now();
}

// How far it is matters only for what the log has to keep; all locks at once are more than one.
void Reshaper::Copying::note_applied_now_and_then() {
  constexpr std::chrono::milliseconds kInterval{50};
  if (steady_clock::now() - noted_applied_ < kInterval) return;
  const auto locks = lock_sources();
  note_applied();
}

std::vector<CopyTarget> Reshaper::Copying::targets_of(const Shard& source) const {
  const std::set<ShardId> heirs = heirs_of(store().layout()->map(), plan_.map, source.id);
  std::vector<CopyTarget> targets;
  for (const Target& target : targets_) {
    const bool is_in_place = target.shard.get() == &source;
    if (targets_.size() == 1 || heirs.contains(target.shard->id))
      targets.push_back({target.shard->id, target.tree, is_in_place ? nullptr : &target.shard->mutex});
  }
  return targets;
}

void Reshaper::Copying::begin(ReshapeEvent& event) {
  std::vector<std::vector<CopyTarget>> targets;
  for (const auto& shard : plan_.sources) targets.push_back(targets_of(*shard));
  const auto locks = lock_sources();
  note_applied();
  for (std::size_t index = 0; index < plan_.sources.size(); ++index) {
    const auto& shard = plan_.sources[index];
    const std::shared_ptr<engine::Engine> tree = shard->engine;
    auto moving = std::make_shared<MovingEngine>(tree, std::move(targets[index]), plan_.map, applied_lsn_);
    shard->engine = moving;
    sources_.push_back({shard, shard->kind, tree, std::move(moving)});
    event.keys += reshaper_.key_count(*tree);
  }
  const std::lock_guard progress{reshaper_.mutex_};
  reshaper_.progress_->keys = static_cast<std::uint64_t>(std::max<std::int64_t>(event.keys, 0));
}

engine::Status Reshaper::Copying::copy_all() {
  for (const Source& source : sources_) {
    if (auto copied = copy(source); !copied) return copied;
    copied_before_ += source.moving->copied_records();
  }
  return {};
}

engine::Result<bool> Reshaper::Copying::copy_some(const Source& source, engine::ReadContext& context) {
  constexpr std::size_t kPieceBytes = 32u << 10;
  note_applied_now_and_then();
  const std::lock_guard lock{source.shard->mutex};
  return source.moving->copy_some(kPieceBytes, context);
}

// In pieces that hold the shard's lock for about a tenth of a millisecond, and leave it to others for as
// long.
engine::Status Reshaper::Copying::copy(const Source& source) {
  constexpr std::chrono::microseconds kPauseMin{50};
  const MovingEngine& moving = *source.moving;
  for (engine::ReadContext context;;) {
    if (is_stopping()) return Error{ErrorKind::stopped, "the server stops"};
    const auto begin = steady_clock::now();
    const auto copied = copy_some(source, context);
    const auto held = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin);
    reshaper_.note_progress(copied_before_ + moving.copied_records());
    if (copied && *copied) return {};
    if (copied) {
      context.clear();
      std::this_thread::sleep_for(std::max({kPauseMin, held, moving.copy_delay()}));
    } else if (copied.error().kind == ErrorKind::not_resident) {
      context.pins.clear();
      for (const auto& load : context.missing) {
        while (load->run(), !load->done()) {
        }
      }
    } else if (copied.error().kind == ErrorKind::busy) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    } else {
      return copied.error();
    }
  }
}

engine::Status Reshaper::Copying::persist() {
  for (const Target& target : targets_) {
    if (auto persisted = persist(target); !persisted) return persisted;
  }
  return {};
}

// What has been copied is in no log: only once it is on disk may the target be the one that counts.
engine::Status Reshaper::Copying::persist(const Target& target) {
  // Two are enough, unless they fail: the second takes what was written between the copy's end and the first
  // round, under the number that is waited for.
  constexpr int kRoundsPerFlush = 200;
  const engine::Lsn copied_up_to = applied_lsn_;
  for (int round = 0;; ++round) {
    {
      const auto locks = lock_sources();
      note_applied();  // so that what writers put there has higher numbers than what is waited for
    }
    {
      const std::lock_guard lock{target.shard->mutex};
      const auto oldest = target.tree->oldest_unpersisted_lsn();
      if (!oldest || *oldest > copied_up_to) return {};
      // Also for its error, if the disk is in the way: then writers hear of it, and so do we.
      if (auto admitted = target.tree->admit_write(0); !admitted && admitted.error().kind != ErrorKind::busy)
        return admitted;
      if (round % kRoundsPerFlush <= 1) target.tree->flush();
    }
    if (is_stopping()) return Error{ErrorKind::stopped, "the server stops"};
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

engine::Status Reshaper::Copying::change_layout(ReshapeEvent& event) {
  Store::NewLayout next;
  next.divide = plan_.divide;
  next.shards = plan_.shards;
  for (const Target& target : targets_) next.changed.push_back(target.record);
  next.locked = plan_.sources;  // another target is nobody's yet
  next.swap = [&] { swap(event); };
  return store().change_layout(next, event.pause);
}

std::int64_t Reshaper::Copying::keys_moved() const {
  for (const Target& target : targets_) {
    if (target.shard->id != plan_.moved) continue;
    // A new shard's lock is not among those that are held.
    const bool is_locked = std::ranges::find(plan_.sources, target.shard) != plan_.sources.end();
    const auto lock =
        CopyTarget{target.shard->id, target.tree, is_locked ? nullptr : &target.shard->mutex}.lock();
    return reshaper_.key_count(*target.tree);
  }
  const auto source =
      std::ranges::find_if(sources_, [&](const Source& each) { return each.shard->id == plan_.moved; });
  return reshaper_.key_count(*source->tree);
}

void Reshaper::Copying::swap(ReshapeEvent& event) {
  event.keys_moved = keys_moved();
  for (const Source& source : sources_) {
    source.shard->engine.reset();
    source.shard->load.forget();
  }
  for (const Target& target : targets_) {
    const auto same = std::ranges::find_if(
        sources_, [&](const Source& source) { return source.shard->id == target.shard->id; });
    if (same != sources_.end()) target.shard->stats = same->shard->stats;
    target.shard->set_tree(target.record, target.tree);
  }
}

void Reshaper::Copying::drop_sources() {
  for (const Source& source : sources_) {
    reshaper_.drop(source.kind, *source.shard, source.tree);
    const bool goes = std::ranges::find(plan_.shards, source.shard) == plan_.shards.end();
    if (goes) store().keep(source.shard);
  }
}

void Reshaper::Copying::give_up() {
  for (const Source& source : sources_) {
    const std::lock_guard lock{source.shard->mutex};
    source.shard->engine = source.tree;
  }
  for (const Target& target : targets_) {
    reshaper_.drop(target.record.engine, *target.shard, target.tree);
    // The tree's work may go on until it notices, or for as long as the catalog is in doubt: under this lock.
    if (std::ranges::find(plan_.sources, target.shard) == plan_.sources.end()) store().keep(target.shard);
  }
}

}  // namespace shale::cluster
