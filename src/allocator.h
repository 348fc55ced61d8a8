// What the memory allocator says of itself. It is jemalloc, except in builds with sanitizers.
#pragma once

#include <cstdint>

namespace shale::server {

// Bytes in use by the program, 0 if the allocator cannot say. Walks the allocator's statistics: not per
// command.
std::uint64_t allocated_bytes();

}  // namespace shale::server
