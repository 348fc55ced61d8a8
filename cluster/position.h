// Positions: the one order for routing, storage, SCAN and splitting. A position is where a key stands in the
// ordered space that shards divide, and it is the key as the engines store it.
//
// Hash ring:  token:u64 big-endian | database:u32 big-endian | key
//   token = CRC-16 slot of the hash tag (14 bits) | XXH3-64 of the hash tag (its lower 50 bits)
// The slot is Redis Cluster's own, so that a slot is a contiguous run of storage. The hash tag is the text
// between the first '{' and the next '}' if that is not empty, else the whole key: keys that share a tag are
// neighbours, ordered by key, as under a partition key and sort key of DynamoDB. Sources: Redis Cluster
// specification, "hash tags"; xxHash.
#pragma once

#include <cstdint>

#include "engine/bytes.h"

namespace shale::cluster {

using engine::Bytes;
using engine::BytesView;

// A database as stored. Not the number that SELECT takes: FLUSHDB gives a database number a fresh identity,
// and what was stored under the old one is obsolete from that moment (see Catalog).
using DatabaseId = std::uint32_t;

constexpr unsigned kSlotBits = 14;
constexpr std::uint32_t kSlotCount = 1u << kSlotBits;
constexpr std::size_t kTokenBytes = 8;
constexpr std::size_t kPrefixBytes = kTokenBytes + sizeof(DatabaseId);

// The part of `key` that decides where it is stored.
BytesView hash_tag(BytesView key);
// Redis Cluster's slot, 0 to 16383, of a key.
std::uint32_t slot_of(BytesView key);
// The first eight bytes of a position on the ring, as an integer.
std::uint64_t token_of(BytesView key);

// Appends the position of `key` to `out`.
void append_position(DatabaseId database, BytesView key, Bytes& out);
// The same where the token is known; also the place of a key that need not have it, among those that do.
void append_position(std::uint64_t token, DatabaseId database, BytesView key, Bytes& out);
// The first byte string behind all that begin with `prefix`; empty if there is none.
Bytes end_of_prefix(Bytes prefix);

struct PositionParts {
  std::uint64_t token;
  DatabaseId database;
  BytesView key;  // into the position
};
// `position` must be one that append_position made (at least kPrefixBytes long).
PositionParts split_position(BytesView position);

}  // namespace shale::cluster
