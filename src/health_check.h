// shale-server --health-check: asks a running server whether it answers.
#pragma once

#include <string>

#include "src/config.h"
#include "src/running_address.h"
#include "src/tls/context.h"

namespace shale::server {

// Connects, authenticates if there is a password, PINGs; gives up after three seconds. Empty if the server is
// well, else what is wrong. A server that wants a password we do not know is well: it answers.
std::string check_health(const RunningAddress& address, const std::string& password,
                         const tls::Settings& settings);

// Where the configuration has the server listen.
RunningAddress configured_address(const Config& config);

}  // namespace shale::server
