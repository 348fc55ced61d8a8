// A process with a store on a simulated disk, which works off a StoreWorkload: commits, reads, and all that a
// store does beside: flushes, checkpoints, compactions, splits, merges, moves between engines, large values.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cluster/reshaper.h"
#include "cluster/store.h"
#include "cluster/transaction.h"
#include "engine/large/large_value_store.h"
#include "engine/testing/simulated_disk.h"
#include "tests/cluster/store_workload.h"

namespace shale::cluster {

// What a folder is made with, and how its log is synced.
struct StoreKind {
  EngineKind engine = EngineKind::lsm;
  Sharding sharding = Sharding::ring;
  engine::SyncMode sync_mode = engine::SyncMode::always;

  std::string text() const {
    static constexpr const char* kModes[] = {"always", "everysec", "no"};
    return fmt::format("{}, {}, appendfsync {}", engine == EngineKind::lsm ? "LSM" : "B+ trees",
                       sharding == Sharding::ring ? "ring" : "ranges", kModes[static_cast<int>(sync_mode)]);
  }
  static std::vector<StoreKind> all() {
    std::vector<StoreKind> kinds;
    for (const auto mode :
         {engine::SyncMode::always, engine::SyncMode::every_second, engine::SyncMode::never})
      for (const auto engine : {EngineKind::lsm, EngineKind::btree})
        for (const auto sharding : {Sharding::ring, Sharding::range})
          kinds.push_back({engine, sharding, mode});
    return kinds;
  }
};

class WorkloadMachine {
 public:
  static constexpr const char* kFolder = "/data";

  WorkloadMachine(engine::SimulatedDisk& disk, const StoreKind& kind, const StoreWorkload& workload)
      : disk_(disk), workload_(workload), history_(workload) {
    options_.folder = kFolder;
    options_.engine = kind.engine;
    options_.sharding = kind.sharding;
    options_.sync_mode = kind.sync_mode;
    options_.split_points = {"key-12"};
    options_.shards = 2;
    options_.virtual_nodes = 4;
    options_.memtable_bytes = 1u << 20;
    options_.cache_bytes = 1u << 20;
    options_.log_segment_bytes = 32u << 10;
    options_.value_separation_bytes = 512;
    options_.maintenance_interval = std::chrono::milliseconds{0};
    options_.value_is_large = is_large;
    options_.value_expiry_ms = expiry_ms;
  }
  ~WorkloadMachine() { stop(); }

  engine::Status start() {
    background_ = engine::make_thread_background(1, 1);
    StoreRecovery recovery;
    auto store = Store::open(disk_, *background_, *clock_, options_, recovery);
    if (!store) return store.error();
    store_ = std::move(*store);
    log_ = &store_->log();
    return {};
  }
  void stop() {
    if (log_ != nullptr) known_durable_ = store_->log().synced_lsn();
    log_ = nullptr;
    if (background_) background_->stop();
    store_.reset();
    background_.reset();
  }

  // Commits the records from `first` to before `end`, whatever fails, and does the rest that a store does.
  // `random`: which of it when.
  void run(int first, int end, std::uint64_t random_seed) {
    std::mt19937_64 random{random_seed};
    for (int record = first; record < end && !disk_.is_off(); ++record) {
      write(record);
      if (random() % 12 == 0) flush_all_shards();
      if (random() % 8 == 0) note(store_->maintain());
      if (random() % 12 == 0) reshape(random);
    }
  }
  // Commits one record, unless something fails; prelude and record are two. Waits for it to be durable where
  // that is what a client would wait for.
  void write(int number) {
    const WorkloadRecord& record = workload_.records()[static_cast<std::size_t>(number)];
    if (record.prelude == Prelude::flush) {
      commit(number, true, [&] { return store_->flush_database(StoreWorkload::kKeysDatabase); });
    } else if (record.prelude == Prelude::swap) {
      commit(number, true, [&] {
        return store_->swap_databases(StoreWorkload::kKeysDatabase, StoreWorkload::kSwappedDatabase);
      });
    }
    write_values(number, record);
  }
  void flush_all_shards() {
    for (const auto& shard : store_->shards()) {
      std::lock_guard lock{shard->mutex};
      shard->engine->flush();
    }
  }

