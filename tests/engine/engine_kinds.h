// Every kind of engine, so small that some thousand records reach all of its parts: what tests of any engine
// run over.
#pragma once

#include <array>
#include <memory>
#include <ostream>

#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/lsm/simulated_tree.h"

namespace shale::engine {

struct EngineKind {
  const char* name;
  // Not open yet.
  std::unique_ptr<SimulatedEngine> (*make)(SimulatedDisk& disk, const KeyPolicy& policy);

  friend void PrintTo(const EngineKind& kind, std::ostream* out) { *out << kind.name; }
};

inline constexpr std::array<EngineKind, 3> kEngineKinds = {{
    {"lsm",
     [](SimulatedDisk& disk, const KeyPolicy& policy) -> std::unique_ptr<SimulatedEngine> {
       return std::make_unique<lsm::SimulatedTree>(disk, policy);
     }},
    {"lsm_with_value_files",
     [](SimulatedDisk& disk, const KeyPolicy& policy) -> std::unique_ptr<SimulatedEngine> {
       return std::make_unique<lsm::SimulatedTree>(disk, policy, lsm::tiny_tables_with_value_files());
     }},
    {"btree",
     [](SimulatedDisk& disk, const KeyPolicy& policy) -> std::unique_ptr<SimulatedEngine> {
       return std::make_unique<btree::SimulatedTree>(disk, policy);
     }},
}};

}  // namespace shale::engine
