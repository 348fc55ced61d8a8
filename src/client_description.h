// One client as CLIENT LIST and CLIENT INFO describe it.
#pragma once

#include <cstdint>
#include <string>

#include "src/session.h"

namespace shale::server {

// Redis's fields in Redis's order, without a line end. Any thread. What the client holds in memory is as of
// when its connection last had nothing more to do.
std::string describe_client(Session& session, std::int64_t now_ms);
// The same with what it holds now, the command that it executes included. By the connection's thread.
std::string describe_own_client(Session& session, std::int64_t now_ms);

}  // namespace shale::server