  // Has all shards persist what they hold, and waits for that.
  void settle() {
    const auto deadline = Clock::now() + kPatience;
    for (const auto& shard : store_->shards()) {
      while (!hung_) {
        std::unique_lock lock{shard->mutex};
        if (!shard->engine->oldest_unpersisted_lsn()) break;
        shard->engine->flush();
        lock.unlock();
        hung_ = Clock::now() > deadline;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      }
    }
  }

  // What reads find, key by key; where they fail, the error.
  struct Read {
    Contents found;
    std::map<DatabaseKey, engine::Error> errors;
  };
  Read read() {
    Read read;
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    const auto keys = StoreWorkload::all_keys();
    for (const DatabaseKey& key : keys) locks.add(key.database, key.name);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      auto value = get(locks, transaction, i);
      if (!value) {
        read.errors[keys[i]] = value.error();
      } else if (*value) {
        read.found[keys[i]] = std::move(**value);
      }
    }
    return read;
  }

  Store& store() { return *store_; }
  const WorkloadHistory& history() const { return history_; }
  // The newest record that a client knows to be committed under any mode, and the newest that is durable.
  // From any thread.
  engine::Lsn acknowledged() const { return acknowledged_; }
  engine::Lsn durable() const {
    const engine::Log* const log = log_;
    return log != nullptr ? log->synced_lsn() : known_durable_.load();
  }
  // Errors that anything but reading has met, in order.
  const std::vector<engine::Error>& errors() const { return errors_; }
  // Records that were acknowledged although the log had failed before.
  int acknowledged_after_failure() const { return acknowledged_after_failure_; }
  bool hung() const { return hung_; }
  int reshapes() const { return reshapes_; }

  static bool is_large(BytesView stored) { return !stored.empty() && stored.front() == kLargeHeader; }

 private:
  static constexpr char kLargeHeader = 'L';
  // Nothing here takes a second, but the machine may be busy with other things.
  static constexpr std::chrono::seconds kPatience{60};
  using Clock = std::chrono::steady_clock;

  static std::int64_t expiry_ms(BytesView value) {
    constexpr std::int64_t kYear2100 = 4'102'444'800'000;
    return !value.empty() && value.front() == StoreWorkload::kExpiringBegin
               ? kYear2100
               : engine::KeyPolicy::kNeverObsolete;
  }

  void note(const engine::Status& status) {
    if (!status && !engine::is_retry(status.error())) errors_.push_back(status.error());
  }

  // Calls `attempt` until it has an answer.
  template <class Attempt>
  bool commit(int record, bool is_prelude, Attempt attempt) {
    const bool log_had_failed = !store_->log().health();
    const auto deadline = Clock::now() + kPatience;
    for (;;) {
      const engine::Result<engine::Lsn> lsn = attempt();
      if (lsn) {
        history_.add(record, is_prelude, *lsn);
        wait_for_acknowledgement(*lsn, log_had_failed);
        return true;
      }
      if (!engine::is_retry(lsn.error())) {
        errors_.push_back(lsn.error());
        return false;
      }
      if (disk_.is_off()) return false;
      if (Clock::now() > deadline) {
        hung_ = true;
        return false;
      }
      std::this_thread::yield();
    }
  }
  void wait_for_acknowledgement(engine::Lsn lsn, bool log_had_failed) {
    if (options_.sync_mode == engine::SyncMode::always) {
      auto promise = std::make_shared<std::promise<engine::Status>>();
      auto synced = promise->get_future();
      store_->log().when_synced(lsn,
                                [promise](engine::Status status) { promise->set_value(std::move(status)); });
      const engine::Status status = synced.get();
      if (!status) return errors_.push_back(status.error());
    }
    acknowledged_after_failure_ += log_had_failed;
    acknowledged_ = lsn;
  }

