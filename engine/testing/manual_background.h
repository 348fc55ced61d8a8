// Background work that runs when a test says so, on the test's thread: in order of priority, or in an order
// drawn from a seed, which finds what depends on luck.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "engine/io/background.h"

namespace shale::engine {

// Thread-safe.
class ManualBackground final : public Background {
 public:
  // In order of priority, first come first served within one.
  ManualBackground() = default;
  // In random order, whatever the priority.
  explicit ManualBackground(std::uint64_t seed) : random_(std::in_place, seed) {}

  void submit(Priority priority, std::function<void()> work) override;
  void stop() override;  // drops what waits; there is nothing to wait for
  bool stopping() const override;

  // Runs one piece of work; false if there was none.
  bool run_one();
  // Runs until nothing waits, work submitted meanwhile included; returns how many pieces ran. A test whose
  // work never stops submitting more stops here at `limit`.
  std::size_t run_all(std::size_t limit = 1'000'000);
  std::size_t waiting() const;

 private:
  struct Item {
    Priority priority;
    std::function<void()> work;
  };

  mutable std::mutex mutex_;  // guards everything below; not held while work runs
  std::vector<Item> items_;   // in the order of submit()
  std::optional<std::mt19937_64> random_;
  bool stopped_ = false;
};

}  // namespace shale::engine
