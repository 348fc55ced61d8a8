// What the tests of the log share: opening with everything that is replayed, and appending with patience.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/log/log.h"
#include "engine/testing/simulated_disk.h"

namespace shale::engine {

inline const std::string kLogFolder = "data/log";

struct ReplayedRecord {
  Lsn lsn = 0;
  RecordKind kind = 0;
  Bytes payload;

  bool operator==(const ReplayedRecord&) const = default;
};

struct OpenedLog {
  Result<std::unique_ptr<Log>> log;
  std::vector<ReplayedRecord> records;
  LogRecovery recovery;
};

inline OpenedLog open_replayed(FileSystem& files, const LogOptions& options, Lsn first_needed = 1,
                               const std::string& folder = kLogFolder) {
  std::vector<ReplayedRecord> records;
  LogRecovery recovery;
  auto log = open_log(
      files, folder, options, first_needed,
      [&](Lsn lsn, RecordKind kind, BytesView payload) {
        records.push_back({lsn, kind, Bytes{payload}});
        return Status{};
      },
      recovery);
  return {std::move(log), std::move(records), recovery};
}

// Tries again for as long as the log is busy.
inline Result<Lsn> append_patiently(Log& log, RecordKind kind, BytesView payload) {
  while (true) {
    auto lsn = log.append(kind, payload);
    if (lsn || !is_retry(lsn.error())) return lsn;
    std::this_thread::sleep_for(std::chrono::microseconds{50});
  }
}

inline Status wait_synced(Log& log, Lsn lsn) {
  // Shared: the sync thread may still be inside set_value when the future is ready.
  const auto promise = std::make_shared<std::promise<Status>>();
  log.when_synced(lsn, [promise](Status status) { promise->set_value(std::move(status)); });
  return promise->get_future().get();
}

// `text` repeated and numbered, so that no two records of a test are alike.
inline Bytes numbered(std::uint64_t number, std::size_t size_bytes) {
  Bytes bytes = std::to_string(number) + ":";
  while (bytes.size() < size_bytes) bytes += static_cast<char>('a' + (number + bytes.size()) % 26);
  return bytes;
}

inline std::vector<std::string> segment_names(SimulatedDisk& disk) {
  auto names = disk.list(kLogFolder).value();
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
  return names;
}

}  // namespace shale::engine
