// A simulated tree of either kind (each engine's SimulatedTree) as one of the engines that the contract test
// runs over.
#pragma once

#include <memory>

#include "engine/testing/simulated_disk.h"
#include "tests/engine/engine_under_test.h"

namespace shale::engine {

template <class SimulatedTree>
class SimulatedEngineUnderTest final : public EngineUnderTest {
 public:
  explicit SimulatedEngineUnderTest(std::uint64_t seed) : seed_(seed), disk_(seed), tree_(disk_, policy_) {
    open();
  }

  Engine& engine() override { return tree_.tree(); }
  bool run_one() override { return tree_.run_one(); }
  void reopen() override {
    tree_.close();
    open();
  }

 private:
  class OneClass final : public KeyPolicy {
   public:
    std::uint32_t count_class(BytesView) const override { return 0; }
    bool is_live_class(std::uint32_t) const override { return true; }
    std::int64_t obsolete_from_ms(BytesView, BytesView) const override { return kNeverObsolete; }
  };

  void open() {
    const Status opened = tree_.open(seed_++);
    ASSERT_TRUE(opened) << opened.error().message;
  }

  std::uint64_t seed_;
  OneClass policy_;
  SimulatedDisk disk_;
  SimulatedTree tree_;
};

template <class SimulatedTree>
std::unique_ptr<EngineUnderTest> make_simulated(std::uint64_t seed) {
  return std::make_unique<SimulatedEngineUnderTest<SimulatedTree>>(seed);
}

}  // namespace shale::engine
