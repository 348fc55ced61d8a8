// libFuzzer over RESTORE's payloads and HyperLogLogs: tests/server/text_fuzz_body.h.
#include <cstddef>
#include <cstdint>

#include "tests/server/text_fuzz_body.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  shale::server::fuzz::restore_once({reinterpret_cast<const char*>(data), size});
  return 0;
}
