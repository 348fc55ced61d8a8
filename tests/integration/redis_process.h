// A redis-server to compare with, where one is installed.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include "tests/integration/server_process.h"

namespace shale::integration {

// Empty if it is not installed.
inline std::string redis_server_path() {
  for (const char* path : {"/usr/bin/redis-server", "/usr/local/bin/redis-server"}) {
    if (std::filesystem::exists(path)) return path;
  }
  return {};
}

// redis-server, with nothing on disk.
class RedisProcess {
 public:
  RedisProcess() {
    for (int attempt = 0; attempt < 5; ++attempt) {
      port_ = free_port();
      process_ = std::make_unique<ChildProcess>(std::vector<std::string>{
          redis_server_path(), "--port", std::to_string(port_), "--save", "", "--appendonly", "no", "--dir",
          folder_.path(), "--enable-debug-command", "yes"});
      if (process_->wait_for_output("Ready to accept connections")) return;
    }
    throw std::runtime_error("redis-server does not start:\n" + process_->output());
  }
  unsigned port() const { return port_; }

 private:
  TemporaryFolder folder_;
  unsigned port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

// TEST_SEED, or a random one. Read before a server is started, which would take the variable for an
// option of its own.
inline std::uint64_t seed_of_this_run() {
  static const std::uint64_t seed = [] {
    const char* wanted = std::getenv("TEST_SEED");
    const std::uint64_t chosen =
        wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device{}();
    ::unsetenv("TEST_SEED");
    return chosen;
  }();
  return seed;
}

}  // namespace shale::integration
