// Adapts the size that a tree's leaves aim at to its workload: moves it one step at a time to where what was
// measured in the last half minute would have cost less. docs/btree.md, "Sizes of leaves".
//
// In the spirit of engine/lsm/shape_advisor.h: counts are taken in windows of some seconds, priced with
// constants that were measured, and the present size is compared with all others. A step towards the best of
// them is taken when that gains clearly in windows running, and one back where the last step came from takes
// twice as many: so an alternating load finds a size between rather than two in turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace shale::engine::btree {

// What a tree has been asked to do, counted since it was opened.
struct LeafWorkload {
  std::uint64_t writes = 0;
  std::uint64_t leaves_walked = 0;   // that cursors came to from their neighbours
  std::uint64_t leaves_fetched = 0;  // read from disk for a point read or a cursor's first leaf
  std::uint64_t walks_fetched = 0;   // of those walked
  std::uint64_t records_merged = 0;  // of cursors' first leaves, because the leaf had more than a base
};

// What the last checkpoint came to, and the tree that it left.
struct CheckpointCosts {
  std::uint64_t writes = 0;          // that it made durable
  std::uint64_t leaves = 0;          // of the tree
  std::uint64_t leaf_bytes = 0;      // of all of them
  std::uint64_t leaves_changed = 0;  // written, whole or their changes
  std::uint64_t fresh_bytes = 0;     // of records that were new in them
  std::uint64_t merged_bytes = 0;    // of bases that were read through, to apply changes to them
};

struct LeafSizes {
  std::uint32_t bytes_min = 4u << 10;
  std::uint32_t bytes_max = 64u << 10;
};

// The sizes are powers of two and halfway between them: 4, 6, 8, 12, 16, ... KiB, cut off at the bounds.
std::uint32_t next_larger(std::uint32_t bytes, const LeafSizes& sizes);
std::uint32_t next_smaller(std::uint32_t bytes, const LeafSizes& sizes);
// The one that leaves of this size on average were made for.
std::uint32_t nearest_size(std::uint64_t average_bytes, const LeafSizes& sizes);

// Used under the tree's lock.
class NodeAdvisor {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kWindow{5};

  explicit NodeAdvisor(const LeafSizes& sizes) : sizes_(sizes) {}

  struct Step {
    std::uint32_t target_bytes = 0;
    std::string reason;  // for people: what was measured, and what the step saves
  };

  // To be called often; does something once per window. The step to take, if any.
  std::optional<Step> advise(const LeafWorkload& workload, const CheckpointCosts& costs,
                             std::uint32_t target_bytes, TimePoint now);

 private:
  // Per second, of the windows of late, the newest counting most.
  struct Rates {
    double writes = 0;
    double leaves_walked = 0;
    double leaves_fetched = 0;
    double walks_fetched = 0;
    double records_merged = 0;
  };
  struct Prices;
  void take_window(const LeafWorkload& workload, double seconds);
  enum class Direction : std::uint8_t { none, smaller, larger };
  bool insists_on(Direction direction);

  const LeafSizes sizes_;
  std::optional<TimePoint> window_begin_;
  LeafWorkload window_begin_workload_;
  Rates rates_;
  Direction wanted_ = Direction::none;
  Direction last_step_ = Direction::none;
  unsigned windows_wanted_ = 0;
};

}  // namespace shale::engine::btree
