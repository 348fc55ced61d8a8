// Changes that copy shards' data, while they serve: to a tree of another engine, or of two shards to one.
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

  engine::Status open_target();
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
  bool is_in_place() const { return plan_.target == plan_.sources.front(); }
  void swap(ReshapeEvent& event);

  struct Source {
    std::shared_ptr<Shard> shard;
    EngineKind kind{};
    std::shared_ptr<engine::Engine> tree;
    std::shared_ptr<MovingEngine> moving;
  };
  Reshaper& reshaper_;
  const CopyPlan& plan_;
  ShardRecord record_;  // of the target
  std::shared_ptr<engine::Engine> tree_;
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
  plan.target = *shard;
  plan.kind = request.engine;
  plan.divide = [](const ShardMap& map) { return map.boundaries(); };
  plan.shards = layout->shards();
  return copy(plan, event);
}

engine::Status Reshaper::copy(const CopyPlan& plan, ReshapeEvent& event) {
  divide_memory(plan.kind == EngineKind::lsm ? 1 : 0, plan.kind == EngineKind::btree ? 1 : 0);
  Copying copying{*this, plan};
  if (auto opened = copying.open_target(); !opened) return opened;
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

engine::Status Reshaper::Copying::open_target() {
  record_ = {plan_.target->id, plan_.kind, store().new_tree_number()};
  auto tree = store().trees().open_tree(plan_.kind, record_.tree, plan_.target->mutex);
  if (!tree) return tree.error();
  tree_ = std::move(*tree);
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
    sources_.push_back({shard, shard->kind, tree,
                        std::make_shared<MovingEngine>(
                            tree, tree_, is_in_place() ? nullptr : &plan_.target->mutex, applied_lsn_)});
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

// What has been copied is in no log: only once it is on disk may the target be the one that counts.
engine::Status Reshaper::Copying::persist() {
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
      const std::lock_guard lock{plan_.target->mutex};
      const auto oldest = tree_->oldest_unpersisted_lsn();
      if (!oldest || *oldest > copied_up_to) return {};
      // Also for its error, if the disk is in the way: then writers hear of it, and so do we.
      if (auto admitted = tree_->admit_write(0); !admitted && admitted.error().kind != ErrorKind::busy)
        return admitted;
      if (round % kRoundsPerFlush <= 1) tree_->flush();
    }
    if (is_stopping()) return Error{ErrorKind::stopped, "the server stops"};
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
}

engine::Status Reshaper::Copying::change_layout(ReshapeEvent& event) {
  Store::NewLayout next;
  next.divide = plan_.divide;
  next.shards = plan_.shards;
  next.changed = {record_};
  next.locked = plan_.sources;  // another target is nobody's yet
  next.swap = [&] { swap(event); };
  return store().change_layout(next, event.pause);
}

void Reshaper::Copying::swap(ReshapeEvent& event) {
  if (event.kind == ReshapeKind::merge) {
    event.keys_moved = reshaper_.key_count(*sources_.back().tree);
    plan_.target->stats = plan_.sources.front()->stats;
  }
  for (const auto& shard : plan_.sources) {
    shard->engine.reset();
    shard->load.forget();
  }
  plan_.target->set_tree(record_, tree_);
  if (event.kind == ReshapeKind::move) event.keys_moved = reshaper_.key_count(*tree_);
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
  reshaper_.drop(plan_.kind, *plan_.target, tree_);
}

}  // namespace shale::cluster
