// libFuzzer over the reading of tables: tests/engine/lsm/table_fuzz_body.h. A damaged length may ask for
// memory that is never touched, so run it with -malloc_limit_mb=0.
#include <cstddef>
#include <cstdint>

#include "tests/engine/lsm/table_fuzz_body.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  shale::engine::lsm::fuzz_table_once({reinterpret_cast<const char*>(data), size});
  return 0;
}
