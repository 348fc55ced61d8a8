#include "src/allocator.h"

#ifdef SHALE_JEMALLOC

#include <jemalloc/jemalloc.h>

// Read by jemalloc when it starts. What has been freed goes back to the system within a second, so that the
// resident size follows what is in use; few arenas, because each keeps slack of its own.
extern "C" {
// NOLINTNEXTLINE(readability-identifier-naming): jemalloc's name
const char* malloc_conf = "narenas:4,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true";
}

namespace shale::server {

std::uint64_t allocated_bytes() {
  std::uint64_t epoch = 1;
  std::size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);  // makes the statistics current
  std::size_t allocated = 0;
  size = sizeof allocated;
  return mallctl("stats.allocated", &allocated, &size, nullptr, 0) == 0 ? allocated : 0;
}

}  // namespace shale::server

#else

namespace shale::server {

std::uint64_t allocated_bytes() { return 0; }

}  // namespace shale::server

#endif
