#pragma once

#include <cstdint>

namespace shale::server {

inline constexpr std::int64_t kMiB = 1 << 20;

}  // namespace shale::server
