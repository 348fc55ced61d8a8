// The timeout of a command that waits.
#pragma once

#include <chrono>

#include "src/command/arguments.h"

namespace shale::server {

// The next argument as milliseconds; the arguments fail, with Redis's error, if it is none, is negative, or
// ends beyond what a time of Redis can say. A timer cannot be set for the far future without overflowing: no
// more than a century is returned.
std::chrono::milliseconds take_timeout(Arguments& arguments, std::int64_t now_ms);

}  // namespace shale::server
