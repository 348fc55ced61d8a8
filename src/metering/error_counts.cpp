#include "src/metering/error_counts.h"

#include <algorithm>

namespace shale::server {
namespace {

constexpr std::size_t kCodeBytesMax = 64;

std::string_view code_of(std::string_view reply) {
  reply.remove_prefix(1);
  return reply.substr(0, std::min(reply.find_first_of(" \r\n"), kCodeBytesMax));
}

void add(ErrorTotals& totals, std::string_view code, std::int64_t count) {
  auto found = totals.find(code);
  if (found == totals.end()) {
    const bool is_full = totals.size() >= kErrorCodesMax;
    found = totals.try_emplace(std::string{is_full ? kErrorOverflow : code}).first;
  }
  found->second += count;
}

}  // namespace

void ErrorCounts::count(std::string_view reply) {
  const std::lock_guard lock{mutex_};
  add(counts_, code_of(reply), 1);
}

void ErrorCounts::clear() {
  const std::lock_guard lock{mutex_};
  counts_.clear();
}

void ErrorCounts::add_to(ErrorTotals& totals) const {
  const std::lock_guard lock{mutex_};
  for (const auto& [code, count] : counts_) add(totals, code, count);
}

}  // namespace shale::server
