// The store on a disk that dies at every call in turn and keeps, loses or tears what was not synced.
//
// Every record n of the workload writes "marker" = n together with keys in other shards. So what recovery
// must give is plain: if it finds marker m, then the whole store is as it was after record m (a prefix of the
// log, every record whole), and m is not less than the last record that was acknowledged as durable. Shards
// are split, merged and moved between engines meanwhile, and the ring grows and shrinks; now and then the
// keys' database is emptied; the marker is in another.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "cluster/reshaper.h"
#include "cluster/store.h"
#include "cluster/transaction.h"
#include "engine/testing/effort.h"
#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/folder_of_test.h"
#include "tests/engine/unsynced_name.h"

namespace shale::cluster {
namespace {

constexpr int kKeys = 40;
constexpr int kRecords = 400;

Bytes key_name(int number) { return fmt::format("key-{}", number % kKeys); }
// Long enough that memtables fill up and tables are compacted.
Bytes value_of(int record) { return fmt::format("{:0>600}", record); }

unsigned database_of(const Bytes& key) { return key == "marker" ? 1 : 0; }

using Model = std::map<Bytes, Bytes>;

struct RecordWrites {
  std::vector<std::pair<Bytes, Bytes>> puts;
  Bytes erased;
};

RecordWrites writes_of(int record) {
  return {{{"marker", std::to_string(record)},
           {key_name(record), value_of(record)},
           {key_name(record * 3 + 1), value_of(record)}},
          key_name(record * 7 + 5)};
}

// A record of the log by itself.
bool is_after_flush(int record) { return record % 50 == 33; }
// The same record empties the keys' database, between two writes of which only the second counts.
bool empties(int record) { return record % 50 == 13; }

void apply(int record, Model& model) {
  // The marker comes again with what follows.
  if (is_after_flush(record) || empties(record)) model.clear();
  const RecordWrites writes = writes_of(record);
  for (const auto& [key, value] : writes.puts) model[key] = value;
  model.erase(writes.erased);
}

class Machine {
 public:
  explicit Machine(engine::SimulatedDisk& disk) : disk_(disk) {
    options_.folder = "/data";
    set_folder_of_test(options_, {"key-2"});
    options_.shards = 2;
    options_.virtual_nodes = 8;
    options_.memtable_bytes = 1u << 20;
    options_.cache_bytes = 1u << 20;
    options_.log_segment_bytes = 64u << 10;
    options_.maintenance_interval = std::chrono::milliseconds{0};
    options_.sync_mode = engine::SyncMode::always;
  }
  ~Machine() { stop(); }

  engine::Status start() {
    background_ = engine::make_thread_background(1, 1);
    StoreRecovery recovery;
    auto store = Store::open(disk_, *background_, *clock_, options_, recovery);
    if (!store) return store.error();
    store_ = std::move(*store);
    return {};
  }
  void stop() {
    if (background_) background_->stop();
    store_.reset();
    background_.reset();
  }

  // Writes records from `first` on until one fails or all are written; returns the last one known to be
  // durable.
  int run(int first, std::atomic<int>& durable) {
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (int record = first; record < kRecords; ++record) {
      if (!write(record, locks, transaction, durable)) break;
      if (record % 16 == 15) flush_all_shards();
      if (record % 8 == 7) static_cast<void>(store_->maintain().has_value());
      if (record % 16 == 9) reshape(record / 16);
    }
    return durable;
  }

  Model contents() {
    Model found;
    std::vector<Bytes> names{"marker"};
    for (int number = 0; number < kKeys; ++number) names.push_back(key_name(number));
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (const Bytes& name : names) locks.add(database_of(name), name);
    for (std::size_t i = 0; i < names.size(); ++i) {
      for (;;) {
        locks.lock();
        const auto value = transaction.get(i);
        if (value && *value) found[names[i]] = Bytes{**value};
        locks.unlock();
        if (value) break;
        if (value.error().kind != engine::ErrorKind::not_resident) {
          ADD_FAILURE() << value.error().message;
          return {};
        }
        for (const auto& load : transaction.reads().missing) load->run();
      }
    }
    return found;
  }

  int reshapes() const { return reshapes_; }

