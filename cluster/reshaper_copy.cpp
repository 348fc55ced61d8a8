// Changes that copy shards' data, while they serve: to trees of another engine, to two, or of two to one.
#include <algorithm>
#include <atomic>
#include <thread>

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
  Store& store() const { return reshaper_.store_; }
  bool is_stopping() const { return reshaper_.stopping_.load(std::memory_order_relaxed); }
  std::vector<std::unique_lock<std::mutex>> lock_sources() const;
  void note_applied();
  engine::Result<bool> copy_some(std::size_t index, engine::ReadContext& context);
  engine::Status copy(std::size_t index);
  bool is_source(const std::shared_ptr<Shard>& shard) const;
  void swap(ReshapeEvent& event);

  struct Source {
    std::shared_ptr<Shard> shard;
    EngineKind kind{};
    std::shared_ptr<engine::Engine> tree;
    std::shared_ptr<MovingEngine> moving;
  };
  Reshaper& reshaper_;
  const CopyPlan& plan_;
  std::vector<ShardRecord> records_;  // of the targets
  std::vector<MovingEngine::Target> targets_;
  std::vector<Source> sources_;
  std::atomic<engine::Lsn> applied_lsn_ = 0;  // all sources have applied the records up to it
  std::uint64_t copied_before_ = 0;           // records, of the sources that are done
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
  CopyPlan plan;
  plan.sources = {*shard};
  plan.targets = {*shard};
  plan.kind = request.engine;
  plan.boundaries = layout->map().boundaries();
  plan.shards = layout->shards();
  return copy(plan, event);
}

engine::Status Reshaper::copy(const CopyPlan& plan, ReshapeEvent& event) {
  const auto more = static_cast<int>(plan.targets.size());
  divide_memory(plan.kind == EngineKind::lsm ? more : 0, plan.kind == EngineKind::btree ? more : 0);
  Copying copying{*this, plan};
  if (auto opened = copying.open_targets(); !opened) return opened;
  copying.begin(event);
  engine::Status done = copying.copy_all();
  if (done) done = copying.persist();
  if (done) done = copying.change_layout(event);
  if (done) {
    copying.drop_sources();
  } else {
    copying.give_up();
  }
  return done;
}

bool Reshaper::Copying::is_source(const std::shared_ptr<Shard>& shard) const {
  return std::ranges::find(plan_.sources, shard) != plan_.sources.end();
}

engine::Status Reshaper::Copying::open_targets() {
  for (const auto& target : plan_.targets) {
    records_.push_back({target->id, plan_.kind, store().new_tree_number()});
    auto tree = store().trees().open_tree(plan_.kind, records_.back().tree, target->mutex);
    if (!tree) return tree.error();
    targets_.push_back({targets_.empty() ? Bytes{} : plan_.cut, std::move(*tree),
                        is_source(target) ? nullptr : &target->mutex});
  }
  return {};
}

std::vector<std::unique_lock<std::mutex>> Reshaper::Copying::lock_sources() const {
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const auto& shard : plan_.sources) locks.emplace_back(shard->mutex);
  return locks;
}

// With the locks of all sources: a record is appended, and applied, under those of its shards.
void Reshaper::Copying::note_applied() { applied_lsn_ = store().log().appended_lsn(); }

void Reshaper::Copying::begin(ReshapeEvent& event) {
  const auto locks = lock_sources();
  note_applied();
  for (const auto& shard : plan_.sources) {
    const std::shared_ptr<engine::Engine> tree = shard->engine;
    sources_.push_back(
        {shard, shard->kind, tree, std::make_shared<MovingEngine>(tree, targets_, applied_lsn_)});
    shard->engine = sources_.back().moving;
    event.keys += reshaper_.key_count(*tree);
  }
  const std::lock_guard progress{reshaper_.mutex_};
  reshaper_.progress_->keys = static_cast<std::uint64_t>(std::max<std::int64_t>(event.keys, 0));
}

engine::Status Reshaper::Copying::copy_all() {
  for (std::size_t index = 0; index < sources_.size(); ++index) {
    if (auto copied = copy(index); !copied) return copied;
    copied_before_ += sources_[index].moving->copied_records();
  }
  return {};
}

engine::Result<bool> Reshaper::Copying::copy_some(std::size_t index, engine::ReadContext& context) {
  constexpr std::size_t kPieceBytes = 32u << 10;
  const auto locks = lock_sources();
  note_applied();
  return sources_[index].moving->copy_some(kPieceBytes, context);
}

// In pieces that hold the shards' locks for about a tenth of a millisecond, and leave them to others for as
// long.
engine::Status Reshaper::Copying::copy(std::size_t index) {
  constexpr std::chrono::microseconds kPauseMin{50};
  const MovingEngine& moving = *sources_[index].moving;
  for (engine::ReadContext context;;) {
    if (is_stopping()) return Error{ErrorKind::stopped, "the server stops"};
    const auto begin = steady_clock::now();
    const auto copied = copy_some(index, context);
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

// What has been copied is in no log: only once it is on disk may the targets be the ones that count.
engine::Status Reshaper::Copying::persist() {
  constexpr int kRoundsPerFlush = 200;  // one is enough, unless it fails
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    engine::Lsn copied_up_to = 0;
    for (int round = 0;; ++round) {
      {
        // Writers' records get higher numbers than what is waited for, from the next round on.
        const auto locks = lock_sources();
        if (round == 0) copied_up_to = applied_lsn_;
        note_applied();
      }
      {
        const std::lock_guard lock{plan_.targets[i]->mutex};
        engine::Engine& tree = *targets_[i].tree;
        const auto oldest = tree.oldest_unpersisted_lsn();
        if (!oldest || *oldest > copied_up_to) break;
        // Also for its error, if the disk is in the way: then writers hear of it, and so do we.
        if (auto admitted = tree.admit_write(0); !admitted && admitted.error().kind != ErrorKind::busy)
          return admitted;
        if (round % kRoundsPerFlush == 0) tree.flush();
      }
      if (is_stopping()) return Error{ErrorKind::stopped, "the server stops"};
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }
  return {};
}

engine::Status Reshaper::Copying::change_layout(ReshapeEvent& event) {
  Store::NewLayout next;
  next.boundaries = plan_.boundaries;
  next.shards = plan_.shards;
  next.changed = records_;
  next.locked = plan_.sources;
  for (const auto& target : plan_.targets) {
    if (!is_source(target)) next.locked.push_back(target);
  }
  next.swap = [&] { swap(event); };
  return store().change_layout(next, event.pause);
}

void Reshaper::Copying::swap(ReshapeEvent& event) {
  if (event.kind == ReshapeKind::merge) {
    event.keys_moved = reshaper_.key_count(*sources_.back().tree);
    plan_.targets.front()->stats = plan_.sources.front()->stats;
  }
  for (const auto& shard : plan_.sources) {
    shard->engine.reset();
    shard->load.forget();
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) plan_.targets[i]->set_tree(records_[i], targets_[i].tree);
  if (event.kind != ReshapeKind::merge) event.keys_moved = reshaper_.key_count(*targets_.back().tree);
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
  for (std::size_t i = 0; i < targets_.size(); ++i)
    reshaper_.drop(plan_.kind, *plan_.targets[i], targets_[i].tree);
}

}  // namespace shale::cluster
