// What the folders of tests' stores are made with: SHALE_ENGINE and SHALE_SHARDING, as the server takes them;
// CTest runs these tests with each.
#pragma once

#include <cstdlib>
#include <string_view>
#include <vector>

#include "cluster/store_options.h"

namespace shale::cluster {

inline bool test_asks_for(const char* variable, std::string_view value) {
  const char* const asked = std::getenv(variable);
  return asked != nullptr && asked == value;
}

inline EngineKind engine_of_test() {
  return test_asks_for("SHALE_ENGINE", "btree") ? EngineKind::btree : EngineKind::lsm;
}

inline Sharding sharding_of_test() {
  return test_asks_for("SHALE_SHARDING", "range") ? Sharding::range : Sharding::ring;
}

// As many shards as on the ring, which begin at these keys but for the first.
inline void set_folder_of_test(StoreOptions& options, std::vector<Bytes> split_points) {
  options.engine = engine_of_test();
  options.sharding = sharding_of_test();
  options.split_points = std::move(split_points);
}

}  // namespace shale::cluster
