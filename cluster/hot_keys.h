// Which keys of a shard have been accessed most of late, and how often.
//
// A table of bounded size, whatever is accessed: 32 sets of 8 keys. A key's hash names its set. If the key is
// in it, its access is counted. If not, it takes the place of the set's key with the least count c, but only
// with a probability of w / (c + w), w being the weight of the access, and inherits that count: so a key that
// comes often gets in soon, and the many that come seldom hardly ever push anything out. This is the d-way
// randomized admission policy of Ben Basat, Chen, Einziger, Friedman and Kassner ("Randomized Admission
// Policy for Efficient Top-k, Frequency, and Volume Estimation", ToN 2019), a descendant of Space-Saving
// (Metwally, Agrawal, El Abbadi, ICDT 2005) that needs neither a heap nor a list: two or three cache lines
// are touched. What is told of a key is what has been counted since it came in, without what it has
// inherited.
//
// Counts decay: what is kMemory old weighs 1/e, what is a minute old next to nothing, and a key that has not
// been accessed for a minute or two is forgotten. Time passes with advance() only.
//
// How many of the true ten hottest are found: bench/hot_keys_bench.cpp, docs/benchmarks.md.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "engine/bytes.h"

namespace shale::cluster {

enum class Access : std::uint8_t { read, write };

struct HotKey {
  engine::Bytes position;          // how it begins: HotKeys::kBytesKept bytes at most
  std::size_t position_bytes = 0;  // of the whole
  double reads_per_second = 0;
  double writes_per_second = 0;
  double share = 0;  // of all accesses that have been noted: 0 to 1

  double per_second() const { return reads_per_second + writes_per_second; }
  bool complete() const { return position.size() == position_bytes; }
};

// Used under the shard's lock. Takes no memory until something is noted, then kBytes.
class HotKeys {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kMemory{10};
  static constexpr std::size_t kBytesKept = 128;
  static constexpr std::size_t kKeys = 256;

  // `weight`: for how many accesses this one stands. Above 0.
  void note(const engine::HashedKey& position, Access access, unsigned weight);
  // To be called about once a second; costs a microsecond then, nothing if it is called more often.
  void advance(TimePoint now);
  // Nothing has been accessed yet.
  void forget(TimePoint now);

  // How often the key has been accessed of late; 0 if it is not in the table. `now` as with hottest().
  double accesses_per_second(const engine::HashedKey& position, TimePoint now) const;
  // At most `count` of those that are wanted by how their positions begin, the hottest first. Only keys of
  // which more has been seen than they have inherited: of a load that is even, none. `now` is not before that
  // of the last advance().
  std::vector<HotKey> hottest(std::size_t count, TimePoint now,
                              const std::function<bool(engine::BytesView)>& wanted) const;

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kSets = kKeys / kWays;

  struct alignas(64) Set {
    std::array<std::uint64_t, kWays> hashes{};  // 0: the place is free
    std::array<float, kWays> reads{};
    std::array<float, kWays> writes{};
    std::array<float, kWays> inherited{};
    std::array<std::uint32_t, kWays> position_bytes{};

    float own(std::size_t way) const { return reads[way] + writes[way]; }
    float count(std::size_t way) const { return own(way) + inherited[way]; }
  };
  struct Table {
    engine::BytesView position(std::size_t place) const;  // how it begins

    std::array<Set, kSets> sets;
    std::array<std::array<char, kBytesKept>, kKeys> positions;  // by place: set * kWays + way
  };

 public:
  static constexpr std::size_t kBytes = sizeof(Table);
  static_assert(kBytes <= 64u << 10);

 private:
  void admit(const engine::HashedKey& position, Access access, float weight);
  HotKey describe(std::size_t place, double seconds) const;
  double seconds_until(TimePoint now) const;

  std::unique_ptr<Table> table_;  // null: nothing has been accessed of late
  double reads_ = 0;              // that have been noted, of all keys; decayed as all counts are
  double writes_ = 0;
  double seconds_ = 0;     // in which that was, decayed likewise: a count over it is a rate
  TimePoint advanced_at_;  // up to where seconds_ goes; time begins with the first advance()
  std::uint64_t random_ = 0;
};

}  // namespace shale::cluster
