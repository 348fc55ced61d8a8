#include "src/machine.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

namespace shale::server {
namespace {

// A root folder with the files of /proc and /sys that count.
class MachineTest : public testing::Test {
 protected:
  MachineTest() {
    std::string name = (std::filesystem::temp_directory_path() / "shale-test-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~MachineTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& contents) {
    std::filesystem::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
    std::ofstream{root_ + path} << contents;
  }
  std::string root_;
};

TEST_F(MachineTest, WithoutControlGroupsTheMachineIsTheLimit) {
  const MachineLimits limits = read_machine_limits(root_);
  EXPECT_GE(limits.cores, 1);
  EXPECT_GT(limits.memory_bytes, 64u << 20);
}

TEST_F(MachineTest, AContainersOwnGroupOfVersion2) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/memory.max", "134217728\n");
  write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  const MachineLimits limits = read_machine_limits(root_);
  EXPECT_EQ(limits.memory_bytes, 128u << 20);
  EXPECT_EQ(limits.cores, 1);
}

TEST_F(MachineTest, TheLowestLimitOnThePathCounts) {
  write("/proc/self/cgroup", "0::/system.slice/shale.service\n");
  write("/sys/fs/cgroup/system.slice/memory.max", "67108864\n");
  write("/sys/fs/cgroup/system.slice/shale.service/memory.max", "max\n");
  write("/sys/fs/cgroup/system.slice/shale.service/cpu.max", "max 100000\n");
  EXPECT_EQ(read_machine_limits(root_).memory_bytes, 64u << 20);
}

// Docker without a namespace of its own for control groups: the path in /proc is the host's.
TEST_F(MachineTest, APathThatIsNotThereFallsBackToTheMount) {
  write("/proc/self/cgroup", "0::/docker/0123456789abcdef\n");
  write("/sys/fs/cgroup/memory.max", "100000000\n");
  EXPECT_EQ(read_machine_limits(root_).memory_bytes, 100'000'000u);
}

TEST_F(MachineTest, Version1) {
  write("/proc/self/cgroup", "9:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n");
  write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "200000000\n");
  write("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "100000\n");
  write("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
  const MachineLimits limits = read_machine_limits(root_);
  EXPECT_EQ(limits.memory_bytes, 200'000'000u);
  EXPECT_EQ(limits.cores, 1);
}

TEST_F(MachineTest, Version1WithoutAQuota) {
  write("/proc/self/cgroup", "3:cpu,cpuacct:/\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(read_machine_limits(root_).cores, read_machine_limits("/nonexistent").cores);
}

}  // namespace
}  // namespace shale::server
