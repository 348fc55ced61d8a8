// Keys that expire, in stores on a simulated disk: on both engines and in both kinds of sharding (see
// tests/CMakeLists.txt: the names say Store). Values are "<due in Unix milliseconds>:<text>", 0 for never.
#include "cluster/expirer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "cluster/reshaper.h"
#include "cluster/store.h"
#include "engine/testing/effort.h"
#include "engine/testing/manual_clock.h"
#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/folder_of_test.h"
#include "tests/cluster/store_client.h"

namespace shale::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::int64_t due_of(BytesView value) {
  std::int64_t due_ms = 0;
  std::from_chars(value.data(), value.data() + value.size(), due_ms);
  return due_ms == 0 ? engine::KeyPolicy::kNeverObsolete : due_ms;
}

Bytes key_name(int number) { return fmt::format("key:{}", number); }

// A machine whose store is opened and closed, with a clock that outlives it.
class Machine {
 public:
  explicit Machine(engine::SimulatedDisk& disk, engine::ManualClock& clock) : disk_(disk), clock_(clock) {
    options_.folder = "/data";
    set_folder_of_test(options_, {"key:5"});
    options_.shards = 2;
    options_.virtual_nodes = 8;
    options_.memtable_bytes = 1u << 20;
    options_.cache_bytes = 1u << 20;
    options_.log_segment_bytes = 64u << 10;
    options_.log_bytes_max = 256u << 10;
    options_.maintenance_interval = milliseconds{0};
    options_.sync_mode = engine::SyncMode::always;
    options_.value_expiry_ms = due_of;
  }
  ~Machine() { stop(); }

  engine::Status start() {
    background_ = engine::make_thread_background(1, 1);
    StoreRecovery recovery;
    auto store = Store::open(disk_, *background_, clock_, options_, recovery);
    if (!store) return store.error();
    store_ = std::move(*store);
    client_.emplace(*store_);
    return {};
  }
  void stop() {
    client_.reset();
    if (store_) store_->reshaper().stop();
    if (background_) background_->stop();
    store_.reset();
    background_.reset();
  }

  Store& store() { return *store_; }
  Expirer& expirer() { return store_->expirer(); }
  StoreClient& client() { return *client_; }

  void set(const Bytes& key, milliseconds time_to_live, std::string_view text = "text") {
    client_->write({{key, fmt::format("{}:{}", clock_.unix_ms() + time_to_live.count(), text)}});
  }
  // All rounds that there is something to do in; false if the disk did not let it.
  bool expire() {
    for (;;) {
      const auto more = expirer().round();
      if (!more) return false;
      if (!*more) return true;
    }
  }
  // As the engines have it: values that have expired, too.
  bool is_stored(const Bytes& key) { return client_->read({key}).front().has_value(); }
  std::int64_t keys() { return store_->key_count(0); }
  std::int64_t hints() { return expirer().calendar().hint_count(); }

  void flush_all() {
    expirer().try_flush();
    for (const auto& shard : store_->shards()) {
      const std::lock_guard lock{shard->mutex};
      shard->engine->flush();
    }
  }
  // One change after the other: all kinds, some of them refused.
  void reshape(unsigned turn) {
    const auto shards = store_->shards();
    ReshapeRequest request;
    request.shard = shards[turn % shards.size()]->id;
    request.other = shards[(turn + 1) % shards.size()]->id;
    constexpr ReshapeKind kKinds[] = {ReshapeKind::split, ReshapeKind::move, ReshapeKind::merge};
    request.kind = kKinds[turn % 3];
    request.engine = turn % 2 == 0 ? EngineKind::btree : EngineKind::lsm;
    static_cast<void>(store_->reshaper().run(request).has_value());
  }

 private:
  engine::SimulatedDisk& disk_;
  engine::ManualClock& clock_;
  StoreOptions options_;
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
  std::optional<StoreClient> client_;
};

class ExpirerStore : public testing::Test {
 protected:
  ExpirerStore() { EXPECT_TRUE(machine_.start()); }

  void restart() {
    machine_.stop();
    disk_.process_kill();
    ASSERT_TRUE(machine_.start());
  }

  engine::SimulatedDisk disk_{1};
  engine::ManualClock clock_;
  Machine machine_{disk_, clock_};
};

