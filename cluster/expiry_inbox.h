// Where writers leave the hints of values that expire, until the next round of the Expirer fetches them.
// Thread-safe; every thread has a place of its own, as long as there are not too many.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "cluster/expiry_hint.h"
#include "engine/bytes.h"

namespace shale::cluster {

class ExpiryInbox {
 public:
  // Before the write's record is appended to the log: so whoever reads the log's end first and then drains
  // has the hints of all records up to there. (A hint whose record could not be appended does no harm.)
  void add(std::int64_t due_ms, const engine::HashedKey& position);
  // Whether this thread may add more now; else the next round has to come first.
  bool has_room() const { return mine().bytes.load(std::memory_order_relaxed) < kPlaceBytesMax; }
  // Appends all hints to `to`, in no order, and forgets them.
  void drain(Bytes& to);

 private:
  // A key that is written again and again has one hint in each round, if no other key drives it out of here.
  static constexpr std::size_t kNewestKeys = 256;
  static constexpr std::size_t kPlaceBytesMax = 1u << 20;
  static constexpr std::size_t kPlaces = 8;

  struct alignas(64) Place {
    std::mutex mutex;  // guards what follows
    Bytes hints;
    std::array<std::uint32_t, kNewestKeys> newest{};  // by the key's hash: 1 + offset of its hint, or 0
    std::atomic<std::size_t> bytes = 0;               // of `hints`; read by anybody
  };
  static std::size_t place_number();
  Place& mine() { return places_[place_number()]; }
  const Place& mine() const { return places_[place_number()]; }

  std::array<Place, kPlaces> places_;
};

}  // namespace shale::cluster
