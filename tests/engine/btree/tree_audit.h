// What a check of a closed tree's folder says.
#pragma once

#include <string>
#include <vector>

#include "engine/btree/verify.h"
#include "tests/engine/btree/simulated_tree.h"

namespace shale::engine::btree {

inline std::vector<std::string> audit_problems(SimulatedDisk& disk, std::uint64_t* records = nullptr) {
  std::vector<std::string> problems;
  Verification verification{[&](Finding finding, const std::string& line) {
    if (finding != Finding::remark) problems.push_back(line);
  }};
  const TestPolicy policy;
  verify_trees(
      disk, "/btree", [&](BytesView key) { return policy.count_class(key); }, verification);
  if (records != nullptr) *records = verification.records();
  return problems;
}

}  // namespace shale::engine::btree
