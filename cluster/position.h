// Positions: the one order for routing, storage, SCAN and splitting. A position is where a key stands in the
// ordered space that shards divide, and it is the key as the engines store it.
//
// Hash ring:   token:u64 big-endian | database identity:u32 big-endian | key
//   token = CRC-16 slot of the hash tag (14 bits) | XXH3-64 of the hash tag (its lower 50 bits)
// The slot is Redis Cluster's own, so that a slot is a contiguous run of storage. The hash tag is the text
// between the first '{' and the next '}' if that is not empty, else the whole key: keys that share a tag are
// neighbours, ordered by key, as under a partition key and sort key of DynamoDB. Sources: Redis Cluster
// specification, "hash tags"; xxHash.
//
// Key ranges:  database identity:u32 big-endian | key
//   identity = number of the database (4 bits) | how often it has been emptied (28 bits)
// so that the databases stay in the order of their numbers whatever is emptied.
#pragma once

#include <cstdint>

#include "engine/bytes.h"

namespace shale::cluster {

using engine::Bytes;
using engine::BytesView;

// A database as stored. Not the number that SELECT takes: FLUSHDB gives a database number a fresh identity,
// and what was stored under the old one is obsolete from that moment (see Catalog).
using DatabaseId = std::uint32_t;

constexpr unsigned kDatabaseCount = 16;
constexpr unsigned kSlotBits = 14;
constexpr std::uint32_t kSlotCount = 1u << kSlotBits;
constexpr std::size_t kTokenBytes = 8;

// The part of `key` that decides where it is stored on the ring.
BytesView hash_tag(BytesView key);
// Redis Cluster's slot, 0 to 16383, of a key.
std::uint32_t slot_of(BytesView key);
// The first eight bytes of a position on the ring, as an integer.
std::uint64_t token_of(BytesView key);

// The first byte string behind all that begin with `prefix`; empty if there is none.
Bytes end_of_prefix(Bytes prefix);

// What decides where a key is.
enum class Sharding : std::uint8_t { ring = 0, range = 1 };  // stored: append, never renumber

struct PositionParts {
  std::uint64_t token;  // 0 where keys are placed by range
  DatabaseId database;
  BytesView key;  // into the position
};

// Makes positions of keys, and takes them apart, in a folder with one sharding. A small value.
class Placement {
 public:
  explicit constexpr Placement(Sharding sharding)
      : sharding_(sharding), database_offset_(sharding == Sharding::ring ? kTokenBytes : 0) {}

  Sharding sharding() const { return sharding_; }
  bool is_ring() const { return sharding_ == Sharding::ring; }
  // What a position has before its key; none is shorter.
  std::size_t prefix_bytes() const { return database_offset_ + sizeof(DatabaseId); }

  // What orders keys before their bytes do: 0 where keys are placed by range.
  std::uint64_t token(BytesView key) const { return is_ring() ? token_of(key) : 0; }
  // Appends the position of `key` to `out`.
  void append(DatabaseId database, BytesView key, Bytes& out) const {
    append(token(key), database, key, out);
  }
  // The same where the token is known; also the place of a key that need not have it, among those that do.
  void append(std::uint64_t token, DatabaseId database, BytesView key, Bytes& out) const;

  // `position` must be one that append() made (at least prefix_bytes() long).
  PositionParts split(BytesView position) const {
    return {is_ring() ? engine::key_head(position) : 0, database_of(position), key_of(position)};
  }
  DatabaseId database_of(BytesView position) const {
    std::uint32_t id = 0;
    std::memcpy(&id, position.data() + database_offset_, sizeof id);
    return __builtin_bswap32(id);
  }
  BytesView key_of(BytesView position) const { return position.substr(prefix_bytes()); }

  // The identity of a database that has never been emptied.
  DatabaseId first_id(unsigned database) const { return is_ring() ? database : database << kGenerationBits; }
  // Of key ranges only: for which database an identity was made, and whether that can be emptied once more.
  static unsigned number_of(DatabaseId id) { return id >> kGenerationBits; }
  static bool is_last_id(DatabaseId id) { return (id & kGenerationMask) == kGenerationMask; }

 private:
  static constexpr unsigned kGenerationBits = 28;
  static constexpr DatabaseId kGenerationMask = (DatabaseId{1} << kGenerationBits) - 1;
  static_assert(kDatabaseCount <= 1u << (32 - kGenerationBits));

  Sharding sharding_;
  std::size_t database_offset_;  // into a position
};

}  // namespace shale::cluster
