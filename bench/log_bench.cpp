// What an append to the log costs, against pwrite into a preallocated file. Not synced, synced each second or
// before every reply: durability is printed with each row.
//
//   log_bench [folder] [records_per_s]     defaults: a folder below the current one, 350000 (60 MB/s with
//   headers)
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "engine/log/log.h"

namespace {

using namespace shale::engine;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kPayloadBytes = 160;
const std::string kPayload(kPayloadBytes, 'p');

double us_since(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::micro>(SteadyClock::now() - start).count();
}

// Calls `append` `count` times, in bursts of 16 at the given rate (0: as fast as it goes), and prints the
// tail.
void measure(const char* name, std::size_t count, double per_s, const std::function<void()>& append) {
  std::vector<float> each_us;
  each_us.reserve(count);
  const auto start = SteadyClock::now();
  for (std::size_t i = 0; i < count; ++i) {
    while (per_s > 0 && i % 16 == 0 && us_since(start) * per_s < static_cast<double>(i) * 1e6) {
      std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
    const auto before = SteadyClock::now();
    append();
    each_us.push_back(static_cast<float>(us_since(before)));
  }
  double sum_us = 0;
  for (const float us : each_us) sum_us += us;
  std::sort(each_us.begin(), each_us.end());
  const auto at = [&](double part) {
    return each_us[static_cast<std::size_t>(part * static_cast<double>(count - 1))];
  };
  std::printf("%-34s records=%zu mean_ns=%.0f p50_us=%.2f p99_us=%.2f p999_us=%.2f max_us=%.0f\n", name,
              count, sum_us * 1000 / static_cast<double>(count), at(0.5), at(0.99), at(0.999), at(1));
}

void append_patiently(Log& log) {
  while (!log.append(1, kPayload)) std::this_thread::sleep_for(std::chrono::microseconds{100});
}

void measure_log(FileSystem& files, const std::string& folder, SyncMode mode, const char* name,
                 std::size_t count, double per_s) {
  const LogOptions options{64u << 20, mode};
  LogRecovery recovery;
  auto log = open_log(
      files, folder, options, 1, [](Lsn, RecordKind, BytesView) { return Status{}; }, recovery);
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().message.c_str());
    std::exit(1);
  }
  std::size_t appended = 0;
  measure(name, count, per_s, [&] {
    append_patiently(**log);
    // As the owner does: so that segments are used again.
    if (++appended % 100'000 == 0) (void)(*log)->trim((*log)->appended_lsn());
  });
  log->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string root = argc > 1 ? argv[1] : "log_bench_files";
  const double per_s = argc > 2 ? std::atof(argv[2]) : 350'000;
  const auto files = make_posix_file_system();
  std::filesystem::create_directories(root);

  // What the two clock readings around each append cost: part of every figure below.
  measure("nothing (the clock)", 1'000'000, 0, [] {});

  const std::string path = root + "/pwrite";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (::posix_fallocate(descriptor, 0, 512 << 20) != 0) return 1;
  off_t offset = 0;
  measure("pwrite, preallocated, no sync", 1'500'000, per_s, [&] {
    if (::pwrite(descriptor, kPayload.data(), kPayload.size(), offset) < 0) std::exit(1);
    offset += static_cast<off_t>(kPayload.size());
  });
  ::close(descriptor);
  std::filesystem::remove(path);

  measure_log(*files, root + "/log", SyncMode::never, "log, never, full speed", 3'000'000, 0);
  measure_log(*files, root + "/log", SyncMode::every_second, "log, every_second, full speed", 3'000'000, 0);
  measure_log(*files, root + "/log", SyncMode::every_second, "log, every_second, paced", 3'000'000, per_s);

  LogRecovery recovery;
  auto log = open_log(
      *files, root + "/log", {64u << 20, SyncMode::always}, 1,
      [](Lsn, RecordKind, BytesView) { return Status{}; }, recovery);
  if (!log) return 1;
  measure("log, always, one waits for each", 2'000, 0, [&] {
    std::promise<void> synced;
    (*log)->when_synced((*log)->append(1, kPayload).value(), [&](const Status&) { synced.set_value(); });
    synced.get_future().wait();
  });
  log->reset();
  std::filesystem::remove_all(root);
}
