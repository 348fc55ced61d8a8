// Splits and merges shards without being asked: measures every shard each second, asks the policy, and has
// the reshaper make what it decides. What engines have adapted by themselves it notes in the history.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cluster/kinship.h"
#include "cluster/reshaper.h"
#include "cluster/shape_watch.h"
#include "cluster/shard.h"
#include "cluster/split_policy.h"
#include "cluster/store.h"

namespace shale::cluster {

// Thread-safe, but for step().
class Splitter {
 public:
  using TimePoint = SplitPolicy::TimePoint;
  // How much of their time the threads that execute commands were at work since it was asked last, 0 to 1.
  using BusyShare = std::function<double(TimePoint now)>;

  // Reads the store's history. The store outlives the splitter.
  Splitter(Store& store, const SplitLimits& limits, BusyShare busy_share);
  ~Splitter() { stop(); }
  Splitter(const Splitter&) = delete;
  Splitter& operator=(const Splitter&) = delete;

  // A thread that calls step() each second, until stop().
  void start();
  // Gives up a change that is going on, whoever has begun it: what comes next is the store's end.
  void stop();
  // Ends a window, and makes a change if the policy wants one. Returns when it is made: waits for disks. By
  // one thread.
  void step(TimePoint now);

  // Changes that somebody has asked for together: made by the next steps, one after the other. What cannot be
  // made then is left out.
  void enqueue(std::vector<ReshapeRequest> requests);

  SplitLimits limits() const;
  void set_limits(const SplitLimits& limits);
  // Why the shard, when it was above a limit last, was or was not split; empty if it never was.
  struct Verdict {
    std::string text;
    std::chrono::seconds age{0};
  };
  Verdict verdict(ShardId shard, TimePoint now) const;

 private:
  struct Counters {
    ShardStats stats;
    EngineKind kind{};
  };

  void note_history(TimePoint now);
  void note_event(const ReshapeEvent& event, TimePoint at);  // with mutex_
  SplitPolicy::Window measure(TimePoint now);
  SplitPolicy::ShardWindow measure(Shard& shard, double seconds);
  void note_shapes();
  void make(const SplitPolicy::Decision& decision, TimePoint now);
  std::optional<Bytes> place_cut(Shard& shard, const SplitPolicy::Decision& decision) const;

  Store& store_;
  const BusyShare busy_share_;
  std::map<ShardId, Counters> counters_;  // as of the last step
  std::optional<TimePoint> measured_at_;
  std::uint64_t noted_events_ = 0;  // of the history
  Kinship kinship_;
  ShapeWatch shapes_;
  std::vector<ReshapeEvent> shape_changes_;  // that the last measurement has seen
  void make_enqueued();

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::deque<ReshapeRequest> enqueued_;
  SplitLimits limits_;
  SplitPolicy policy_;
  std::jthread thread_;
};

}  // namespace shale::cluster
