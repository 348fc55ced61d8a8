// The Redis that this server takes after.
#pragma once

#include <string_view>

namespace shale::server {

// Libraries decide by it which commands they may use and what they return.
inline constexpr std::string_view kRedisVersion = "7.4.2";

}  // namespace shale::server
