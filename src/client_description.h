// One client as CLIENT LIST and CLIENT INFO describe it.
#pragma once

#include <cstdint>
#include <string>

#include "src/session.h"

namespace shale::server {

// Redis's fields in Redis's order, without a line end. Any thread.
std::string describe_client(Session& session, std::int64_t now_ms);

}  // namespace shale::server