TEST_F(ExpirerStore, ErasesWhatNobodyReadsAndSaysSoOnce) {
  std::multiset<Bytes> expired;
  machine_.expirer().on_expired([&](unsigned database, BytesView key) {
    EXPECT_EQ(database, 0u);
    expired.emplace(key);
  });
  for (int i = 0; i < 300; ++i) machine_.set(key_name(i), milliseconds{1000 + i});
  machine_.client().write({{"stays", "0:for ever"}});
  machine_.expire();
  EXPECT_EQ(machine_.keys(), 301);
  EXPECT_EQ(machine_.hints(), 300);

  clock_.advance(milliseconds{1150});
  machine_.expire();
  EXPECT_GE(machine_.keys(), 301 - 151);
  EXPECT_LE(machine_.keys(), 301 - 151 + 64) << "a slot of 64 ms may not have ended";

  clock_.advance(milliseconds{1000});
  machine_.expire();
  EXPECT_EQ(machine_.keys(), 1);
  EXPECT_EQ(machine_.hints(), 0);
  EXPECT_EQ(machine_.expirer().expired_keys(), 300u);
  EXPECT_EQ(expired.size(), 300u);
  EXPECT_EQ(std::set<Bytes>(expired.begin(), expired.end()).size(), 300u);
}

TEST_F(ExpirerStore, LeavesWhatHasBeenWrittenOverSince) {
  machine_.set("renewed", milliseconds{1000});
  machine_.set("kept", milliseconds{1000});
  machine_.set("deleted", milliseconds{1000});
  machine_.expire();
  machine_.set("renewed", milliseconds{5000});
  machine_.client().write({{"kept", "0:for ever"}, {"deleted", ""}});
  clock_.advance(milliseconds{1500});
  machine_.expire();
  EXPECT_TRUE(machine_.is_stored("renewed"));
  EXPECT_TRUE(machine_.is_stored("kept"));
  EXPECT_EQ(machine_.expirer().expired_keys(), 0u);
  EXPECT_EQ(machine_.hints(), 1);
  clock_.advance(milliseconds{5000});
  machine_.expire();
  EXPECT_FALSE(machine_.is_stored("renewed"));
  EXPECT_TRUE(machine_.is_stored("kept"));
}

TEST_F(ExpirerStore, FarHintsAreOnDiskAndComeBackInTime) {
  for (int i = 0; i < 3000; ++i) machine_.set(key_name(i), seconds{3600 * 24 * (1 + i % 20)});
  machine_.expire();
  machine_.flush_all();
  EXPECT_GE(machine_.expirer().calendar().stored_chunks(), 20);
  EXPECT_LT(machine_.expirer().calendar().memory_bytes(), 100u);
  for (int day = 0; day < 20; ++day) {
    if (day % 5 == 2) {
      restart();
      // The replay guesses that what it erases was there, which what a checkpoint had dropped was not.
      machine_.flush_all();
      while (machine_.keys() != 3000 - 150 * day) std::this_thread::yield();
    }
    // By hours, as a server that runs would come by; and some days at once.
    for (int hour = 0; hour < 24 && day % 3 != 0; ++hour) {
      clock_.advance(seconds{day == 19 ? 0 : 3590});
      machine_.expire();
      EXPECT_EQ(machine_.keys(), 3000 - 150 * day);
    }
    clock_.advance(seconds{day % 3 == 0 ? 3600 * 24 : 240});
    clock_.advance(seconds{day == 19 ? 3600 * 24 : 0});
    machine_.expire();
    EXPECT_EQ(machine_.keys(), 3000 - 150 * (day + 1));
    EXPECT_EQ(machine_.hints(), machine_.keys());
  }
  machine_.flush_all();
  machine_.expire();
  EXPECT_EQ(machine_.expirer().calendar().stored_chunks(), 0);
}

