// How often which error code has been replied ("WRONGTYPE", "ERR"). Codes can come from clients' own scripts,
// so only so many are told apart; the rest are counted together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace shale::server {

using ErrorTotals = std::map<std::string, std::int64_t, std::less<>>;

inline constexpr std::size_t kErrorCodesMax = 128;
inline constexpr std::string_view kErrorOverflow = "ERRORSTATS_OVERFLOW";

// One thread's; its lock is contended only while somebody adds up.
class ErrorCounts {
 public:
  // `reply` begins with an error: "-WRONGTYPE Operation against ...".
  void count(std::string_view reply);
  void clear();
  void add_to(ErrorTotals& totals) const;

 private:
  mutable std::mutex mutex_;  // guards counts_
  ErrorTotals counts_;
};

}  // namespace shale::server
