// How much of their work random tests do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace shale::engine {

// What is tested has sanitizers: this program, or the server that it drives.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SHALE_DRIVES_SANITIZERS)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// `rounds`, or a fifth of them under sanitizers, where each takes five times as long and more. What rounds of
// one kind meet, others meet, too; the seed changes from run to run.
constexpr int rounds_of_test(int rounds) { return kSanitized ? std::max(1, rounds / 5) : rounds; }

// The number in the environment variable `name`; `otherwise` if it is not set. The names have no SHALE_ in
// front: the server, which some tests start, refuses such variables if it does not know them.
inline std::uint64_t asked_of_test(const char* name, std::uint64_t otherwise) {
  const char* const asked = std::getenv(name);
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : otherwise;
}

// Prints how many states of a disk a test tries: docs/reliability.md adds them up.
inline void report_states(std::uint64_t states) {
  std::printf("%llu states\n", static_cast<unsigned long long>(states));
}

// At how many of the `calls` of a run the machine dies: CRASH_POINTS, or `otherwise`; at least at one. Each
// is a state of the disk that is tried.
inline std::uint64_t crash_points(std::uint64_t calls, std::uint64_t otherwise) {
  const std::uint64_t points =
      std::min(calls, std::max<std::uint64_t>(1, asked_of_test("CRASH_POINTS", otherwise)));
  report_states(points);
  return points;
}

}  // namespace shale::engine
