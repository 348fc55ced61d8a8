// The one memory budget, divided: what the resident size may be made of. The table is in
// docs/configuration.md.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace shale::server {

// All in bytes. The parts never add up to more than `total`.
struct MemoryBudget {
  std::uint64_t total = 0;
  std::uint64_t memtables = 0;  // of all shards together, those that wait for their flush included
  std::uint64_t caches = 0;     // blocks and records that have been read
  std::uint64_t log_segment =
      0;                       // size of one; two or three are mapped at a time, and their pages are resident
  std::uint64_t log_maps = 0;  // those two or three
  std::uint64_t connections = 0;  // requests and replies on their way, and what a client costs by being there
  std::uint64_t overhead = 0;     // program, stacks, tables' indexes and filters in use, allocator's slack
};

constexpr std::uint64_t kMemoryBytesMin = 32ull << 20;
// What a client costs that has connected and says nothing.
constexpr std::uint64_t kIdleClientBytes = 2560;

// nullopt if `total` is below kMemoryBytesMin.
std::optional<MemoryBudget> divide_memory(std::uint64_t total);

// From this size on a value has a file of its own (docs/large-values.md): 1 MiB, and up to 8 MiB where memory
// is ample. Through the log it would be written twice, but synced once; which matters to who sends one after
// the other and waits.
constexpr std::uint64_t large_value_bytes(const MemoryBudget& budget) {
  return std::clamp<std::uint64_t>(budget.connections / 32, 1u << 20, 8u << 20);
}

// What the option `memory` (Config::number) comes to, where `available` bytes belong to the machine or
// container: bytes as they are, a negative percentage of `available`, 0 the default share.
std::uint64_t resolve_memory(std::int64_t option_number, std::uint64_t available);

}  // namespace shale::server
