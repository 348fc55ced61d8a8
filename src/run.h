// The server's life from its checked options to its end: opens the store, serves, stops in order.
#pragma once

#include <string>

#include "src/config.h"

namespace shale::server {

std::string_view shale_version();

// Returns the process's exit code. `warnings` are logged first. Called once.
int run_server(Config& config, const std::string& config_file, const std::string& warning);

// What `threads` and `memory` come to on this machine.
struct Resources {
  unsigned threads = 1;
  std::uint64_t memory_bytes = 0;
};
Resources resolve_resources(const Config& config);

}  // namespace shale::server
