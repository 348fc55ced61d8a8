// What the memory allocator says of itself. It is jemalloc, except in builds with sanitizers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shale::server {

// "jemalloc-5.3.0", or "libc" in builds with sanitizers.
std::string_view allocator_name();

// In bytes; all 0 if the allocator cannot say.
struct AllocatorFigures {
  std::uint64_t allocated = 0;  // in use by the program
  std::uint64_t active = 0;     // in pages of which something is in use
  std::uint64_t resident = 0;   // mapped, and in the machine's memory
};
// Walks the allocator's statistics: not per command.
AllocatorFigures allocator_figures();
inline std::uint64_t allocated_bytes() { return allocator_figures().allocated; }

// What the allocator reports of itself, for people; empty if it cannot.
std::string allocator_report();
// Gives unused pages back to the system. May take milliseconds.
void purge_allocator();

}  // namespace shale::server