  void write_values(int number, const WorkloadRecord& record) {
    std::shared_ptr<engine::StagedLargeValue> staged;
    if (record.first_is_large) {
      const Bytes& value = record.puts.front().second;
      staged = store_->large_values().stage(value.size());
      if (auto appended = staged->append(value); !appended) return note(appended);
    }
    const DatabaseKey marker = StoreWorkload::marker();
    const std::string text = std::to_string(number);
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    commit(number, false, [&]() -> engine::Result<engine::Lsn> {
      for (const auto& load : transaction.reads().missing) load->run();
      locks.clear();
      transaction.reset();
      if (record.emptied == Emptied::nothing) {
        locks.add(marker.database, marker.name);
        for (const auto& [key, value] : record.puts) locks.add(key.database, key.name);
        locks.add(record.erased.database, record.erased.name);
        locks.lock();
      } else {  // as a transaction does it that calls FLUSHALL
        locks.share_keys();
        locks.lock_all();
        transaction.put(locks.add(0, "key-01"), "emptied away");
        const bool all = record.emptied == Emptied::everything;
        if (auto emptied = transaction.empty_databases(0, all ? kDatabaseCount : 1); !emptied)
          return emptied.error();
        locks.add(marker.database, marker.name);
        for (const auto& [key, value] : record.puts) locks.add(key.database, key.name);
        locks.add(record.erased.database, record.erased.name);
      }
      std::size_t index = record.emptied == Emptied::nothing ? 0 : 1;
      transaction.put(index++, text);
      for (const auto& [key, value] : record.puts) {
        if (staged && &value == &record.puts.front().second) {
          transaction.put_large(index++, {&kLargeHeader, 1}, staged);
        } else {
          transaction.put(index++, value);
        }
      }
      transaction.erase(index);
      auto lsn = transaction.commit();
      locks.unlock();
      return lsn;
    });
  }

  engine::Result<std::optional<Bytes>> get(ShardLocks& locks, Transaction& transaction, std::size_t index) {
    for (const auto deadline = Clock::now() + kPatience;;) {
      locks.lock();
      auto value = transaction.get(index);
      std::optional<Bytes> copied;
      if (value && *value) copied = Bytes{**value};
      locks.unlock();
      if (value) return copied && is_large(*copied) ? text_of(*copied) : std::move(copied);
      if (value.error().kind != engine::ErrorKind::not_resident) return value.error();
      if (Clock::now() > deadline) {
        hung_ = true;
        return engine::Error{engine::ErrorKind::io, "a read came to no end"};
      }
      for (const auto& load : transaction.reads().missing) load->run();
    }
  }
  engine::Result<std::optional<Bytes>> text_of(BytesView stored) {
    const auto reference = store_->large_value_in(stored);
    if (!reference) return engine::corruption("a reference that is none");
    const auto value = store_->large_values().find(reference->id);
    if (auto opened = value->open(); !opened) return opened.error();
    if (auto checked = value->check(*reference); !checked) return checked.error();
    Bytes text;
    for (std::uint64_t number = 0; number < value->trailer().chunk_checksums.size(); ++number) {
      Bytes chunk(value->chunk_bytes(number), '\0');
      if (auto read = value->read_chunk(number, chunk); !read) return read.error();
      text += chunk;
    }
    return std::optional{std::move(text)};
  }

  // Any of the changes that shards go through, some of them refused.
  void reshape(std::mt19937_64& random) {
    constexpr ReshapeKind kKinds[] = {ReshapeKind::split, ReshapeKind::split, ReshapeKind::merge,
                                      ReshapeKind::move,  ReshapeKind::move,  ReshapeKind::grow,
                                      ReshapeKind::shrink};
    const auto shards = store_->shards();
    ReshapeRequest request;
    request.kind = kKinds[random() % std::size(kKinds)];
    const std::size_t first = random() % shards.size();
    request.shard = shards[first]->id;
    request.other = shards[(first + 1) % shards.size()]->id;
    request.engine = random() % 2 == 0 ? EngineKind::lsm : EngineKind::btree;
    const auto made = store_->reshaper().run(request);
    reshapes_ += made.has_value();
    if (!made && made.error().kind != engine::ErrorKind::unsupported) errors_.push_back(made.error());
  }

  engine::SimulatedDisk& disk_;
  const StoreWorkload& workload_;
  WorkloadHistory history_;
  StoreOptions options_;
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
  std::atomic<const engine::Log*> log_ = nullptr;  // of the store, while it is open
  std::atomic<engine::Lsn> known_durable_ = 0;
  std::atomic<engine::Lsn> acknowledged_ = 0;
  std::vector<engine::Error> errors_;
  int acknowledged_after_failure_ = 0;
  bool hung_ = false;
  int reshapes_ = 0;
};

}  // namespace shale::cluster
