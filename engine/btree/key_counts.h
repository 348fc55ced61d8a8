// Keys per class (KeyPolicy) of something small: a leaf, a buffer, a subtree. Nearly always of one class, so
// that one stands in the object itself; a class that has nothing is not listed. Of a whole tree:
// lsm::ClassCounts.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/lsm/class_counts.h"

namespace shale::engine::btree {

class KeyCounts {
 public:
  KeyCounts() = default;
  KeyCounts(KeyCounts&&) = default;
  KeyCounts& operator=(KeyCounts&&) = default;
  KeyCounts(const KeyCounts& other) { *this = other; }
  KeyCounts& operator=(const KeyCounts& other) {
    first_ = other.first_;
    others_ = other.others_ ? std::make_unique<lsm::ClassCounts>(*other.others_) : nullptr;
    return *this;
  }
  ~KeyCounts() = default;

  void add(std::uint32_t count_class, std::int64_t change) {
    if (change == 0) return;
    if (first_.sum == 0 && !others_) first_.count_class = count_class;
    if (first_.count_class == count_class) {
      first_.sum += change;
      return;
    }
    if (!others_) others_ = std::make_unique<lsm::ClassCounts>();
    others_->add(count_class, change);
  }
  void add(const KeyCounts& other) {
    other.for_each([this](std::uint32_t count_class, std::int64_t sum) { add(count_class, sum); });
  }

  // Calls `visit` with every class and its sum, which is not 0.
  template <class Visit>
  void for_each(Visit visit) const {
    if (first_.sum != 0) visit(first_.count_class, first_.sum);
    if (!others_) return;
    for (const lsm::ClassBalance& known : others_->all()) {
      if (known.sum != 0) visit(known.count_class, known.sum);
    }
  }
  friend bool operator==(const KeyCounts& a, const KeyCounts& b) { return a.is_within(b) && b.is_within(a); }
  std::int64_t of(std::uint32_t count_class) const {
    if (first_.sum != 0 && first_.count_class == count_class) return first_.sum;
    return others_ ? others_->of(count_class) : 0;
  }

 private:
  bool is_within(const KeyCounts& other) const {
    bool is_equal = true;
    for_each([&](std::uint32_t count_class, std::int64_t sum) { is_equal &= other.of(count_class) == sum; });
    return is_equal;
  }

  lsm::ClassBalance first_;
  std::unique_ptr<lsm::ClassCounts> others_;  // of further classes
};

}  // namespace shale::engine::btree