TEST_F(ExpirerStore, WhenTheWallClockIsSetNothingGoesTooEarly) {
  machine_.set("key", seconds{60});
  machine_.expire();
  const std::int64_t now_ms = clock_.unix_ms();
  clock_.set_unix_ms(now_ms - 3'600'000);
  machine_.expire();
  machine_.set("other", seconds{60});
  clock_.set_unix_ms(now_ms - 3'600'000 + 60'200);
  machine_.expire();
  machine_.expire();
  EXPECT_FALSE(machine_.is_stored("other"));
  EXPECT_TRUE(machine_.is_stored("key"));
  clock_.set_unix_ms(now_ms + 3'600'000);
  machine_.expire();
  EXPECT_FALSE(machine_.is_stored("key"));
}

TEST_F(ExpirerStore, SwitchedOffItWaits) {
  machine_.expirer().set_active(false);
  machine_.set("key", milliseconds{100});
  clock_.advance(seconds{1});
  machine_.expire();
  EXPECT_TRUE(machine_.is_stored("key"));
  machine_.expirer().set_active(true);
  machine_.expire();
  EXPECT_FALSE(machine_.is_stored("key"));
}

TEST_F(ExpirerStore, PausedItWaitsForTheEndOfThePause) {
  machine_.expirer().pause_until(clock_.now() + seconds{5});
  machine_.set("key", milliseconds{100});
  clock_.advance(seconds{4});
  machine_.expire();
  EXPECT_TRUE(machine_.is_stored("key"));
  clock_.advance(seconds{1});
  machine_.expire();
  EXPECT_FALSE(machine_.is_stored("key"));
}

TEST_F(ExpirerStore, HintsOfAnEmptiedDatabaseGoWithoutALook) {
  for (int i = 0; i < 100; ++i) machine_.set(key_name(i), seconds{1});
  machine_.expire();
  ASSERT_TRUE(machine_.store().flush_all());
  machine_.set("new", seconds{60});
  clock_.advance(seconds{2});
  machine_.expire();
  EXPECT_EQ(machine_.hints(), 1);
  EXPECT_EQ(machine_.keys(), 1);
  EXPECT_EQ(machine_.expirer().expired_keys(), 0u);
}

TEST_F(ExpirerStore, TheLogIsTrimmedWhileHintsComeAndGo) {
  for (int i = 0; i < 6000; ++i) {
    machine_.set(key_name(i % 50), seconds{3600}, std::string(200, 'x'));
    if (i % 100 == 99) {
      machine_.expire();
      EXPECT_TRUE(machine_.store().maintain());
      machine_.flush_all();
    }
  }
  while (machine_.store().log().stats().bytes_kept > 512u << 10) {  // the test's limit is the bound
    machine_.flush_all();
    ASSERT_TRUE(machine_.store().maintain());
    std::this_thread::sleep_for(milliseconds{2});
  }
}

// Whatever is written, restarted, split, merged, moved and emptied meanwhile: what is there is what a map
// says.
TEST_F(ExpirerStore, AgreesWithAMap) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::mt19937_64 random{seed};
  std::map<Bytes, std::int64_t> model;  // due, 0: never
  const auto drop_expired = [&] {
    std::erase_if(model,
                  [&](const auto& entry) { return entry.second != 0 && entry.second <= clock_.unix_ms(); });
  };
  for (unsigned turn = 0; turn < 60; ++turn) {
    for (int operation = 0; operation < 60; ++operation) {
      const Bytes key = key_name(static_cast<int>(random() % 400));
      const std::int64_t due_ms =
          clock_.unix_ms() + 1 + static_cast<std::int64_t>(random() % (random() % 3 == 0 ? 400'000 : 3'000));
      switch (random() % 8) {
        case 0:
          machine_.client().write({{key, ""}});
          model.erase(key);
          break;
        case 1:
          machine_.client().write({{key, "0:for ever"}});
          model[key] = 0;
          break;
        default:
          machine_.client().write({{key, fmt::format("{}:{:0>100}", due_ms, turn)}});
          model[key] = due_ms;
      }
    }
    if (turn % 7 == 3) machine_.flush_all();
    if (turn % 5 == 2) machine_.reshape(static_cast<unsigned>(random()));
    if (turn % 11 == 6) restart();
    if (turn % 25 == 24) {
      ASSERT_TRUE(machine_.store().flush_database(0));
      model.clear();
    }
    clock_.advance(milliseconds{random() % 2'000});
    machine_.expire();
    ASSERT_TRUE(machine_.store().maintain());
    clock_.advance(milliseconds{64});  // the end of the narrowest slot
    machine_.expire();
    drop_expired();
    for (int number = 0; number < 400; ++number) {
      const Bytes key = key_name(number);
      const auto expected = model.find(key);
      const auto stored = machine_.client().read({key}).front();
      // What has become due within this slot may still be there.
      if (stored && expected == model.end() && due_of(*stored) > clock_.unix_ms() - 64) continue;
      ASSERT_EQ(stored.has_value(), expected != model.end())
          << key << " in turn " << turn << ": " << stored.value_or("absent").substr(0, 20) << " at "
          << clock_.unix_ms();
    }
  }
  clock_.advance(seconds{500});
  machine_.expire();
  drop_expired();
  EXPECT_EQ(machine_.hints(), 0);
  for (int number = 0; number < 400; ++number) {
    EXPECT_EQ(machine_.is_stored(key_name(number)), model.contains(key_name(number)));
  }
}

// Of 200 keys all are gone once they are due, wherever the machine has died, and those that never expire
// stay.
TEST(ExpirerStoreCrash, NoHintIsLost) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  constexpr int kKeys = 200;
  const auto workload = [](Machine& machine, engine::ManualClock& clock, engine::SimulatedDisk& disk) {
    ShardLocks locks{machine.store()};
    Transaction transaction{machine.store(), locks};
    for (int step = 0; step < 240; ++step) {
      const std::int64_t due_ms = clock.unix_ms() + 100 + step % 7 * 5'000;
      const Bytes key = key_name(step * 7 % kKeys);
      for (;;) {
        locks.clear();
        transaction.reset();
        locks.add(0, key);
        locks.lock();
        transaction.put(0, fmt::format("{}:{:0>300}", due_ms, step));
        const auto committed = transaction.commit();
        locks.unlock();
        if (committed) break;
        if (disk.is_off() || committed.error().kind != engine::ErrorKind::busy) return;
      }
      clock.advance(milliseconds{97});
      if (step % 4 == 1 && !machine.expire()) return;
      if (step % 16 == 11) machine.flush_all();
      if (step % 8 == 7) static_cast<void>(machine.store().maintain().has_value());
      if (step % 60 == 31) machine.reshape(static_cast<unsigned>(step) / 60);
    }
  };
  std::uint64_t calls = 0;
  {
    engine::SimulatedDisk disk{seed};
    engine::ManualClock clock;
    Machine machine{disk, clock};
    ASSERT_TRUE(machine.start());
    workload(machine, clock, disk);
    machine.stop();
    calls = disk.mutating_calls();
  }
  // CRASH_POINTS: at how many calls to die; a sample by default.
  const std::uint64_t points = engine::crash_points(calls, 30);
  constexpr engine::Unsynced kUnsynced[] = {engine::Unsynced::lost, engine::Unsynced::kept,
                                            engine::Unsynced::torn};
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call = 1 + point * calls / points + seed % (calls / points);
    SCOPED_TRACE(fmt::format("crash at call {} of {}", call, calls));
    engine::SimulatedDisk disk{seed + point};
    engine::ManualClock clock;
    Machine machine{disk, clock};
    disk.crash_at_call(call);
    if (machine.start()) workload(machine, clock, disk);
    machine.stop();
    disk.crash(kUnsynced[point % 3]);
    const auto started = machine.start();
    ASSERT_TRUE(started) << started.error().message;
    machine.client().write({{"stays", "0:for ever"}});
    clock.advance(seconds{60});
    ASSERT_TRUE(machine.expire());
    for (int number = 0; number < kKeys; ++number) {
      ASSERT_FALSE(machine.is_stored(key_name(number))) << key_name(number);
    }
    EXPECT_TRUE(machine.is_stored("stays"));
  }
}

// A key that is written all the time, with a day to live each time.
TEST(ExpiryCalendar, CrowdedDropsHintsOfOldValuesEarly) {
  engine::SimulatedDisk disk{1};
  engine::ManualClock clock;
  Machine machine{disk, clock};
  ASSERT_TRUE(machine.start());
  ExpiryCalendar& calendar = machine.expirer().calendar();
  calendar.set_crowded(true);
  for (int i = 0; i < 500; ++i) {
    machine.set("session", seconds{3600 * 24});
    clock.advance(milliseconds{1});
    static_cast<void>(machine.expirer().try_cover());
  }
  EXPECT_EQ(machine.hints(), 500);
  // expire() would find that there are few hints, and end it.
  calendar.set_crowded(true);
  clock.advance(seconds{70});
  machine.expire();
  EXPECT_EQ(machine.hints(), 1);
  clock.advance(seconds{3600 * 24});
  machine.expire();
  EXPECT_EQ(machine.hints(), 0);
  EXPECT_FALSE(machine.is_stored("session"));
}

}  // namespace
}  // namespace shale::cluster
