// libFuzzer over the readers of catalog, history, log, manifest and pages: tests/cluster/readers_fuzz_body.h.
#include <cstddef>
#include <cstdint>

#include "tests/cluster/readers_fuzz_body.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  shale::cluster::fuzz::read_changed({reinterpret_cast<const char*>(data), size});
  return 0;
}
