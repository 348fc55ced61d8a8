// What the processor fetches at once.
#pragma once

#include <cstddef>

namespace shale::engine {

inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace shale::engine
