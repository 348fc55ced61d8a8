#include "src/memory_budget.h"

#include <algorithm>
#include <bit>

#include "src/units.h"

namespace shale::server {
namespace {

constexpr std::uint64_t kMebibyte = kMiB;  // unsigned, as budgets are

constexpr std::uint64_t kLogSegmentsMapped = 3;
constexpr std::uint64_t kDefaultPercentage = 50;

}  // namespace

std::optional<MemoryBudget> divide_memory(std::uint64_t total) {
  if (total < kMemoryBytesMin) return std::nullopt;
  MemoryBudget budget;
  budget.total = total;
  budget.overhead = 8 * kMebibyte + total / 16;
  budget.memtables = std::min(total / 4, 1024 * kMebibyte);
  budget.connections = total / 10;
  budget.log_segment = std::clamp(std::bit_floor(total / 16), 2 * kMebibyte, 16 * kMebibyte);
  budget.log_maps = kLogSegmentsMapped * budget.log_segment;
  budget.caches = total - budget.overhead - budget.memtables - budget.connections - budget.log_maps;
  return budget;
}

std::uint64_t resolve_memory(std::int64_t option_number, std::uint64_t available) {
  if (option_number > 0) return static_cast<std::uint64_t>(option_number);
  const std::uint64_t percentage =
      option_number == 0 ? kDefaultPercentage : static_cast<std::uint64_t>(-option_number);
  return available / 100 * percentage;
}

}  // namespace shale::server
