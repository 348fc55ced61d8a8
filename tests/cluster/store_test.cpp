#include "cluster/store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cluster/transaction.h"
#include "tests/cluster/folder_of_test.h"

namespace shale::cluster {
namespace {

using testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string name = (std::filesystem::temp_directory_path() / "shale-test-XXXXXX").string();
    options_.folder = ::mkdtemp(name.data());
    set_folder_of_test(options_, {"b", "key:15", "key:5", "m"});
    options_.memtable_bytes = 4u << 20;
    options_.cache_bytes = 4u << 20;
    options_.log_segment_bytes = 1u << 20;
    options_.maintenance_interval = std::chrono::milliseconds{0};
  }
  ~StoreTest() override {
    close();
    std::filesystem::remove_all(options_.folder);
  }

  engine::Status try_open() {
    recovery_ = {};
    background_ = engine::make_thread_background(2, 2);
    auto store = Store::open(*files_, *background_, *clock_, options_, recovery_);
    if (!store) return store.error();
    store_ = std::move(*store);
    return {};
  }
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  void close() {
    if (background_) background_->stop();
    store_.reset();
    background_.reset();
  }

  // As a command does it: declare, lock, write, commit.
  void put(const std::vector<std::pair<Bytes, Bytes>>& pairs, unsigned database = 0) {
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (const auto& [key, value] : pairs) locks.add(database, key);
    locks.lock();
    for (std::size_t i = 0; i < pairs.size(); ++i) transaction.put(i, pairs[i].second);
    for (auto committed = transaction.commit(); !committed; committed = transaction.commit()) {
      ASSERT_EQ(committed.error().kind, engine::ErrorKind::busy) << committed.error().message;
      locks.unlock();
      std::this_thread::yield();
      locks.lock();
    }
  }
  std::optional<Bytes> get(const Bytes& key, unsigned database = 0) {
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    const std::size_t index = locks.add(database, key);
    for (;;) {
      locks.lock();
      const auto found = transaction.get(index);
      if (found) return *found ? std::optional<Bytes>{**found} : std::nullopt;
      locks.unlock();
      if (found.error().kind != engine::ErrorKind::not_resident) {
        ADD_FAILURE() << found.error().message;
        return {};
      }
      for (const auto& load : transaction.reads().missing) load->run();
    }
  }

