// Where a running server can be reached, kept in its data folder: a health check is a process of its own and
// does not see the arguments that the server was started with.
#pragma once

#include <optional>
#include <string>

namespace shale::server {

struct RunningAddress {
  std::string host;   // numeric, of this machine
  unsigned port = 0;  // 0: none
  bool tls = false;   // what that port speaks
  std::string unix_path;
};

// Best effort: without it a health check asks where the configuration says.
void write_running_address(const std::string& folder, const RunningAddress& address);
void remove_running_address(const std::string& folder);
std::optional<RunningAddress> read_running_address(const std::string& folder);

}  // namespace shale::server
