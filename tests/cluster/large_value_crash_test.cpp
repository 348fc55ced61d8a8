// Large values on a disk that dies at every call in turn. Every record n writes "marker" = n together with a
// large value in another shard, so what recovery must give is plain: with marker m, everything as it was
// after record m, every value whole, and no file that no key refers to.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "cluster/store.h"
#include "cluster/transaction.h"
#include "engine/large/large_value_store.h"
#include "engine/testing/effort.h"
#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/unsynced_name.h"

namespace shale::cluster {
namespace {

constexpr int kKeys = 5;
constexpr int kRecords = 40;
constexpr char kLargeHeader = 'L';

bool is_large(BytesView stored) { return !stored.empty() && stored.front() == kLargeHeader; }

Bytes key_name(int number) { return fmt::format("key-{}", number % kKeys); }
// Some longer than a chunk.
Bytes value_of(int record) {
  Bytes value(record % 7 == 0 ? engine::kLargeChunkBytes + 1000 : 3000, static_cast<char>('a' + record % 26));
  return value.replace(0, 10, fmt::format("{:10}", record));
}

enum class Kind { large, small, erase };
Kind kind_of(int record) {
  if (record % 6 == 4) return Kind::small;
  return record % 6 == 5 ? Kind::erase : Kind::large;
}

using Model = std::map<Bytes, Bytes>;

Model model_after(int record) {
  Model model;
  for (int n = 0; n <= record; ++n) {
    model["marker"] = std::to_string(n);
    switch (kind_of(n)) {
      case Kind::large:
      case Kind::small: model[key_name(n)] = value_of(n); break;
      case Kind::erase: model.erase(key_name(n)); break;
    }
  }
  return model;
}

class Machine {
 public:
  explicit Machine(engine::SimulatedDisk& disk) : disk_(disk) {
    options_.folder = "/data";
    options_.shards = 2;
    options_.virtual_nodes = 8;
    options_.memtable_bytes = 1u << 20;
    options_.cache_bytes = 1u << 20;
    options_.log_segment_bytes = 64u << 10;
    options_.maintenance_interval = std::chrono::milliseconds{0};
    options_.sync_mode = engine::SyncMode::always;
    options_.value_is_large = is_large;
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
  Store& store() { return *store_; }

  void run(int first, int records, std::atomic<int>& durable) {
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (int record = first; record < records; ++record) {
      if (!write(record, locks, transaction, durable)) break;
      if (record % 8 == 7) flush_all_shards();
      if (record % 3 == 2) static_cast<void>(store_->maintain().has_value());
    }
  }

  Model contents() {
    Model found;
    std::vector<Bytes> names{"marker"};
    for (int number = 0; number < kKeys; ++number) names.push_back(key_name(number));
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (const Bytes& name : names) locks.add(0, name);
    for (std::size_t i = 0; i < names.size(); ++i) {
      for (;;) {
        locks.lock();
        const auto value = transaction.get(i);
        if (value && *value) found[names[i]] = text_of(**value);
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

 private:
  Bytes text_of(BytesView stored) {
    const auto reference = store_->large_value_in(stored);
    if (!reference) return Bytes{stored};
    const auto value = store_->large_values().find(reference->id);
    Bytes text;
    engine::Status read = value->open();
    if (read) read = value->check(*reference);
    for (std::uint64_t number = 0; read && number < value->trailer().chunk_checksums.size(); ++number) {
      Bytes chunk(value->chunk_bytes(number), '\0');
      read = value->read_chunk(number, chunk);
      text += chunk;
    }
    EXPECT_TRUE(read) << read.error().message;
    return text;
  }

  std::shared_ptr<engine::StagedLargeValue> stage(int record) {
    const Bytes value = value_of(record);
    auto staged = store_->large_values().stage(value.size());
    return staged->append(value) ? staged : nullptr;
  }

  bool write(int record, ShardLocks& locks, Transaction& transaction, std::atomic<int>& durable) {
    const Kind kind = kind_of(record);
    const auto staged = kind == Kind::large ? stage(record) : nullptr;
    if (kind == Kind::large && !staged) return false;
    locks.clear();
    transaction.reset();
    const std::size_t marker = locks.add(0, "marker");
    const std::string name = key_name(record);
    const std::size_t key = locks.add(0, name);
    for (;;) {
      locks.lock();
      transaction.put(marker, std::to_string(record));
      if (kind == Kind::large) transaction.put_large(key, {&kLargeHeader, 1}, staged);
      if (kind == Kind::small) transaction.put(key, value_of(record));
      if (kind == Kind::erase) transaction.erase(key);
      const auto lsn = transaction.commit();
      locks.unlock();
      if (lsn) {
        store_->log().when_synced(*lsn, [record, &durable](const engine::Status& status) {
          if (status) durable = record;
        });
        transaction.reset();
        return true;
      }
      if (!engine::is_retry(lsn.error()) || disk_.is_off()) return false;
      for (const auto& load : transaction.reads().missing) load->run();
      transaction.reset();
      std::this_thread::yield();
    }
  }
  void flush_all_shards() {
    for (const auto& shard : store_->shards()) {
      std::lock_guard lock{shard->mutex};
      shard->engine->flush();
    }
  }

  engine::SimulatedDisk& disk_;
  StoreOptions options_;
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
};

std::size_t large_values_in(const Model& model) {
  std::size_t count = 0;
  for (const auto& [key, value] : model) {
    if (key != "marker" && kind_of(std::atoi(value.c_str())) == Kind::large) ++count;
  }
  return count;
}

std::size_t files_left(engine::SimulatedDisk& disk) {
  const auto names = disk.list("/data/large");
  return names ? names->size() : 0;
}

void expect_prefix(Machine& machine, engine::SimulatedDisk& disk, int durable, const std::string& where) {
  const Model found = machine.contents();
  const auto marker = found.find("marker");
  const int recovered = marker == found.end() ? -1 : std::stoi(marker->second);
  ASSERT_GE(recovered, durable) << where << ": a record that was acknowledged is gone";
  ASSERT_TRUE(found == model_after(recovered))
      << where << ": the store is not as it was after record " << recovered;
  // What the crash left behind is found, and what is referred to is not.
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(machine.store().maintain());
  ASSERT_EQ(files_left(disk), large_values_in(found)) << where;
  ASSERT_TRUE(machine.contents() == found) << where;
}

std::uint64_t calls_of_a_whole_run() {
  engine::SimulatedDisk disk{1};
  Machine machine{disk};
  EXPECT_TRUE(machine.start());
  std::atomic<int> durable = -1;
  machine.run(0, kRecords, durable);
  machine.stop();
  return disk.mutating_calls();
}

class LargeValueCrash : public testing::TestWithParam<engine::Unsynced> {};

TEST_P(LargeValueCrash, AtAnyCallLeavesWholeValuesAndNoFilesBehind) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const std::uint64_t calls = calls_of_a_whole_run();
  ASSERT_GT(calls, 100u);
  // CRASH_POINTS: how many calls to die at; a sample of the run here, all of it in a long campaign.
  const std::uint64_t points = engine::crash_points(calls, 80);
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call =
        1 + point * calls / points + (seed + point) % std::max<std::uint64_t>(calls / points, 1);
    const std::string where = fmt::format("crash at call {} of {}", call, calls);
    engine::SimulatedDisk disk{seed + point};
    std::atomic<int> durable = -1;
    {
      Machine machine{disk};
      disk.crash_at_call(call);
      if (machine.start()) machine.run(0, kRecords, durable);
      machine.stop();
    }
    disk.crash(GetParam());
    Machine machine{disk};
    const auto started = machine.start();
    ASSERT_TRUE(started) << where << ": " << started.error().message;
    ASSERT_NO_FATAL_FAILURE(expect_prefix(machine, disk, durable, where));
    // And it goes on from there.
    machine.run(kRecords, kRecords + 4, durable);
    EXPECT_EQ(machine.contents()["marker"], std::to_string(kRecords + 3)) << where;
  }
}

TEST(LargeValueKill, AtAnyCallLosesNothingThatWasAcknowledged) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const std::uint64_t calls = calls_of_a_whole_run();
  constexpr std::uint64_t kPoints = 40;
  for (std::uint64_t point = 0; point < kPoints; ++point) {
    const std::uint64_t call = 1 + point * calls / kPoints + (seed + point) % (calls / kPoints);
    const std::string where = fmt::format("killed at call {} of {}", call, calls);
    engine::SimulatedDisk disk{seed + point};
    std::atomic<int> durable = -1;
    {
      Machine machine{disk};
      disk.crash_at_call(call);
      if (machine.start()) machine.run(0, kRecords, durable);
      machine.stop();
    }
    disk.process_kill();
    Machine machine{disk};
    ASSERT_TRUE(machine.start()) << where;
    ASSERT_NO_FATAL_FAILURE(expect_prefix(machine, disk, durable, where));
  }
}

TEST(LargeValueSpace, ReplacedErasedAndFlushedValuesGiveTheirFilesBack) {
  engine::SimulatedDisk disk{1};
  Machine machine{disk};
  ASSERT_TRUE(machine.start());
  std::atomic<int> durable = -1;
  machine.run(0, kRecords, durable);
  ASSERT_TRUE(machine.store().maintain());
  EXPECT_EQ(files_left(disk), large_values_in(model_after(kRecords - 1)));
  ASSERT_GT(files_left(disk), 0u);
  ASSERT_TRUE(machine.store().flush_all());
  ASSERT_TRUE(machine.store().maintain());
  EXPECT_EQ(files_left(disk), 0u);
}

INSTANTIATE_TEST_SUITE_P(Unsynced, LargeValueCrash,
                         testing::Values(engine::Unsynced::lost, engine::Unsynced::kept,
                                         engine::Unsynced::torn),
                         engine::unsynced_name);

}  // namespace
}  // namespace shale::cluster
