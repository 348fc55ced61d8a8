// Names for tests that are run with each of what a crash may do.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "engine/testing/simulated_disk.h"

namespace shale::engine {

inline std::string name_of(Unsynced unsynced) {
  switch (unsynced) {
    case Unsynced::lost: return "Lost";
    case Unsynced::kept: return "Kept";
    case Unsynced::torn: return "Torn";
  }
  return {};
}

inline std::string unsynced_name(const testing::TestParamInfo<Unsynced>& tested) {
  return name_of(tested.param);
}

}  // namespace shale::engine
