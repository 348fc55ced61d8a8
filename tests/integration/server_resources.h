// What a server process takes from the machine: memory and files.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include "engine/testing/effort.h"
#include "tests/integration/server_process.h"

namespace shale::integration {

// Sanitizers keep what has been freed, and need more for the rest.
inline constexpr bool kMemoryIsOurs = !engine::kSanitized;

// A line of /proc/<id>/status that counts KiB: "VmRSS:", "RssAnon:".
inline std::uint64_t status_kib(pid_t process, std::string_view name) {
  std::ifstream status{"/proc/" + std::to_string(process) + "/status"};
  for (std::string word; status >> word;) {
    std::uint64_t kib = 0;
    if (word == name && status >> kib) return kib;
  }
  return 0;
}

inline std::uint64_t resident_mib(ServerProcess& server) {
  return status_kib(server.process().id(), "VmRSS:") / 1024;
}

// How many descriptors the process has open of which `counts` is true, by what /proc says they are.
template <class Counts>
std::size_t count_descriptors(ServerProcess& server, Counts counts) {
  std::size_t count = 0;
  std::error_code closed_meanwhile;
  for (const auto& file :
       std::filesystem::directory_iterator{"/proc/" + std::to_string(server.process().id()) + "/fd"}) {
    count += counts(std::filesystem::read_symlink(file.path(), closed_meanwhile).string());
  }
  return count;
}
inline std::size_t open_descriptors(ServerProcess& server) {
  return count_descriptors(server, [](const std::string&) { return true; });
}
// Those it listens on included.
inline std::size_t open_sockets(ServerProcess& server) {
  return count_descriptors(server, [](const std::string& what) { return what.starts_with("socket:"); });
}

// The most anonymous memory that the process has been seen to use, until it ends: one that is started after
// it is not watched.
class AnonymousMemory {
 public:
  explicit AnonymousMemory(ServerProcess& server)
      : process_(server.process().id()), watcher_([this] {
          while (!stopping_) look();
        }) {}
  ~AnonymousMemory() { stop(); }
  std::uint64_t peak_mib() {
    stop();
    return peak_kib_ / 1024;
  }

 private:
  void stop() {
    stopping_ = true;
    if (watcher_.joinable()) watcher_.join();
  }
  void look() {
    peak_kib_ = std::max(peak_kib_, status_kib(process_, "RssAnon:"));
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }

  const pid_t process_;
  std::uint64_t peak_kib_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread watcher_;
};

}  // namespace shale::integration
