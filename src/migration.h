// MIGRATE's way to another server: values are sent with RESTORE over a connection of its own, by a thread of
// its own, so that neither an I/O thread nor a shard waits for the network.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/background_job.h"
#include "engine/bytes.h"

namespace shale::server {

struct MigrationTarget {
  std::string host;
  std::string port;
  std::int64_t database = 0;
  std::chrono::milliseconds timeout{1000};  // for each step: to connect, and for every piece sent or received
  std::string user;                         // empty: AUTH with the password alone
  std::string password;                     // empty: no AUTH
  bool replace = false;
  bool asking = false;  // RESTORE-ASKING, as nodes of a cluster say
};

struct MigratedKey {
  engine::Bytes name;
  engine::Bytes payload;     // as DUMP gives it
  std::int64_t ttl_ms = 0;   // as RESTORE takes it; 0: the key does not expire
  bool sent_before = false;  // with another value, which is to be replaced
  bool is_there = false;     // the target has it as it is: nothing is sent
};

struct MigrationOutcome {
  std::vector<bool> accepted;  // by key, in the order of their sending
  std::string error;           // the target's first error, without its sign; empty: there was none
  std::string failure;         // what went wrong with the connection, as MIGRATE replies it; empty: nothing
};

// One connection's work. Its result is never an Error.
class Migration : public cluster::BackgroundJob<MigrationOutcome> {
 public:
  Migration(MigrationTarget target, std::vector<MigratedKey> keys, int round)
      : target_(std::move(target)), keys_(std::move(keys)), round_(round) {}

  const MigrationTarget& target() const { return target_; }
  const std::vector<MigratedKey>& keys() const { return keys_; }
  int round() const { return round_; }  // how often values have been sent for the same command, this included

 private:
  const MigrationTarget target_;
  const std::vector<MigratedKey> keys_;
  const int round_;
};

// All that are at work. Thread-safe.
class Migrations {
 public:
  static constexpr std::size_t kAtOnceMax = 16;

  Migrations() = default;
  ~Migrations();  // gives them up
  Migrations(const Migrations&) = delete;
  Migrations& operator=(const Migrations&) = delete;

  // Goes on to its end whoever waits for it. nullptr if too many are at work.
  std::shared_ptr<Migration> begin(MigrationTarget target, std::vector<MigratedKey> keys, int round = 1);

 private:
  struct Worker {
    std::atomic<bool> is_done = false;
    std::thread thread;
  };

  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;  // guards workers_
  std::list<Worker> workers_;
};

}  // namespace shale::server