  StoreOptions options_;
  StoreRecovery recovery_;
  std::unique_ptr<engine::FileSystem> files_ = engine::make_posix_file_system();
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, FindsAfterReopeningWhatWasCommitted) {
  open();
  EXPECT_TRUE(recovery_.created);
  put({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  close();
  open();
  EXPECT_FALSE(recovery_.created);
  EXPECT_EQ(recovery_.records_applied, 1u);
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("b"), "2");
  EXPECT_EQ(get("c"), "3");
  EXPECT_EQ(get("d"), std::nullopt);
  EXPECT_EQ(store_->key_count(0), 3);
}

TEST_F(StoreTest, ATransactionSeesItsOwnWrites) {
  open();
  ShardLocks locks{*store_};
  Transaction transaction{*store_, locks};
  std::vector<Bytes> names;
  for (int i = 0; i < 20; ++i) names.push_back(fmt::format("key:{}", i));
  for (const Bytes& name : names) locks.add(0, name);
  locks.lock();
  for (std::size_t i = 0; i < names.size(); ++i) {
    transaction.put(i, names[i]);
    EXPECT_EQ(*transaction.get(i), BytesView{names[i]});
  }
  transaction.erase(3);
  EXPECT_EQ(*transaction.get(3), std::nullopt);
  transaction.put(4, "again");
  EXPECT_EQ(*transaction.get(4), BytesView{"again"});
  ASSERT_TRUE(transaction.commit());
  transaction.reset();
  EXPECT_EQ(*transaction.get(3), std::nullopt);
  EXPECT_EQ(*transaction.get(4), BytesView{"again"});
  EXPECT_EQ(*transaction.get(5), BytesView{"key:5"});
}

TEST_F(StoreTest, ATransactionThatIsResetChangesNothing) {
  open();
  put({{"a", "1"}});
  ShardLocks locks{*store_};
  Transaction transaction{*store_, locks};
  locks.add(0, "a");
  locks.lock();
  transaction.put(0, "2");
  transaction.reset();
  EXPECT_EQ(*transaction.commit(), 0u);
  EXPECT_EQ(*transaction.get(0), BytesView{"1"});
}

TEST_F(StoreTest, DatabasesHaveKeysOfTheirOwn) {
  open();
  put({{"a", "zero"}}, 0);
  put({{"a", "five"}}, 5);
  EXPECT_EQ(get("a", 0), "zero");
  EXPECT_EQ(get("a", 5), "five");
  EXPECT_EQ(get("a", 6), std::nullopt);
  EXPECT_EQ(store_->key_count(5), 1);
}

TEST_F(StoreTest, FlushingADatabaseLeavesTheOthersAndSurvivesReopening) {
  open();
  for (int i = 0; i < 200; ++i) put({{fmt::format("k{}", i), "v"}}, i % 2 == 0 ? 0u : 1u);
  ASSERT_TRUE(store_->flush_database(0));
  EXPECT_EQ(store_->key_count(0), 0);
  EXPECT_EQ(store_->key_count(1), 100);
  EXPECT_EQ(get("k0", 0), std::nullopt);
  EXPECT_EQ(get("k1", 1), "v");
  put({{"k0", "anew"}}, 0);
  close();
  open();
  EXPECT_EQ(get("k0", 0), "anew");
  EXPECT_EQ(get("k2", 0), std::nullopt);
  EXPECT_EQ(get("k1", 1), "v");
  EXPECT_EQ(store_->key_count(0), 1);
  EXPECT_EQ(store_->key_count(1), 100);
}

TEST_F(StoreTest, SwappedDatabasesHaveEachOthersKeysAndSurviveReopening) {
  open();
  put({{"a", "zero"}, {"only zero", "v"}}, 0);
  put({{"a", "five"}}, 5);
  ASSERT_TRUE(store_->swap_databases(0, 5));
  EXPECT_EQ(get("a", 0), "five");
  EXPECT_EQ(get("a", 5), "zero");
  EXPECT_EQ(store_->key_count(0), 1);
  EXPECT_EQ(store_->key_count(5), 2);
  put({{"later", "v"}}, 5);
  // The catalog knows of one swap, the log of that and more: none is made twice, whatever is read.
  for (int round = 0; round < 3; ++round) {
    if (round == 1) {
      ASSERT_TRUE(store_->maintain());
    }
    if (round == 2) {
      ASSERT_TRUE(store_->swap_databases(5, 15));
    }
    close();
    open();
    const unsigned of_zero = round == 2 ? 15 : 5;
    EXPECT_EQ(get("a", 0), "five");
    EXPECT_EQ(get("a", of_zero), "zero");
    EXPECT_EQ(get("later", of_zero), "v");
    EXPECT_EQ(store_->key_count(of_zero), 3);
  }
}

TEST_F(StoreTest, AFlushAfterASwapEmptiesWhatTheNumberMeansNow) {
  open();
  put({{"a", "zero"}}, 0);
  put({{"a", "five"}}, 5);
  ASSERT_TRUE(store_->swap_databases(0, 5));
  ASSERT_TRUE(store_->flush_database(0));
  put({{"b", "new"}}, 0);
  ASSERT_TRUE(store_->swap_databases(0, 5));
  close();
  open();
  EXPECT_EQ(get("a", 0), "zero");
  EXPECT_EQ(get("a", 5), std::nullopt);
  EXPECT_EQ(get("b", 5), "new");
  ASSERT_TRUE(store_->flush_all());
  EXPECT_EQ(store_->key_count(0), 0);
  EXPECT_EQ(store_->key_count(5), 0);
}

TEST_F(StoreTest, ATransactionFlushesSwapsAndWritesInItsOrder) {
  open();
  put({{"a", "zero"}}, 0);
  put({{"a", "five"}}, 5);
  {
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    locks.lock_all();
    transaction.put(locks.add(0, "b"), "to be swapped");
    transaction.swap_databases(0, 5);
    EXPECT_EQ(transaction.get(locks.add(0, "a")).value(), "five");
    EXPECT_EQ(transaction.key_count(5).value(), 2);
    ASSERT_TRUE(transaction.empty_databases(0, 1));
    transaction.put(locks.add_kept(0, "c"), "anew");
    transaction.swap_databases(0, 7);
    EXPECT_TRUE(transaction.replaces(7));
    ASSERT_TRUE(transaction.commit());
  }
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(get("a", 5), "zero");
    EXPECT_EQ(get("b", 5), "to be swapped");
    EXPECT_EQ(get("c", 7), "anew");
    EXPECT_EQ(store_->key_count(0) + store_->key_count(5) + store_->key_count(7), 3);
    close();
    open();
  }
}

