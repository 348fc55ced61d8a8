#include "src/running_address.h"

#include <cstdio>
#include <fstream>

namespace shale::server {
namespace {

std::string path_in(const std::string& folder) { return folder + "/server-address"; }

}  // namespace

void write_running_address(const std::string& folder, const RunningAddress& address) {
  std::ofstream file{path_in(folder), std::ios::trunc};
  file << "host " << address.host << "\nport " << address.port << "\ntls " << (address.tls ? "yes" : "no")
       << "\nunixsocket " << address.unix_path << '\n';
}

void remove_running_address(const std::string& folder) { std::remove(path_in(folder).c_str()); }

std::optional<RunningAddress> read_running_address(const std::string& folder) {
  std::ifstream file{path_in(folder)};
  RunningAddress address;
  for (std::string line; std::getline(file, line);) {
    const std::size_t name_end = line.find(' ');
    if (name_end == std::string::npos) continue;
    const std::string name = line.substr(0, name_end);
    const std::string value = line.substr(name_end + 1);
    if (name == "host") address.host = value;
    if (name == "port") address.port = static_cast<unsigned>(std::strtoul(value.c_str(), nullptr, 10));
    if (name == "tls") address.tls = value == "yes";
    if (name == "unixsocket") address.unix_path = value;
  }
  if (address.port == 0 && address.unix_path.empty()) return std::nullopt;
  return address;
}

}  // namespace shale::server
