// What this process has used, as the kernel counts it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace shale::bench {

// User and system time of all threads, living and ended.
double process_cpu_seconds();

// Starts the high-water mark of resident memory anew.
void reset_peak_resident();
// Since then; files that are mapped into memory count as far as they are resident.
std::uint64_t peak_resident_bytes();
// Now, without what is backed by files.
std::uint64_t anonymous_resident_bytes();

// What all threads have given to write calls so far; writes through maps are not among them.
std::uint64_t process_write_call_bytes();
// What they have had the kernel write to disks: a page of a file counts when it is changed, and only once for
// as long as it has not been written back.
std::uint64_t process_disk_write_bytes();

// Bytes allocated to the files below `folder` for which `counts` is true of the path inside the folder.
std::uint64_t disk_bytes(const std::string& folder, const std::function<bool(const std::string&)>& counts);

struct Rest {
  bool reached;
  double seconds;  // until the process was last seen at work
};
// Waits until the process has been idle for a while and `busy` is false, or five minutes have passed.
Rest wait_for_rest(const std::function<bool()>& busy);

}  // namespace shale::bench
