// Where the server's memory is: the figures that INFO memory and the MEMORY command have in common.
#pragma once

#include <cstdint>
#include <string>

#include "src/allocator.h"

namespace shale::server {

class Server;

// In bytes.
struct MemoryReport {
  AllocatorFigures allocator;
  std::uint64_t used = 0;      // by the allocator, and mapped beside it (memtables, record caches)
  std::uint64_t resident = 0;  // of the process, in the machine's memory
  std::uint64_t peak = 0;      // the highest of either
  std::uint64_t startup = 0;   // of `used`, what was there before the first client
  std::uint64_t dataset = 0;   // of `used`, what holds clients' data: memtables, caches, pages
  std::uint64_t clients = 0;   // of `used`, what connections take
  std::uint64_t machine = 0;
  std::int64_t keys = 0;

  std::uint64_t overhead() const { return used - (dataset < used ? dataset : used); }
};

// Asks every shard and the allocator: not per command.
MemoryReport report_memory(Server& server);

// What `more` has above `less`; below 0 if it has not.
inline std::int64_t difference(std::uint64_t more, std::uint64_t less) {
  return static_cast<std::int64_t>(more) - static_cast<std::int64_t>(less);
}

// `part` of `whole`, 0 of nothing.
inline double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

// What the figures say to somebody who asks whether something is wrong (MEMORY DOCTOR). `budget`: what the
// process may use in all.
std::string diagnose_memory(const MemoryReport& report, std::uint64_t budget);

}  // namespace shale::server
