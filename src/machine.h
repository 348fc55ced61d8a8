// What the machine, or the container the process is in, gives to it.
#pragma once

#include <cstdint>
#include <string>

namespace shale::server {

struct MachineLimits {
  unsigned cores = 1;              // by affinity and by the control group's quota, rounded up
  std::uint64_t memory_bytes = 0;  // the machine's, or the control group's limit if that is lower
};

// Reads /proc and /sys below `root` (another one in tests); control groups of version 1 and 2.
MachineLimits read_machine_limits(const std::string& root = "");

// The process may open that many files; raises the soft limit towards `wanted` if the hard one allows it.
std::uint64_t raise_open_files_limit(std::uint64_t wanted);

// Bytes of the process that are in memory.
std::uint64_t resident_bytes();

}  // namespace shale::server
