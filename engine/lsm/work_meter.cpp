#include "engine/lsm/work_meter.h"

#include <algorithm>
#include <thread>

namespace shale::engine::lsm {
namespace {

constexpr std::chrono::milliseconds kStep{5};
constexpr std::chrono::milliseconds kWaitMax{100};
// Work gets a little more than it is said to need: debt must shrink also where the quota is an estimate.
constexpr double kMargin = 1.25;

}  // namespace

void WorkMeter::pay(std::uint64_t bytes, double behind, double quota) {
  if (idle_bytes_per_second_ == 0 || behind >= 1) return;
  const auto rate = static_cast<double>(idle_bytes_per_second_);
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock{mutex_};
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    const std::uint64_t committed = committed_bytes_.load(std::memory_order_relaxed);
    const double bought =
        static_cast<double>(committed - credited_bytes_) * quota * kMargin * (1 + 3 * std::max(behind, 0.0));
    const std::chrono::duration<double> passed = now - std::max(credited_at_, now - kWaitMax);
    credit_ = std::min(credit_ + bought + passed.count() * rate, rate);
    credited_bytes_ = committed;
    credited_at_ = now;
    if (credit_ >= static_cast<double>(bytes) || background_.stopping() || now - begin >= kWaitMax) break;
    lock.unlock();
    std::this_thread::sleep_for(kStep);
    lock.lock();
  }
  credit_ = std::max(credit_ - static_cast<double>(bytes), 0.0);
}

}  // namespace shale::engine::lsm
