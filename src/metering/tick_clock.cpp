#include "src/metering/tick_clock.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace shale::server {
namespace {

constexpr std::uint64_t kFirstMeasureNs = 300'000;
// A shorter measure says less than the one before it.
constexpr std::uint64_t kLaterMeasureNsMin = 100'000'000;

#if defined(__x86_64__)
// The counter runs at one rate, whatever the processor saves.
bool counter_is_invariant() {
  constexpr unsigned kPowerManagement = 0x80000007;
  constexpr unsigned kInvariantBit = 1u << 8;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) != 0 && (edx & kInvariantBit) != 0;
}

// The kernel compares the processors' counters before it builds its clock on them.
bool kernel_counts_cycles() {
  constexpr std::array<std::string_view, 3> kMadeFromCounter = {"tsc", "kvm-clock",
                                                                "hyperv_clocksource_tsc_page"};
  std::ifstream file{"/sys/devices/system/clocksource/clocksource0/current_clocksource"};
  std::string source;
  return file >> source && std::ranges::find(kMadeFromCounter, source) != kMadeFromCounter.end();
}
#endif

bool can_count_cycles() {
#if defined(__x86_64__)
  return counter_is_invariant() && kernel_counts_cycles();
#else
  return false;
#endif
}

}  // namespace

TickClock::TickClock()
    : counts_cycles_(can_count_cycles()), calibrated_at_(now()), calibrated_at_ns_(monotonic_ns()) {
  if (!counts_cycles_) return;
  while (monotonic_ns() - calibrated_at_ns_ < kFirstMeasureNs) {
  }
  measure();
}

void TickClock::calibrate() {
  if (counts_cycles_ && monotonic_ns() - calibrated_at_ns_ >= kLaterMeasureNsMin) measure();
}

void TickClock::measure() {
  const Ticks ticks = now() - calibrated_at_;
  const Ticks ns = monotonic_ns() - calibrated_at_ns_;
  calibrated_at_ += ticks;
  calibrated_at_ns_ += ns;
  // A counter that went back has come from another machine: the next measure says more.
  const bool is_plausible = ticks != 0 && ticks < (Ticks{1} << 62);
  if (is_plausible)
    ns_per_tick_.store(static_cast<double>(ns) / static_cast<double>(ticks), std::memory_order_relaxed);
}

}  // namespace shale::server
