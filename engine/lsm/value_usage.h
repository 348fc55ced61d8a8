// How much of each value file something refers to: a table, what a compaction has taken of it, a whole tree.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/lsm/table_properties.h"

namespace shale::engine::lsm {

class ValueUsage {
 public:
  void add(std::uint64_t file, std::uint64_t record_bytes) { add(ValueFileUse{file, 1, record_bytes}); }
  void add(const ValueFileUse& use) {
    ValueFileUse& known = uses_[use.file];
    known.file = use.file;
    known.record_count += use.record_count;
    known.record_bytes += use.record_bytes;
  }
  void add(const std::vector<ValueFileUse>& uses) {
    for (const ValueFileUse& use : uses) add(use);
  }
  // Of what has been added before.
  void subtract(const ValueUsage& part) {
    for (const auto& [file, use] : part.uses_) {
      const auto known = uses_.find(file);
      if (known == uses_.end()) continue;
      known->second.record_count -= use.record_count;
      known->second.record_bytes -= use.record_bytes;
      if (known->second.record_count == 0) uses_.erase(known);
    }
  }
  // By file, ascending.
  std::vector<ValueFileUse> all() const {
    std::vector<ValueFileUse> uses;
    uses.reserve(uses_.size());
    for (const auto& [file, use] : uses_) uses.push_back(use);
    return uses;
  }

 private:
  std::map<std::uint64_t, ValueFileUse> uses_;
};

}  // namespace shale::engine::lsm
