// Live keys per class: a handful of classes, so a short list beats a map.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/lsm/table_properties.h"

namespace shale::engine::lsm {

class ClassCounts {
 public:
  // A class stays listed once it has been added to, also at 0: it says that there are entries of the class.
  void add(std::uint32_t count_class, std::int64_t change) {
    for (ClassBalance& known : balances_) {
      if (known.count_class == count_class) {
        known.sum += change;
        return;
      }
    }
    balances_.push_back({count_class, change});
  }
  void add(const std::vector<ClassBalance>& balances) {
    for (const ClassBalance& balance : balances) add(balance.count_class, balance.sum);
  }
  std::int64_t of(std::uint32_t count_class) const {
    for (const ClassBalance& known : balances_) {
      if (known.count_class == count_class) return known.sum;
    }
    return 0;
  }
  const std::vector<ClassBalance>& all() const { return balances_; }

 private:
  std::vector<ClassBalance> balances_;
};

}  // namespace shale::engine::lsm
