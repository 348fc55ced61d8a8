#include "src/last_uses.h"

#include <algorithm>
#include <bit>

namespace shale::server {
namespace {

constexpr std::uint64_t kMemoryDivisor = 1024;
constexpr std::uint64_t kTableBytesMax = 4u << 20;

}  // namespace

LastUses::LastUses(std::uint64_t memory_bytes)
    : mask_(std::bit_floor(std::clamp<std::uint64_t>(memory_bytes / kMemoryDivisor, sizeof(std::uint32_t),
                                                     kTableBytesMax)) /
                sizeof(std::uint32_t) -
            1),
      table_((mask_ + 1) * sizeof(std::uint32_t)) {}

}  // namespace shale::server
