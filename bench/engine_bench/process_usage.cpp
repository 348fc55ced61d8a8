#include "bench/engine_bench/process_usage.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <thread>

namespace shale::bench {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kLook = 50ms;
constexpr auto kQuiet = 500ms;             // longer than a background thread usually waits for one fsync
constexpr double kIdleCpuSeconds = 0.001;  // per look: what looking costs, and the log's idle threads
constexpr auto kPatience = 5min;

// The number in the line of a file in /proc that begins with `name`.
std::uint64_t number_in(const char* path, std::string_view name) {
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size()));
  }
  return 0;
}

std::uint64_t status_bytes(std::string_view name) { return number_in("/proc/self/status", name) << 10; }

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

double process_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void reset_peak_resident() { std::ofstream{"/proc/self/clear_refs"} << "5"; }
std::uint64_t peak_resident_bytes() { return status_bytes("VmHWM:"); }
std::uint64_t anonymous_resident_bytes() { return status_bytes("RssAnon:"); }
std::uint64_t process_write_call_bytes() { return number_in("/proc/self/io", "wchar:"); }
std::uint64_t process_disk_write_bytes() { return number_in("/proc/self/io", "write_bytes:"); }

std::uint64_t disk_bytes(const std::string& folder, const std::function<bool(const std::string&)>& counts) {
  std::uint64_t bytes = 0;
  std::error_code ignored;  // files come and go while we look
  for (auto entry = std::filesystem::recursive_directory_iterator{folder, ignored};
       entry != std::filesystem::recursive_directory_iterator{}; entry.increment(ignored)) {
    struct stat about {};
    if (::lstat(entry->path().c_str(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
    if (counts(entry->path().lexically_relative(folder).string())) {
      bytes += static_cast<std::uint64_t>(about.st_blocks) * 512;
    }
  }
  return bytes;
}

Rest wait_for_rest(const std::function<bool()>& busy) {
  const auto start = SteadyClock::now();
  auto last_active = start;
  double cpu_seconds = process_cpu_seconds();
  for (;;) {
    std::this_thread::sleep_for(kLook);
    const auto now = SteadyClock::now();
    const double cpu_seconds_now = process_cpu_seconds();
    const bool idle = cpu_seconds_now - cpu_seconds < kIdleCpuSeconds;
    if (busy() || !idle) last_active = now;
    const double active_seconds = std::chrono::duration<double>(last_active - start).count();
    if (now - last_active >= kQuiet) return {true, active_seconds};
    if (now - start >= kPatience) return {false, active_seconds};
    cpu_seconds = cpu_seconds_now;
  }
}

}  // namespace shale::bench
