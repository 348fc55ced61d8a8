// How much of their work random tests do.
#pragma once

#include <algorithm>

namespace shale::engine {

// `rounds`, or a fifth of them under sanitizers, where each takes five times as long and more. What rounds of
// one kind meet, others meet, too; the seed changes from run to run.
constexpr int rounds_of_test(int rounds) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::max(1, rounds / 5);
#else
  return rounds;
#endif
}

}  // namespace shale::engine
