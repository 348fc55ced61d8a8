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
namespace {

#define SHALE_STRING_OF(number) #number
#define SHALE_VERSION_TEXT(major, minor, patch) \
  "jemalloc-" SHALE_STRING_OF(major) "." SHALE_STRING_OF(minor) "." SHALE_STRING_OF(patch)

std::uint64_t statistic(const char* name) {
  std::size_t value = 0;
  std::size_t size = sizeof value;
  return mallctl(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

}  // namespace

std::string_view allocator_name() {
  return SHALE_VERSION_TEXT(JEMALLOC_VERSION_MAJOR, JEMALLOC_VERSION_MINOR, JEMALLOC_VERSION_BUGFIX);
}

AllocatorFigures allocator_figures() {
  std::uint64_t epoch = 1;
  std::size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);  // makes the statistics current
  return {statistic("stats.allocated"), statistic("stats.active"), statistic("stats.resident")};
}

std::string allocator_report() {
  std::string report;
  malloc_stats_print([](void* text, const char* part) { *static_cast<std::string*>(text) += part; }, &report,
                     nullptr);
  return report;
}

void purge_allocator() {
  // MALLCTL_ARENAS_ALL stands for all arenas.
  static_assert(MALLCTL_ARENAS_ALL == 4096);
  mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);
}

}  // namespace shale::server

#else

namespace shale::server {

std::string_view allocator_name() { return "libc"; }
AllocatorFigures allocator_figures() { return {}; }
std::string allocator_report() { return {}; }
void purge_allocator() {}

}  // namespace shale::server

#endif
