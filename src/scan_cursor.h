// The numbers that SCAN gives its clients, and the places they stand for.
//
// A client holds nothing but a number, for as long as it likes, and some clients hold it in a double: it
// stays below 2^53. Redis's promise is that a key which is there from the start of a scan to its end is
// returned at least once. So the number says by itself where to go on:
//
//   cursor := coarse place (32 bits) << 21 | entry (21 bits)
//   coarse place := the upper 32 bits of a token, or where keys are placed by range the first 4 bytes of a
//   key
//
//   I1  Every key that the scan has not examined yet lies at or after the coarse place.
//   I2  Entry 0 says no more than that. Any other names an exact place in a bounded table, if it is still
//   there,
//       and if the table's entry belongs to the same database and the same coarse place. An entry that is
//       gone (evicted, or the server has been restarted) makes the scan go on at the coarse place: keys may
//       come twice, and none is missed.
//   I3  Entry numbers are given in turn, from a random start: one that a client still holds, and that is
//   gone,
//       comes again after two million others. 0 is none.
//
//   I4  An entry that has been asked for, so that its scan has gone on, makes room before all that have not:
//       a fast scan pushes out what it has left behind, and not the place of a slow one.
//
// On the ring pages nearly always end between two coarse places, where entry 0 is exact: 2^32 places are more
// than keys. The table carries scans through what lies in one coarse place, which is the keys of a large hash
// tag, or where keys are placed by range those that begin alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <unordered_map>

#include "cluster/position.h"
#include "engine/bytes.h"

namespace shale::server {

// The first key of a database at or after this one in the order of positions.
struct ScanPlace {
  std::uint64_t token = 0;  // cluster::Placement::token()
  engine::Bytes key;        // among the keys with this token

  friend bool operator==(const ScanPlace&, const ScanPlace&) = default;
};

std::uint32_t coarse_place(cluster::Placement placement, std::uint64_t token, engine::BytesView key);

// One for all clients. Thread-safe.
class ScanCursors {
 public:
  static constexpr std::size_t kPlacesMax = 4096;
  // Of all places' keys together. The newest place is kept in any case.
  static constexpr std::size_t kKeyBytesMax = 1u << 20;

  ScanCursors(cluster::Placement placement, std::uint32_t first_entry);

  // The cursor for a scan that goes on at `next`, and that has walked everything before it. `walked` is the
  // coarse place of the last position that it has walked.
  std::uint64_t cursor(unsigned database, const ScanPlace& next, std::uint32_t walked);
  // Where a scan with this cursor goes on. Any number is a cursor.
  ScanPlace place(unsigned database, std::uint64_t cursor);

  std::size_t size() const;

 private:
  struct Entry {
    std::uint32_t number;
    unsigned database;
    ScanPlace place;
    bool used = false;
  };

  ScanPlace start_of(std::uint32_t coarse) const;
  bool has_room() const { return by_number_.size() <= kPlacesMax && key_bytes_ <= kKeyBytesMax; }
  void make_room();

  const cluster::Placement placement_;
  mutable std::mutex mutex_;  // guards everything below
  std::uint32_t next_entry_;
  std::list<Entry> waiting_;  // not asked for yet; the newest first
  std::list<Entry> used_;     // the one used last first
  std::unordered_map<std::uint32_t, std::list<Entry>::iterator> by_number_;
  std::size_t key_bytes_ = 0;  // of the places
};

}  // namespace shale::server