TEST_F(StoreTest, KeysDeclaredBeforeAFlushAreWrittenToTheNewDatabase) {
  open();
  ShardLocks locks{*store_};
  Transaction transaction{*store_, locks};
  locks.add(0, "a");
  ASSERT_TRUE(store_->flush_all());
  locks.lock();
  transaction.put(0, "kept");
  ASSERT_TRUE(transaction.commit());
  locks.unlock();
  EXPECT_EQ(get("a"), "kept");
}

TEST_F(StoreTest, TrimsTheLogOnceTheEnginesHavePersistedIt) {
  open();
  const Bytes value(10'000, 'v');
  for (int i = 0; i < 1'000; ++i) {
    put({{fmt::format("k{}", i), value}});
    if (i % 100 == 99) {
      for (const auto& shard : store_->shards()) {
        std::lock_guard lock{shard->mutex};
        shard->engine->flush();
      }
      ASSERT_TRUE(store_->maintain());
    }
  }
  while (store_->log().stats().bytes_kept >
         4u << 20) {  // flushes are still under way; the test's limit is the bound
    ASSERT_TRUE(store_->maintain());
    std::this_thread::yield();
  }
  close();
  open();
  EXPECT_LT(recovery_.log.records, 600u);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(get(fmt::format("k{}", i)), value) << i;
  // What a B+ tree's replay has guessed is looked up once it is idle; the test's limit is the bound.
  while (std::abs(static_cast<double>(store_->key_count(0)) - 1'000) > 20) {
    ASSERT_TRUE(store_->maintain());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST_F(StoreTest, FlushesAShardThatHoldsOnToTheLog) {
  options_.log_bytes_max = 2u << 20;
  open();
  put({{"idle", "1"}});
  const Bytes value(10'000, 'v');
  const Bytes busy = "busy";
  for (int i = 0; i < 1'000; ++i) put({{busy, value}});  // overwritten in place: no memtable fills up
  while (store_->log().stats().bytes_kept > 4u << 20) {
    ASSERT_TRUE(store_->maintain());
    std::this_thread::yield();
  }
  EXPECT_EQ(get("idle"), "1");
}

// Were a memtable sealed in the middle of a replayed record, its flush would call the whole record persisted.
TEST_F(StoreTest, ReplaysLargeRecordsWholeThroughSmallMemtables) {
  options_.memtable_bytes = 1u << 20;
  open();
  std::vector<Bytes> keys;
  for (int record = 0; record < 20; ++record) {
    std::vector<std::pair<Bytes, Bytes>> pairs;
    for (int i = 0; i < 200; ++i) {
      keys.push_back(fmt::format("{}:{:0>100}", record, i));
      pairs.emplace_back(keys.back(), "v");
    }
    put(pairs);
  }
  close();
  open();
  for (const Bytes& key : keys) ASSERT_EQ(get(key), "v") << key;
  while (store_->key_count(0) != 4'000)
    std::this_thread::yield();  // guesses are looked up; the time limit is the bound
}

TEST_F(StoreTest, RefusesAFolderThatIsInUse) {
  open();
  recovery_ = {};
  const auto second = Store::open(*files_, *background_, *clock_, options_, recovery_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, engine::ErrorKind::locked);
}

TEST_F(StoreTest, RefusesAForeignFolder) {
  std::ofstream{options_.folder + "/holiday.jpg"} << "not ours";
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("holiday.jpg"));
}

TEST_F(StoreTest, RefusesANewerFormat) {
  open();
  close();
  std::ofstream{options_.folder + "/FORMAT"} << "shale data folder, format 3\n";
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, engine::ErrorKind::unsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("version 3"));
}

TEST_F(StoreTest, KeepsTheShardsThatTheFolderWasMadeWith) {
  options_.shards = 3;
  options_.split_points = {"b", "m"};
  open();
  put({{"a", "1"}});
  close();
  options_.shards = 11;
  options_.split_points = {};
  open();
  EXPECT_EQ(store_->shards().size(), 3u);
  EXPECT_EQ(get("a"), "1");
}

class RangeStoreTest : public StoreTest {
 protected:
  RangeStoreTest() {
    options_.sharding = Sharding::range;
    options_.split_points = {"g", "p"};
  }
  std::uint32_t owner_of(unsigned database, const Bytes& key) {
    Bytes position;
    store_->placement().append(store_->database_id(database), key, position);
    return static_cast<std::uint32_t>(store_->layout()->owner(position).id);
  }
  void expect_cuts_at_g_and_p() {
    EXPECT_EQ(store_->layout()->map().boundaries().size(), 3u);
    const std::pair<const char*, std::uint32_t> owners[] = {{"", 0},  {"a", 0}, {"fz", 0}, {"g", 1},
                                                            {"o", 1}, {"p", 2}, {"z", 2}};
    for (const auto& [key, shard] : owners) EXPECT_EQ(owner_of(0, key), shard) << key;
    for (unsigned database = 1; database < kDatabaseCount; ++database)
      EXPECT_EQ(owner_of(database, "a"), 2u) << database;
  }
};

TEST_F(RangeStoreTest, BeginsWithOneShardOrOnePerSplitPoint) {
  open();
  EXPECT_EQ(store_->shards().size(), 3u);
  expect_cuts_at_g_and_p();
  close();
  std::filesystem::remove_all(options_.folder);
  options_.split_points = {};
  open();
  EXPECT_EQ(store_->shards().size(), 1u);
}

TEST_F(RangeStoreTest, AFolderKeepsItsSharding) {
  open();
  put({{"a", "1"}});
  close();
  options_.sharding = Sharding::ring;
  open();
  EXPECT_EQ(store_->placement().sharding(), Sharding::range);
  EXPECT_EQ(get("a"), "1");
}

// The log's flush records are replayed over a catalog that knows of none of them, of some, and of all.
TEST_F(RangeStoreTest, CutsStayAtTheirKeysWhateverIsEmptied) {
  open();
  for (int round = 0; round < 6; ++round) {
    put({{"a", "old"}, {"h", "old"}, {"z", "old"}});
    put({{"h", "old"}}, 3);
    const auto flushed = round % 3 == 2 ? store_->flush_all() : store_->flush_database(0);
    ASSERT_TRUE(flushed) << flushed.error().message;
    expect_cuts_at_g_and_p();
    EXPECT_EQ(store_->key_count(0), 0);
    put({{"g", std::to_string(round)}, {"q", std::to_string(round)}});
    if (round % 2 == 1) {
      for (const auto& shard : store_->shards()) {
        const std::lock_guard lock{shard->mutex};
        shard->engine->flush();
      }
      EXPECT_TRUE(store_->maintain());
    }
    close();
    open();
    expect_cuts_at_g_and_p();
    EXPECT_EQ(get("a"), std::nullopt);
    EXPECT_EQ(get("g"), std::to_string(round));
    EXPECT_EQ(get("q"), std::to_string(round));
    EXPECT_EQ(get("h", 3), round % 3 == 2 ? std::nullopt : std::optional<Bytes>{"old"});
    EXPECT_EQ(store_->key_count(0), 2);
  }
}

// Writers on several threads, each checking that what it wrote together is seen together.
TEST_F(StoreTest, TransactionsOverSeveralShardsAreAtomic) {
  open();
  const std::vector<Bytes> names{"alpha", "beta", "gamma", "delta", "epsilon"};
  constexpr int kRounds = 300;
  const auto writer = [&](int number) {
    for (int round = 0; round < kRounds; ++round) {
      std::vector<std::pair<Bytes, Bytes>> pairs;
      for (const Bytes& name : names) pairs.emplace_back(name, fmt::format("{}-{}", number, round));
      put(pairs);
    }
  };
  std::thread first{writer, 1};
  std::thread second{writer, 2};
  ShardLocks locks{*store_};
  Transaction transaction{*store_, locks};
  for (const Bytes& name : names) locks.add(0, name);
  for (int round = 0; round < kRounds; ++round) {
    locks.lock();
    transaction.reset();
    const auto expected = *transaction.get(0);
    for (std::size_t i = 1; i < names.size(); ++i) EXPECT_EQ(*transaction.get(i), expected);
    locks.unlock();
  }
  first.join();
  second.join();
}

}  // namespace
}  // namespace shale::cluster
