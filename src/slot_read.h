// Reads one slot of Redis Cluster, a run of storage on the ring: counts its keys, or names some of them.
// Begun on the client's thread; what is long, or not in memory, goes on in the background.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/store.h"
#include "engine/engine.h"
#include "src/scan_cursor.h"

namespace shale::server {

// Used by one thread at a time: the client's, and as a Load the background's.
class SlotRead final : public engine::Load {
 public:
  // Counts keys of database 0 up to `keys_max`; those that have expired at `now_ms` are none. Keeps their
  // names, of `name_bytes_max` together at most, and the one that reaches it; 0: none.
  SlotRead(cluster::Store& store, std::uint32_t slot, std::int64_t now_ms, std::uint64_t keys_max,
           std::size_t name_bytes_max);

  // Reads at most so many pieces. Waits for nothing: it ends before what is not in memory.
  void begin(std::size_t pieces_max);
  // Goes on, and waits for the disk.
  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }

  // The rest is for when it is done.
  const engine::Status& status() const { return status_; }  // errors: corruption, io
  std::uint64_t count() const { return count_; }
  const std::vector<std::string>& names() const { return names_; }

 private:
  engine::Status read_piece();
  bool is_full() const {
    return count_ >= keys_max_ || (name_bytes_max_ != 0 && name_bytes_ >= name_bytes_max_);
  }
  void load_missing();
  void finish(engine::Status status);

  cluster::Store& store_;
  const std::uint64_t token_end_;  // of the next slot; 0: this is the last
  const std::int64_t now_ms_;
  const std::uint64_t keys_max_;
  const std::size_t name_bytes_max_;  // 0: names are not kept
  std::optional<ScanPlace> left_;     // where to go on
  std::uint64_t count_ = 0;
  std::vector<std::string> names_;
  std::size_t name_bytes_ = 0;
  engine::ReadContext reads_;
  std::vector<std::shared_ptr<engine::Load>> loads_;  // of the record that is read next
  engine::Status status_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::server
