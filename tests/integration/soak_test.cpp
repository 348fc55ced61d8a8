// A mixed load that goes on and on: what the server takes, memory, descriptors, disk, time to answer, must
// stay level. A line for each interval, and the drift at the end: how much more the last third took than the
// one before it.
//
// SOAK_MINUTES: how long, with an interval of a minute (scripts/campaigns/soak). Without it three seconds, of
// which only right answers and the memory budget are expected.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/integration/client.h"
#include "tests/integration/server_process.h"
#include "tests/integration/server_resources.h"

namespace shale::integration {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr std::uint64_t kMemoryMib = 64;
constexpr unsigned kClients = 4;

// What one interval has shown.
struct Sample {
  std::uint64_t requests = 0;
  double memory_mib = 0;
  double descriptors = 0;
  double disk_mib = 0;
  double half_us = 0;  // half of the requests took no longer
  double most_us = 0;  // 99 of 100 did
  double longest_us = 0;
};

// Requests of one client: strings of all sizes in a bounded number of keys, some of which expire; every key
// belongs to one client, which knows what it must find.
class LoadClient {
 public:
  LoadClient(const ServerProcess& server, unsigned number)
      : server_(server), random_(engine::test_seed() + number), prefix_(fmt::format("{}:", number)) {}

  // The first answer that was wrong; empty if none.
  const std::string& wrong() const { return wrong_; }

  void run(const std::atomic<bool>& stopping) {
    while (!stopping && wrong_.empty()) {
      Client client{server_};  // and a new connection now and then
      for (int i = 0; i < 1000 && !stopping && wrong_.empty(); ++i) {
        const auto begun = Clock::now();
        request(client);
        const auto took = std::chrono::duration_cast<microseconds>(Clock::now() - begun);
        const std::lock_guard lock{mutex_};
        times_us_.push_back(static_cast<std::uint32_t>(took.count()));
      }
    }
  }
  std::vector<std::uint32_t> take_times_us() {
    const std::lock_guard lock{mutex_};
    return std::exchange(times_us_, {});
  }

 private:
  static constexpr std::uint64_t kKeys = 5000;

  void request(Client& client) {
    const std::uint64_t number = random_() % kKeys;
    const std::string key = prefix_ + std::to_string(number);
    std::string& value = values_[number];
    switch (random_() % 10) {
      case 0:
        expect(client.ask("DEL", key), value.empty() ? "(integer) 0" : "(integer) 1"), value.clear();
        break;
      case 1:
        expect(client.ask("APPEND", key, "more"), fmt::format("(integer) {}", value.size() + 4));
        value += "more";
        break;
      case 2:
        expect(client.ask("SET", prefix_ + "expires:" + std::to_string(number), "x", "EX", "5"), "OK");
        break;
      case 3: client.ask("SCAN", "0", "COUNT", "100"); break;
      case 4:
      case 5:
      case 6:
        value = std::string(random_() % 50 == 0 ? 20'000 : 1 + random_() % 1000,
                            static_cast<char>('a' + random_() % 26));
        expect(client.ask("SET", key, value), "OK");
        break;
      default: expect(client.ask("GET", key), value.empty() ? "(nil)" : value);
    }
  }
  void expect(const std::string& answer, const std::string& right) {
    if (answer != right) wrong_ = fmt::format("{:.80} instead of {:.80}", answer, right);
  }

  const ServerProcess& server_;
  std::mt19937_64 random_;
  const std::string prefix_;
  std::vector<std::string> values_ = std::vector<std::string>(kKeys);
  std::string wrong_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::uint32_t> times_us_;
};

double disk_mib_of(const ServerProcess& server) {
  std::uintmax_t bytes = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{server.folder()}) {
    const std::uintmax_t size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return static_cast<double>(bytes) / (1 << 20);
}

Sample take_sample(ServerProcess& server, std::vector<std::unique_ptr<LoadClient>>& clients) {
  std::vector<std::uint32_t> times;
  for (const auto& client : clients) {
    const auto more = client->take_times_us();
    times.insert(times.end(), more.begin(), more.end());
  }
  std::ranges::sort(times);
  Sample sample;
  sample.requests = times.size();
  sample.memory_mib = static_cast<double>(status_kib(server.process().id(), "RssAnon:")) / 1024;
  sample.descriptors = static_cast<double>(open_descriptors(server));
  sample.disk_mib = disk_mib_of(server);
  if (times.empty()) return sample;
  sample.half_us = times[times.size() / 2];
  sample.most_us = times[times.size() - 1 - times.size() / 100];
  sample.longest_us = times.back();
  return sample;
}

// In percent: the median of the last third of the samples against that of the third before it.
double drift(const std::vector<Sample>& samples, double Sample::*figure) {
  const auto median = [&](std::size_t begin, std::size_t end) {
    std::vector<double> values;
    for (std::size_t i = begin; i < end; ++i) values.push_back(samples[i].*figure);
    std::ranges::sort(values);
    return values[values.size() / 2];
  };
  const std::size_t third = samples.size() / 3;
  const double before = median(third, 2 * third);
  return before == 0 ? 0 : 100 * (median(2 * third, samples.size()) / before - 1);
}

TEST(Soak, StaysLevel) {
  const std::uint64_t minutes = engine::asked_of_test("SOAK_MINUTES", 0);
  const std::size_t intervals = minutes == 0 ? 6 : std::max<std::uint64_t>(minutes, 3);
  const std::chrono::milliseconds interval{minutes == 0 ? 500 : 60'000};
  ServerProcess server{{"--memory", std::to_string(kMemoryMib) + "mb"}};
  std::vector<std::unique_ptr<LoadClient>> clients;
  for (unsigned number = 0; number < kClients; ++number) {
    clients.push_back(std::make_unique<LoadClient>(server, number));
  }
  std::atomic<bool> stopping = false;
  std::vector<std::jthread> threads;
  for (const auto& client : clients) {
    threads.emplace_back([&stopping, &load = *client] { load.run(stopping); });
  }
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < intervals; ++i) {
    std::this_thread::sleep_for(interval);
    const Sample sample = samples.emplace_back(take_sample(server, clients));
    std::printf(
        "%3zu: %8llu requests, %5.1f MiB, %3.0f descriptors, %6.1f MiB on disk, half in %4.0f us, 99%% in "
        "%5.0f "
        "us, longest %6.1f ms\n",
        i + 1, static_cast<unsigned long long>(sample.requests), sample.memory_mib, sample.descriptors,
        sample.disk_mib, sample.half_us, sample.most_us, sample.longest_us / 1000);
    std::fflush(stdout);
    EXPECT_GT(sample.requests, 0u);
    if (kMemoryIsOurs) {
      EXPECT_LE(sample.memory_mib, kMemoryMib);
    }
  }
  stopping = true;
  threads.clear();
  for (const auto& client : clients) EXPECT_EQ(client->wrong(), "");
  const double memory = drift(samples, &Sample::memory_mib);
  const double descriptors = drift(samples, &Sample::descriptors);
  const double disk = drift(samples, &Sample::disk_mib);
  std::printf("drift: memory %+.1f %%, descriptors %+.1f %%, disk %+.1f %%, 99%% of requests %+.1f %%\n",
              memory, descriptors, disk, drift(samples, &Sample::most_us));
  if (minutes >= 10) {  // what is shorter still grows into its budget
    EXPECT_LT(memory, 10);
    EXPECT_LT(descriptors, 50);  // tables come and go
    EXPECT_LT(disk, 50);         // the log grows until it is trimmed
  }
  EXPECT_EQ(server.stop(), 0);
}

}  // namespace
}  // namespace shale::integration
