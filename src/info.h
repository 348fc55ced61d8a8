// INFO: what the server says of itself, in Redis's sections and fields, and a section of its own.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace shale::server {

class Server;

// The sections with these names (any case; unknown ones are passed over; none: the default ones), in Redis's
// order. "default", "all" and "everything" name several. Takes shards' locks, one at a time.
std::string describe_server(Server& server, std::span<const std::string_view> sections);

}  // namespace shale::server
