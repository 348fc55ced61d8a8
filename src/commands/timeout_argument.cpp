#include "src/commands/timeout_argument.h"

#include <algorithm>
#include <limits>

namespace shale::server {

std::chrono::milliseconds take_timeout(Arguments& arguments, std::int64_t now_ms) {
  constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours(24) * 365 * 100;
  const std::int64_t timeout = arguments.take_integer("ERR timeout is not an integer or out of range");
  if (timeout < 0) arguments.fail("ERR timeout is negative");
  if (timeout > std::numeric_limits<std::int64_t>::max() - now_ms)
    arguments.fail("ERR timeout is out of range");
  return std::min(std::chrono::milliseconds{timeout}, kTimeoutMax);
}

}  // namespace shale::server
