// Randomness for tests that can be repeated: a failure prints the seed, TEST_SEED sets it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "engine/testing/test_seed.h"

namespace shale::engine {

// Lives as long as a test's body, so that every failure in it names the seed.
class SeededRandom {
 public:
  SeededRandom()
      : engine_(test_seed()), trace_(__FILE__, __LINE__, "TEST_SEED=" + std::to_string(test_seed())) {}

  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string bytes(std::size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(engine_());
    return bytes;
  }

 private:
  std::mt19937_64 engine_;
  testing::ScopedTrace trace_;
};

}  // namespace shale::engine
