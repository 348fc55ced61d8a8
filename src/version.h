// Who this server says it is.
#pragma once

#include <string_view>

namespace shale::server {

inline constexpr std::string_view kShaleVersion = SHALE_VERSION;
// The Redis whose behaviour commands follow. Libraries decide by it what they may use.
inline constexpr std::string_view kRedisVersion = "7.4.2";

}  // namespace shale::server
