// The one place where failures of the store become RESP text.
#pragma once

#include <cstdint>
#include <string>

#include "engine/result.h"

namespace shale::server {

enum class Failed : std::uint8_t { read, write };

// With its code, as it goes to the client. `error` must not be one of those that mean "not now".
std::string client_message(const engine::Error& error, Failed what);

// For the operator; at most a line a second, however many clients meet the error.
void log_failure(const engine::Error& error);

}  // namespace shale::server
