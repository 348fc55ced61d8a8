// Which engine the shards of a test's store have: SHALE_ENGINE, as the server takes it; CTest runs these
// tests with either.
#pragma once

#include <cstdlib>
#include <string_view>

#include "cluster/catalog.h"

namespace shale::cluster {

inline EngineKind engine_of_test() {
  const char* const asked = std::getenv("SHALE_ENGINE");
  return asked != nullptr && std::string_view{asked} == "btree" ? EngineKind::btree : EngineKind::lsm;
}

}  // namespace shale::cluster
