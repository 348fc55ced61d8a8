// INFO: the process, its clients, the processor time it has used.
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <sstream>

#include "src/config.h"
#include "src/info/sections.h"
#include "src/run.h"
#include "src/server.h"
#include "src/version.h"

namespace shale::server::info {
namespace {

std::string operating_system() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string executable() {
  std::array<char, 4096> path{};
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : std::string{};
}

// One line per kind of listener, as Redis has them.
void write_listeners(InfoFields& fields, Server& server) {
  const Config& config = server.config();
  int number = 0;
  std::string addresses;
  std::istringstream words{config.text(Option::bind)};
  for (std::string word; words >> word;) addresses += fmt::format(",bind={}", word);
  const auto write_port = [&](std::string_view kind, std::int64_t port) {
    if (port == 0) return;
    fields.add(fmt::format("listener{}", number++), fmt::format("name={}{},port={}", kind, addresses, port));
  };
  write_port("tcp", config.number(Option::port));
  if (const std::string path = config.text(Option::unixsocket); !path.empty()) {
    fields.add(fmt::format("listener{}", number++), fmt::format("name=unix,bind={}", path));
  }
  write_port("tls", config.number(Option::tls_port));
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

void write_server(InfoFields& fields, Server& server) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t uptime_seconds = server.uptime().count();
  fields.add("redis_version", kRedisVersion);
  fields.add("shale_version", shale_version());
  fields.add("redis_git_sha1", "00000000");
  fields.add("redis_git_dirty", 0);
  fields.add("redis_mode", server.in_cluster_mode() ? "cluster" : "standalone");
  fields.add("os", operating_system());
  fields.add("arch_bits", sizeof(void*) * 8);
  fields.add("monotonic_clock", server.metering().clock().counts_cycles()
                                    ? "X86 TSC, as the kernel's clock is made from it"
                                    : "POSIX clock_gettime");
  fields.add("multiplexing_api", "epoll");
  fields.add("atomicvar_api", "c11-builtin");
  fields.add("gcc_version", fmt::format("{}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__));
  fields.add("process_id", ::getpid());
  fields.add("process_supervised", "no");
  fields.add("run_id", server.run_id());
  fields.add("tcp_port", server.port());
  fields.add("tls_port", server.config().number(Option::tls_port));
  fields.add("server_time_usec", std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  fields.add("uptime_in_seconds", uptime_seconds);
  fields.add("uptime_in_days", std::chrono::floor<std::chrono::days>(server.uptime()).count());
  fields.add("executable", executable());
  fields.add("config_file", server.config_file());
  fields.add("io_threads_active", server.thread_count() > 1 ? 1 : 0);
  write_listeners(fields, server);
}

void write_clients(InfoFields& fields, Server& server) {
  const ServerTotals totals = server.stats().totals();
  fields.add("connected_clients", totals.connections);
  fields.add("cluster_connections", 0);
  fields.add("maxclients", server.config().number(Option::maxclients));
  fields.add("blocked_clients", std::ranges::count_if(server.clients().list(), [](const auto& session) {
               return session->is_blocked.load(std::memory_order_relaxed);
             }));
  fields.add("tracking_clients", server.tracking().client_count());
  fields.add("pubsub_clients", server.pubsub().client_count());
  fields.add("watching_clients", std::ranges::count_if(server.clients().list(), [](const auto& session) {
               return session->watched_keys.load(std::memory_order_relaxed) != 0;
             }));
  fields.add("total_watched_keys", server.watches().count());
}

void write_cpu(InfoFields& fields, Server&) {
  rusage self{};
  rusage children{};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  fields.add("used_cpu_sys", fmt::format("{:.6f}", seconds(self.ru_stime)));
  fields.add("used_cpu_user", fmt::format("{:.6f}", seconds(self.ru_utime)));
  fields.add("used_cpu_sys_children", fmt::format("{:.6f}", seconds(children.ru_stime)));
  fields.add("used_cpu_user_children", fmt::format("{:.6f}", seconds(children.ru_utime)));
}

}  // namespace shale::server::info
