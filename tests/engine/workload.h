// What simulated runs of an engine do, and what must then be in it. A workload is drawn from a seed: puts,
// erases, and now and then the end of a whole class of keys, whose place a new one takes.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "engine/bytes.h"
#include "tests/engine/simulated_engine.h"
#include "tests/engine/test_policy.h"

namespace shale::engine {

struct LoggedOperation {
  enum class Kind : std::uint8_t { put, erase, drop_class };
  Kind kind = Kind::put;
  Bytes key;  // of drop_class: the class
  Bytes value;
};

using Model = std::map<Bytes, Bytes>;

// The log of a run: operation n has the lsn n + 1.
class Workload {
 public:
  Workload(std::uint64_t seed, std::uint64_t key_count, std::uint64_t value_bytes_max)
      : random_(seed), key_count_(key_count), value_bytes_max_(value_bytes_max) {}

  Lsn last_lsn() const { return operations_.size(); }
  const LoggedOperation& at(Lsn lsn) const { return operations_[lsn - 1]; }

  void add_write() {
    LoggedOperation operation;
    operation.key = any_key();
    if (random_() % 4 == 0) {
      operation.kind = LoggedOperation::Kind::erase;
    } else {
      const std::uint64_t bytes =
          random_() % (random_() % 50 == 0 ? 20 * value_bytes_max_ : value_bytes_max_);
      operation.value = fmt::format("{}:{}", last_lsn() + 1, Bytes(bytes, 'v'));
    }
    operations_.push_back(std::move(operation));
  }
  void add_drop() {
    char& dropped = classes_[random_() % classes_.size()];
    operations_.push_back({LoggedOperation::Kind::drop_class, Bytes(1, dropped), {}});
    dropped = next_class_++;
  }
  bool can_drop() const { return next_class_ < 'z'; }
  Bytes any_key() {
    return fmt::format("{}{:08x}", classes_[random_() % classes_.size()],
                       random_() % key_count_ * 0x9e3779b9U % 0x100000000U);
  }
  const Bytes& classes() const { return classes_; }

  // What stands after the records up to `lsn`; keys of classes that are dead by the end of the log left out.
  Model after(Lsn lsn) const {
    const std::set<char> dead = dead_classes();
    Model model;
    for (Lsn at_lsn = 1; at_lsn <= lsn; ++at_lsn) {
      const LoggedOperation& operation = at(at_lsn);
      if (dead.contains(operation.key[0])) continue;
      if (operation.kind == LoggedOperation::Kind::put) model[operation.key] = operation.value;
      if (operation.kind == LoggedOperation::Kind::erase) model.erase(operation.key);
    }
    return model;
  }
  std::set<char> dead_classes() const {
    std::set<char> dead;
    for (const LoggedOperation& operation : operations_) {
      if (operation.kind == LoggedOperation::Kind::drop_class) dead.insert(operation.key[0]);
    }
    return dead;
  }

 private:
  std::mt19937_64 random_;
  const std::uint64_t key_count_;
  const std::uint64_t value_bytes_max_;
  std::vector<LoggedOperation> operations_;
  Bytes classes_ = "abc";
  char next_class_ = 'd';
};

// Applies the record as the engine's owner would. With `read_first` the engine knows of every write whether
// its key was there, and counts exactly.
inline Status apply(SimulatedEngine& engine, TestPolicy& policy, const Workload& workload, Lsn lsn,
                    bool read_first) {
  const LoggedOperation& operation = workload.at(lsn);
  if (operation.kind == LoggedOperation::Kind::drop_class) {
    policy.dead.insert(static_cast<std::uint8_t>(operation.key[0]));
    engine.reclaim_obsolete(lsn);
    return {};
  }
  if (policy.dead.contains(static_cast<std::uint8_t>(operation.key[0]))) return {};  // as a replay leaves it
  if (read_first) {
    if (const auto found = engine.get(operation.key); !found) return found.error();
  }
  return operation.kind == LoggedOperation::Kind::put ? engine.put(operation.key, operation.value, lsn)
                                                      : engine.erase(operation.key, lsn);
}

// The engine's keys of classes that are not dead.
inline Result<Model> live_contents(SimulatedEngine& engine, const Workload& workload, BytesView from = {}) {
  auto found = engine.scan(from);
  if (!found) return found.error();
  const std::set<char> dead = workload.dead_classes();
  std::erase_if(*found, [&](const auto& entry) { return dead.contains(entry.first[0]); });
  return std::move(*found);
}

// The first key in which they differ, for people; empty if they are equal.
inline std::string difference(const Model& found, const Model& expected) {
  const auto [in_found, in_expected] =
      std::mismatch(found.begin(), found.end(), expected.begin(), expected.end());
  if (in_found == found.end() && in_expected == expected.end()) return {};
  const auto describe_entry = [](const Model& model, const auto& place) {
    return place == model.end() ? std::string{"the end"}
                                : fmt::format("{} = {}", place->first, place->second);
  };
  return fmt::format("found {}, expected {}", describe_entry(found, in_found),
                     describe_entry(expected, in_expected));
}

inline void expect_counts(SimulatedEngine& engine, const Workload& workload, const Model& model) {
  for (const char count_class : workload.classes()) {
    const auto keys = std::count_if(model.begin(), model.end(),
                                    [&](const auto& entry) { return entry.first[0] == count_class; });
    ASSERT_EQ(engine.key_count(count_class), keys) << "class " << count_class;
  }
}

}  // namespace shale::engine
