// What has become of the shards: the last thousand changes, over restarts.
//
// The file `history` in the data folder is replaced whole with every change, which are few. It is for people,
// and tells the splitter which shards it has made itself: nothing that is stored depends on it. Bytes on
// disk: docs/formats.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/catalog.h"
#include "engine/io/file_system.h"
#include "engine/result.h"

namespace shale::cluster {

enum class ReshapeKind : std::uint8_t {  // stored: append, never renumber
  split = 0,
  merge = 1,
  move = 2,    // to another engine
  grow = 3,    // of the ring, by a shard
  shrink = 4,  // likewise
  shape = 5,   // what an LSM tree's compaction aims at; the tree has seen a reason (shape_watch.h)
  leaves = 6,  // what a B+ tree's leaves aim at; likewise
};

// A change that has been made, or was given up.
struct ReshapeEvent {
  ReshapeKind kind{};
  bool automatic = false;  // nobody has asked for it
  ShardId shard{};         // that was split, moved, stays after a merge, or comes or goes
  ShardId other{};         // that came of a split, or went with a merge
  EngineKind from{};
  EngineKind to{};
  Bytes cut;  // of a split, a position
  std::string cause;
  std::string effect;        // for people, where the figures do not say it
  std::int64_t unix_ms = 0;  // when it began
  std::chrono::microseconds duration{0};
  std::chrono::microseconds pause{0};  // how long the shards were locked at its end
  std::int64_t keys = 0;               // of the shards concerned, then; of all databases
  std::int64_t keys_moved = 0;         // to the other shard, or others
  std::string error;                   // why it was given up; empty: it was made
};

// Errors of decode(): corruption (with `file_name`), unsupported (a newer format).
Bytes encode_history(const std::deque<ReshapeEvent>& events);
engine::Result<std::deque<ReshapeEvent>> decode_history(BytesView bytes, const std::string& file_name);

// Thread-safe.
class ChangeHistory {
 public:
  static constexpr std::size_t kEventsMax = 1000;

  ChangeHistory(engine::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  // Once, at the start. Waits for the disk. A file that cannot be read is left as it is until the next change
  // replaces it; the Error says what is wrong with it. Nothing is wrong if there is none.
  engine::Status load();
  // Called with every event, by the thread that adds it. Set once, before the first.
  void on_event(std::function<void(const ReshapeEvent&)> listener) { listener_ = std::move(listener); }
  // Waits for the disk. On an Error the event is remembered all the same, as long as the process lives.
  engine::Status add(ReshapeEvent event);
  std::vector<ReshapeEvent> events() const;  // from the oldest
  // Those added after there had been `count`, as far as they are kept; `count` becomes what there have been
  // now.
  std::vector<ReshapeEvent> events_after(std::uint64_t& count) const;

 private:
  engine::FileSystem& files_;
  const std::string path_;
  std::function<void(const ReshapeEvent&)> listener_;
  mutable std::mutex mutex_;  // guards what follows, and the file
  std::deque<ReshapeEvent> events_;
  std::uint64_t count_ = 0;  // that have been added, or loaded
};

}  // namespace shale::cluster
