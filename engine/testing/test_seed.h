// The seed of a randomised test: printed, and taken from TEST_SEED if that is set, so that a failure
// repeats.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace shale::engine {

inline std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* const given = std::getenv("TEST_SEED");
    const std::uint64_t chosen = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    std::printf("TEST_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    std::fflush(stdout);
    return chosen;
  }();
  return seed;
}

}  // namespace shale::engine
