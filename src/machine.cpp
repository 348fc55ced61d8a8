#include "src/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <vector>

namespace shale::server {
namespace {

std::optional<std::uint64_t> read_number(const std::string& path) {
  std::ifstream file{path};
  std::uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;  // missing, or "max"
}

// Where this process's control group of `controller` may be found, from the innermost outwards. Inside of a
// container the path that /proc names may be the host's, and the group then is at the mount's root.
std::vector<std::string> group_folders(const std::string& root, const std::string& controller) {
  std::ifstream groups{root + "/proc/self/cgroup"};
  std::string line;
  std::string path;
  while (std::getline(groups, line)) {  // "4:cpu,cpuacct:/path", or "0::/path" in version 2
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool matches = controller.empty() ? controllers == ",,"
                                            : controllers.find("," + controller + ",") != std::string::npos;
    if (matches) path = line.substr(second + 1);
  }
  const std::string mount = root + "/sys/fs/cgroup" + (controller.empty() ? "" : "/" + controller);
  std::vector<std::string> folders;
  while (path.size() > 1) {
    folders.push_back(mount + path);
    path.resize(path.rfind('/'));
  }
  folders.push_back(mount);
  return folders;
}

std::uint64_t memory_limit(const std::string& root) {
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  const auto lower = [&limit](const std::string& path) {
    limit = std::min(limit, read_number(path).value_or(limit));
  };
  for (const std::string& folder : group_folders(root, "")) lower(folder + "/memory.max");
  for (const std::string& folder : group_folders(root, "memory")) lower(folder + "/memory.limit_in_bytes");
  return limit;
}

unsigned cores_for(double quota_us, double period_us) {
  return static_cast<unsigned>(std::max(1.0, (quota_us + period_us - 1) / period_us));
}

unsigned core_quota(const std::string& root) {
  unsigned cores = std::numeric_limits<unsigned>::max();
  for (const std::string& folder : group_folders(root, "")) {
    std::ifstream file{folder + "/cpu.max"};  // "150000 100000", or "max 100000"
    double quota_us = 0;
    double period_us = 0;
    if (file >> quota_us >> period_us && period_us > 0)
      cores = std::min(cores, cores_for(quota_us, period_us));
  }
  for (const std::string& folder : group_folders(root, "cpu")) {
    const auto quota_us =
        read_number(folder + "/cpu.cfs_quota_us");  // -1, a huge number here, if there is none
    const auto period_us = read_number(folder + "/cpu.cfs_period_us");
    if (quota_us && period_us && *period_us > 0 && *quota_us < std::numeric_limits<std::uint32_t>::max()) {
      cores = std::min(cores, cores_for(static_cast<double>(*quota_us), static_cast<double>(*period_us)));
    }
  }
  return cores;
}

unsigned cores_by_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace

MachineLimits read_machine_limits(const std::string& root) {
  const auto machine_bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return {std::min(cores_by_affinity(), core_quota(root)), std::min(machine_bytes, memory_limit(root))};
}

std::uint64_t raise_open_files_limit(std::uint64_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < wanted) {
    rlimit raised = limit;
    raised.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

std::uint64_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace shale::server
