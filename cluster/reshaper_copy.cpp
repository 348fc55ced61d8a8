// Changes that copy a shard's data, while it serves, to trees of another engine, or to two.
#include <algorithm>
#include <thread>

#include "cluster/reshaper.h"
#include "engine/log/log.h"

namespace shale::cluster {
namespace {

using engine::Error;
using engine::ErrorKind;
using std::chrono::steady_clock;

}  // namespace

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
  CopyPlan plan;
  plan.source = *shard;
  plan.targets = {*shard};
  plan.kind = request.engine;
  plan.boundaries = layout->map().boundaries();
  plan.shards = layout->shards();
  return copy(plan, event);
}

engine::Status Reshaper::copy(const CopyPlan& plan, ReshapeEvent& event) {
  Shard& shard = *plan.source;
  const auto more = static_cast<int>(plan.targets.size());
  divide_memory(plan.kind == EngineKind::lsm ? more : 0, plan.kind == EngineKind::btree ? more : 0);
  std::vector<ShardRecord> changed;
  std::vector<MovingEngine::Target> targets;
  for (const auto& target : plan.targets) {
    changed.push_back({target->id, plan.kind, store_.new_tree_number()});
    auto tree = store_.trees().open_tree(plan.kind, changed.back().tree, target->mutex);
    if (!tree) return tree.error();
    targets.push_back({targets.empty() ? Bytes{} : plan.cut, std::move(*tree),
                       target == plan.source ? nullptr : &target->mutex});
  }
  std::shared_ptr<engine::Engine> source;
  std::shared_ptr<MovingEngine> moving;
  {
    const std::lock_guard lock{shard.mutex};
    source = shard.engine;
    moving = std::make_shared<MovingEngine>(source, targets);
    shard.engine = moving;
    event.keys = key_count(*source);
    const std::lock_guard progress{mutex_};
    progress_->keys = static_cast<std::uint64_t>(std::max<std::int64_t>(event.keys, 0));
  }
  engine::Status done = copy_all(shard, *moving);
  if (done) done = persist(targets, shard);

  Store::NewLayout next;
  next.boundaries = plan.boundaries;
  next.shards = plan.shards;
  next.records = records_of(plan.shards, changed);
  next.locked = plan.targets;
  next.swap = [&] {
    for (std::size_t i = 0; i < plan.targets.size(); ++i) {
      Shard& target = *plan.targets[i];
      target.kind = changed[i].engine;
      target.tree = changed[i].tree;
      target.engine = targets[i].tree;
    }
    event.keys_moved = key_count(*targets.back().tree);
    shard.load.forget();
  };
  if (done) done = store_.change_layout(next, event.pause);
  if (!done) {
    give_up_copy(plan, std::move(source), targets);
    return done;
  }
  drop(event.from, shard, source);
  return {};
}

// In pieces that hold the shard's lock for about a tenth of a millisecond, and leave it to others for as
// long.
engine::Status Reshaper::copy_all(Shard& shard, MovingEngine& moving) {
  constexpr std::size_t kPieceBytes = 32u << 10;
  constexpr std::chrono::microseconds kPauseMin{50};
  for (engine::ReadContext context;;) {
    if (stopping_.load(std::memory_order_relaxed)) return Error{ErrorKind::stopped, "the server stops"};
    engine::Result<bool> copied = false;
    const auto begin = steady_clock::now();
    {
      const std::lock_guard lock{shard.mutex};
      copied = moving.copy_some(kPieceBytes, store_.log().appended_lsn(), context);
    }
    const auto held = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin);
    note_progress(moving.copied_records());
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

// What has been copied is in no log: only once it is on disk may the targets be the ones that count.
engine::Status Reshaper::persist(const std::vector<MovingEngine::Target>& targets, Shard& shard) const {
  constexpr int kRoundsPerFlush = 200;  // one is enough, unless it fails
  for (const MovingEngine::Target& target : targets) {
    std::mutex& owner = target.mutex == nullptr ? shard.mutex : *target.mutex;
    const engine::Lsn copied_up_to = store_.log().appended_lsn();
    for (int round = 0;; ++round) {
      {
        const std::lock_guard lock{owner};
        const auto oldest = target.tree->oldest_unpersisted_lsn();
        if (!oldest || *oldest > copied_up_to) break;
        // Also for its error, if the disk is in the way: then writers hear of it, and so do we.
        if (auto admitted = target.tree->admit_write(0);
            !admitted && admitted.error().kind != ErrorKind::busy)
          return admitted;
        if (round % kRoundsPerFlush == 0) target.tree->flush();
      }
      if (stopping_.load(std::memory_order_relaxed)) return Error{ErrorKind::stopped, "the server stops"};
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }
  return {};
}

void Reshaper::give_up_copy(const CopyPlan& plan, std::shared_ptr<engine::Engine> source,
                            const std::vector<MovingEngine::Target>& targets) const {
  {
    const std::lock_guard lock{plan.source->mutex};
    plan.source->engine = std::move(source);
  }
  for (std::size_t i = 0; i < targets.size(); ++i) drop(plan.kind, *plan.targets[i], targets[i].tree);
}

}  // namespace shale::cluster
