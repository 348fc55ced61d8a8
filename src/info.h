// INFO: what the server says of itself, in Redis's sections and fields, and a section of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace shale::server {

class Server;

// The sections with these names (any case; unknown ones are passed over; none: the default ones), in Redis's
// order. "default", "all" and "everything" name several. Takes shards' locks, one at a time.
std::string describe_server(Server& server, std::span<const std::string_view> sections);

// 2423488 -> "2.31M", as Redis abbreviates bytes.
std::string abbreviate_bytes(std::uint64_t bytes);

}  // namespace shale::server
