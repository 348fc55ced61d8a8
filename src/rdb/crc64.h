// CRC-64/REDIS: Jones's polynomial 0xad93d23594c935a9, reflected, begun with 0. Ends DUMP's payloads.
#pragma once

#include <cstdint>
#include <string_view>

namespace shale::rdb {

// Of `bytes` behind those that `crc` is of.
std::uint64_t crc64(std::uint64_t crc, std::string_view bytes);

}  // namespace shale::rdb
