#include "cluster/splitter.h"

#include <utility>

namespace shale::cluster {
namespace {

constexpr std::chrono::seconds kWindow{1};

double per_second(std::uint64_t now, std::uint64_t before, double seconds) {
  return static_cast<double>(now - before) / seconds;
}

}  // namespace

Splitter::Splitter(Store& store, const SplitLimits& limits, BusyShare busy_share)
    : store_(store), busy_share_(std::move(busy_share)), limits_(limits) {}

void Splitter::start() {
  thread_ = std::jthread([this](const std::stop_token& stopped) {
    while (!stopped.stop_requested()) {
      step(std::chrono::steady_clock::now());
      std::unique_lock lock{mutex_};
      wake_.wait_for(lock, stopped, kWindow, [this] { return !enqueued_.empty(); });
    }
  });
}

void Splitter::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  store_.reshaper().stop();
  thread_.join();
}

void Splitter::enqueue(std::vector<ReshapeRequest> requests) {
  const std::lock_guard lock{mutex_};
  for (ReshapeRequest& request : requests) enqueued_.push_back(std::move(request));
  wake_.notify_all();
}

void Splitter::make_enqueued() {
  for (;;) {
    std::unique_lock lock{mutex_};
    if (enqueued_.empty()) return;
    const ReshapeRequest request = std::move(enqueued_.front());
    enqueued_.pop_front();
    lock.unlock();
    // The history tells what has become of it.
    static_cast<void>(store_.reshaper().run(request).has_value());
  }
}

void Splitter::step(TimePoint now) {
  make_enqueued();
  note_history(now);
  const bool first = !measured_at_;
  const SplitPolicy::Window window = measure(now);
  note_shapes();
  if (first) return;  // there is nothing to compare with
  SplitPolicy::Decision decision;
  {
    const std::lock_guard lock{mutex_};
    decision = policy_.decide(limits_, window);
  }
  if (decision.action != SplitPolicy::Action::none) make(decision, now);
}

// Also of what others have changed, and of the time before this start.
void Splitter::note_history(TimePoint now) {
  const auto events = store_.history().events_after(noted_events_);
  const std::int64_t unix_ms = store_.clock().unix_ms();
  const std::lock_guard lock{mutex_};
  for (const ReshapeEvent& event : events) {
    kinship_.note(event);
    note_event(event, now - std::chrono::milliseconds{unix_ms - event.unix_ms} + event.duration);
  }
}

void Splitter::note_event(const ReshapeEvent& event, TimePoint at) {
  switch (event.kind) {
    case ReshapeKind::shape:
    case ReshapeKind::leaves: return;  // the shard serves what it served before
    case ReshapeKind::split:
      if (event.error.empty()) return policy_.note_split(event.shard, event.other, at);
      break;
    case ReshapeKind::merge:
      if (event.error.empty()) return policy_.note_merge(event.shard, event.other, at);
      break;
    case ReshapeKind::move:
    case ReshapeKind::grow:
    case ReshapeKind::shrink: break;
  }
  policy_.note_change(event.shard, at);
}

// Where it cannot be written, it is with the next change.
void Splitter::note_shapes() {
  for (ReshapeEvent& event : shape_changes_) {
    event.unix_ms = store_.clock().unix_ms();
    static_cast<void>(store_.history().add(std::move(event)).has_value());
  }
  shape_changes_.clear();
}

SplitPolicy::Window Splitter::measure(TimePoint now) {
  const double seconds = std::chrono::duration<double>(now - measured_at_.value_or(now - kWindow)).count();
  const auto layout = store_.layout();
  SplitPolicy::Window window;
  window.end = now;
  window.busy = busy_share_(now);
  std::map<ShardId, EngineKind> kinds;
  std::map<ShardId, Counters> counters;  // without those that are gone
  for (const auto& shard : layout->shards()) {
    window.shards.push_back(measure(*shard, seconds));
    counters[shard->id] = std::move(counters_[shard->id]);
  }
  counters_ = std::move(counters);
  for (const auto& [low, high] : kinship_.mergeable(layout->map())) {
    if (counters_[low].kind == counters_[high].kind) window.mergeable.emplace_back(low, high);
  }
  measured_at_ = now;
  return window;
}

SplitPolicy::ShardWindow Splitter::measure(Shard& shard, double seconds) {
  Counters& before = counters_[shard.id];
  SplitPolicy::ShardWindow window;
  window.id = shard.id;
  const std::lock_guard lock{shard.mutex};
  if (!shard.engine) return window;  // it has gone meanwhile
  const ShardStats& stats = shard.stats;
  constexpr double kNanoseconds = 1e-9;
  window.load = {
      .read_units = per_second(stats.read_units, before.stats.read_units, seconds),
      .write_units = per_second(stats.write_units, before.stats.write_units, seconds),
      .heat = kNanoseconds * per_second(stats.busy_ns, before.stats.busy_ns, seconds),
      .lock_wait = kNanoseconds * per_second(stats.lock_wait_ns, before.stats.lock_wait_ns, seconds)};
  const engine::EngineStats tree = shard.engine->stats();
  window.bytes = tree.disk_bytes;
  if (auto change = shapes_.observe(shard.id, shard.tree, tree)) shape_changes_.push_back(std::move(*change));
  window.shape = shard.load.shape();
  before = {stats, shard.kind};
  return window;
}

// Nothing if the reshaper is to find one.
std::optional<Bytes> Splitter::place_cut(Shard& shard, const SplitPolicy::Decision& decision) const {
  const std::lock_guard lock{shard.mutex};
  if (!shard.engine) return {};
  if (decision.at_front) return shard.load.front();
  return decision.by_size ? shard.engine->middle_key() : shard.load.middle();
}

void Splitter::make(const SplitPolicy::Decision& decision, TimePoint now) {
  const bool splits = decision.action == SplitPolicy::Action::split;
  ReshapeRequest request;
  request.kind = splits ? ReshapeKind::split : ReshapeKind::merge;
  request.shard = decision.shard;
  request.other = decision.other;
  request.cause = decision.cause;
  request.automatic = true;
  if (const auto shard = store_.layout()->find(decision.shard); shard && splits)
    request.cut = place_cut(*shard, decision);
  const auto made = store_.reshaper().run(request);
  if (made || made.error().kind == engine::ErrorKind::busy) return;  // the history has it, or the next step
  const std::lock_guard lock{mutex_};
  policy_.note_change(decision.shard, now);  // tried again after a cool-down
}

SplitLimits Splitter::limits() const {
  const std::lock_guard lock{mutex_};
  return limits_;
}

void Splitter::set_limits(const SplitLimits& limits) {
  const std::lock_guard lock{mutex_};
  limits_ = limits;
}

Splitter::Verdict Splitter::verdict(ShardId shard, TimePoint now) const {
  const std::lock_guard lock{mutex_};
  const SplitPolicy::Verdict known = policy_.verdict(shard);
  return {known.text, std::chrono::duration_cast<std::chrono::seconds>(now - known.at)};
}

}  // namespace shale::cluster