 private:
  bool write(int record, ShardLocks& locks, Transaction& transaction, std::atomic<int>& durable) {
    const RecordWrites writes = writes_of(record);
    locks.clear();
    transaction.reset();
    if (is_after_flush(record) && !store_->flush_database(0)) return false;
    if (empties(record)) return write_and_empty(record, locks, transaction, durable);
    for (const auto& [key, value] : writes.puts) locks.add(database_of(key), key);
    const std::size_t erased = locks.add(0, writes.erased);
    for (;;) {
      locks.lock();
      for (std::size_t i = 0; i < writes.puts.size(); ++i) transaction.put(i, writes.puts[i].second);
      transaction.erase(erased);
      const auto lsn = transaction.commit();
      locks.unlock();
      if (lsn) {
        note_durable(*lsn, record, durable);
        return true;
      }
      if (lsn.error().kind != engine::ErrorKind::busy || disk_.is_off()) return false;
      transaction.reset();
      std::this_thread::yield();
    }
  }
  // As a transaction does it that calls FLUSHDB.
  bool write_and_empty(int record, ShardLocks& locks, Transaction& transaction, std::atomic<int>& durable) {
    const RecordWrites writes = writes_of(record);
    const Bytes lost = key_name(record + 1);
    for (;;) {
      locks.clear();
      transaction.reset();
      locks.share_keys();
      locks.lock_all();
      transaction.put(locks.add(0, lost), "emptied away");
      if (!transaction.empty_databases(0, 1)) return false;
      for (const auto& [key, value] : writes.puts) transaction.put(locks.add(database_of(key), key), value);
      transaction.erase(locks.add(0, writes.erased));
      const auto lsn = transaction.commit();
      locks.unlock();
      if (lsn) {
        note_durable(*lsn, record, durable);
        return true;
      }
      if (lsn.error().kind != engine::ErrorKind::busy || disk_.is_off()) return false;
      std::this_thread::yield();
    }
  }
  void note_durable(engine::Lsn lsn, int record, std::atomic<int>& durable) {
    store_->log().when_synced(lsn, [record, &durable](const engine::Status& status) {
      if (status) durable = record;
    });
  }
  // One change after the other: all kinds, of shards of both engines, some of them refused.
  void reshape(int turn) {
    const auto shards = store_->shards();
    const ShardId first = shards[static_cast<std::size_t>(turn) % shards.size()]->id;
    const ShardId second = shards[static_cast<std::size_t>(turn + 1) % shards.size()]->id;
    ReshapeRequest request;
    request.shard = first;
    switch (turn % 8) {
      case 0:
      case 3: request.kind = ReshapeKind::split; break;
      case 6: request.kind = ReshapeKind::grow; break;
      case 7: request.kind = ReshapeKind::shrink; break;
      case 1:
        request.kind = ReshapeKind::move;
        request.engine = EngineKind::btree;
        break;
      case 4:
        request.kind = ReshapeKind::move;
        request.engine = EngineKind::lsm;
        break;
      default:
        request.kind = ReshapeKind::merge;
        request.other = second;
        break;
    }
    const auto made = store_->reshaper().run(request);
    reshapes_ += made.has_value();
  }
  void flush_all_shards() {
    for (const auto& shard : store_->shards()) {
      std::lock_guard lock{shard->mutex};
      shard->engine->flush();
    }
  }

  int reshapes_ = 0;
  engine::SimulatedDisk& disk_;
  StoreOptions options_;
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
};

// The first key whose value is another.
std::string difference(const Model& found, const Model& expected) {
  for (const auto& [key, value] : expected) {
    const auto place = found.find(key);
    if (place == found.end()) return key + " is missing";
    if (place->second != value) return fmt::format("{} is {} instead of {}", key, place->second, value);
  }
  for (const auto& [key, value] : found) {
    if (!expected.contains(key)) return fmt::format("{} is {} instead of nothing", key, value);
  }
  return {};
}

void expect_prefix(const Model& found, int durable, const std::string& where) {
  const auto marker = found.find("marker");
  const int recovered = marker == found.end() ? -1 : std::stoi(marker->second);
  ASSERT_GE(recovered, durable) << where << ": a record that was acknowledged is gone";
  Model expected;
  for (int record = 0; record <= recovered; ++record) apply(record, expected);
  Model emptied;  // if the flush before the next record is the last that is left
  if (is_after_flush(recovered + 1) && marker != found.end()) emptied.insert(*marker);
  ASSERT_TRUE(found == expected || (!emptied.empty() && found == emptied))
      << where << ": the store is not as it was after record " << recovered << ": "
      << difference(found, expected);
}

std::uint64_t calls_of_a_whole_run() {
  engine::SimulatedDisk disk{1};
  Machine machine{disk};
  EXPECT_TRUE(machine.start());
  std::atomic<int> durable = -1;
  machine.run(0, durable);
  EXPECT_GE(machine.reshapes(), 10);
  machine.stop();
  return disk.mutating_calls();
}

class StoreCrash : public testing::TestWithParam<engine::Unsynced> {};

TEST_P(StoreCrash, AtAnyCallLeavesAPrefixWithAllThatWasAcknowledged) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const std::uint64_t calls = calls_of_a_whole_run();
  ASSERT_GT(calls, 100u);
  // CRASH_POINTS: how many calls to die at; the whole run by default in a long campaign, a sample of it
  // here.
  const std::uint64_t points = engine::crash_points(calls, 60);
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call =
        1 + point * calls / points + (seed + point) % std::max<std::uint64_t>(calls / points, 1);
    const std::string where = fmt::format("crash at call {} of {}", call, calls);
    engine::SimulatedDisk disk{seed + point};
    std::atomic<int> durable = -1;
    {
      Machine machine{disk};
      disk.crash_at_call(call);
      if (machine.start()) machine.run(0, durable);
      machine.stop();
    }
    disk.crash(GetParam());
    {
      // A second crash, this time while recovering.
      Machine machine{disk};
      disk.crash_at_call(1 + (seed + point) % 12);
      static_cast<void>(machine.start().has_value());
      machine.stop();
    }
    disk.crash(GetParam());
    Machine machine{disk};
    const auto started = machine.start();
    ASSERT_TRUE(started) << where << ": " << started.error().message;
    ASSERT_NO_FATAL_FAILURE(expect_prefix(machine.contents(), durable, where));
    // And it goes on from there.
    std::atomic<int> durable_again = durable.load();
    machine.run(kRecords - 40, durable_again);
    EXPECT_EQ(machine.contents()["marker"], std::to_string(kRecords - 1)) << where;
  }
}

INSTANTIATE_TEST_SUITE_P(Unsynced, StoreCrash,
                         testing::Values(engine::Unsynced::lost, engine::Unsynced::kept,
                                         engine::Unsynced::torn),
                         engine::unsynced_name);

}  // namespace
}  // namespace shale::cluster
