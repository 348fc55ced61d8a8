// Splits, merges and moves of a store's shards: what they leave, and what those see who read and write
// meanwhile.
#include "cluster/reshaper.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "cluster/layout_change.h"
#include "cluster/transaction.h"
#include "engine/testing/simulated_disk.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/folder_of_test.h"
#include "tests/cluster/store_client.h"

namespace shale::cluster {
namespace {

class ReshaperTest : public testing::Test {
 protected:
  ReshaperTest() {
    options_.folder = "/data";
    set_folder_of_test(options_, {"key-5"});
    options_.shards = 2;
    options_.virtual_nodes = 4;
    options_.memtable_bytes = 2u << 20;
    options_.cache_bytes = 1u << 20;
    options_.log_segment_bytes = 256u << 10;
    options_.maintenance_interval = std::chrono::milliseconds{20};
    options_.sync_mode = engine::SyncMode::never;
    options_.value_separation_bytes = 2000;
    open();
  }
  ~ReshaperTest() override { close(); }

  void open() {
    background_ = engine::make_thread_background(1, 2);
    StoreRecovery recovery;
    auto store = Store::open(disk_, *background_, *clock_, options_, recovery);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }
  void close() {
    if (store_) store_->reshaper().stop();
    if (background_) background_->stop();
    store_.reset();
    background_.reset();
  }

  engine::Result<ReshapeEvent> split(ShardId shard, std::optional<Bytes> cut = {}) {
    return store_->reshaper().run({ReshapeKind::split, shard, {}, {}, std::move(cut), "a test"});
  }
  engine::Result<ReshapeEvent> merge(ShardId shard, ShardId other) {
    return store_->reshaper().run({ReshapeKind::merge, shard, other, {}, {}, "a test"});
  }
  engine::Result<ReshapeEvent> move(ShardId shard, EngineKind engine) {
    return store_->reshaper().run({ReshapeKind::move, shard, {}, engine, {}, "a test"});
  }

  engine::Result<ReshapeEvent> grow() {
    return store_->reshaper().run({ReshapeKind::grow, {}, {}, {}, {}, "a test"});
  }
  engine::Result<ReshapeEvent> shrink(ShardId shard) {
    return store_->reshaper().run({ReshapeKind::shrink, shard, {}, {}, {}, "a test"});
  }

  void put(const Bytes& key, const Bytes& value) {
    if (value.empty()) {
      model_.erase(key);
    } else {
      model_[key] = value;
    }
    StoreClient{*store_}.write({{key, value}});
  }
  // Keys in tables, in memtables, deleted ones, and large values in files of their own.
  void fill(std::mt19937_64& random) {
    for (int i = 0; i < 3000; ++i) {
      const Bytes key = fmt::format("key-{}", random() % 2000);
      const bool large = random() % 40 == 0;
      put(key, random() % 5 == 0
                   ? Bytes{}
                   : Bytes(large ? 5000 : 100 + random() % 400, static_cast<char>('a' + i % 26)));
      if (i % 1000 == 700) flush();
    }
  }
  void flush() {
    for (const auto& shard : store_->shards()) {
      const std::lock_guard lock{shard->mutex};
      if (shard->engine) shard->engine->flush();  // it may have gone meanwhile
    }
  }
  void expect_all() {
    StoreClient client{*store_};
    for (int i = 0; i < 2000; ++i) {
      const Bytes key = fmt::format("key-{}", i);
      const auto expected = model_.find(key);
      const auto found = client.read({key}).front();
      ASSERT_EQ(found.has_value(), expected != model_.end()) << key;
      if (found) {
        ASSERT_EQ(*found, expected->second) << key;
      }
    }
  }
  // Until all is on disk: what writes have guessed about the count has been looked up by then, or never will
  // be.
  void settle() {
    const auto is_settled = [](Shard& shard) {
      const std::lock_guard lock{shard.mutex};
      shard.engine->flush();
      return !shard.engine->oldest_unpersisted_lsn();
    };
    for (const auto& shard : store_->shards()) {
      while (!is_settled(*shard)) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  // Every shard has keys of its own and no others, and knows about how many: a write that cannot see what it
  // overwrites guesses (README, limits).
  void expect_shards_to_have_their_own() {
    settle();
    const auto layout = store_->layout();
    std::size_t all = 0;
    for (const auto& shard : layout->shards()) {
      const std::set<Bytes> keys = keys_of(*shard);
      for (const Bytes& position : keys) ASSERT_EQ(&layout->owner(position), shard.get());
      all += keys.size();
      const std::lock_guard lock{shard->mutex};
      EXPECT_NEAR(shard->engine->key_count(store_->database_id(0)), std::ssize(keys), 60);
    }
    EXPECT_EQ(all, model_.size());
  }
  // What has been emptied may be anywhere, and is not looked at.
  void expect_live_keys_where_they_belong() {
    const auto layout = store_->layout();
    std::size_t all = 0;
    for (const auto& shard : layout->shards()) {
      for (const Bytes& position : keys_of(*shard)) {
        if (!store_->is_live(store_->placement().database_of(position))) continue;
        ++all;
        ASSERT_EQ(&layout->owner(position), shard.get());
      }
    }
    EXPECT_EQ(all, model_.size());
  }
  static std::set<Bytes> keys_of(Shard& shard) {
    for (engine::ReadContext context;;) {
      std::set<Bytes> keys;
      {
        const std::lock_guard lock{shard.mutex};
        const auto cursor = shard.engine->cursor({}, context);
        auto moved = cursor->seek({});
        for (; moved && cursor->valid(); moved = cursor->next()) keys.emplace(cursor->key());
        if (moved) return keys;
        EXPECT_EQ(moved.error().kind, engine::ErrorKind::not_resident) << moved.error().message;
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  ShardId largest_shard() {
    const auto shards = store_->shards();
    const auto keys = [](const auto& shard) { return keys_of(*shard).size(); };
    return (*std::ranges::max_element(shards, {}, keys))->id;
  }
  std::vector<std::uint32_t> ids() {
    std::vector<std::uint32_t> found;
    for (const auto& shard : store_->shards()) found.push_back(static_cast<std::uint32_t>(shard->id));
    return found;
  }

  engine::SimulatedDisk disk_{1};
  StoreOptions options_;
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
  std::map<Bytes, Bytes> model_;
};

TEST_F(ReshaperTest, SplitsKeepEveryKeyAndCountOverARestart) {
  std::mt19937_64 random{engine::test_seed()};
  fill(random);
  for (int round = 0; round < 4; ++round) {
    const ShardId shard = largest_shard();
    settle();
    const std::int64_t count = store_->key_count(0);
    const auto made = split(shard);
    ASSERT_TRUE(made) << made.error().message;
    // Cut, the counts are divided; copied, they are counted anew.
    if (made->to == EngineKind::lsm) {
      EXPECT_EQ(store_->key_count(0), count);
    }
    EXPECT_EQ(static_cast<std::uint32_t>(made->other), 2u + static_cast<unsigned>(round));
    EXPECT_GT(made->keys_moved, 0);
    EXPECT_LT(made->keys_moved, made->keys);
    for (int i = 0; i < 300; ++i) put(fmt::format("key-{}", random() % 2000), Bytes(50, 'w'));
    ASSERT_NO_FATAL_FAILURE(expect_all());
  }
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  close();
  open();
  EXPECT_EQ(ids().size(), 6u);
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  const auto events = store_->history().events();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events.back().kind, ReshapeKind::split);
  EXPECT_EQ(events.back().other, ShardId{5});
}

TEST_F(ReshaperTest, MergesGiveBackWhatSplitsHaveMade) {
  std::mt19937_64 random{engine::test_seed()};
  fill(random);
  const auto before = store_->layout()->map().boundaries().size();
  for (int round = 0; round < 3; ++round) {
    const auto made = split(ShardId{0});
    ASSERT_TRUE(made) << made.error().message;
    for (int i = 0; i < 200; ++i) put(fmt::format("key-{}", random() % 2000), Bytes(70, 'x'));
    if (round == 1) flush();
    const auto merged = merge(made->other, ShardId{0});
    ASSERT_TRUE(merged) << merged.error().message;
    EXPECT_EQ(merged->shard, ShardId{0});
    EXPECT_LE(store_->layout()->map().boundaries().size(), before);
    ASSERT_NO_FATAL_FAILURE(expect_all());
    ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  }
  const auto all = merge(ShardId{0}, ShardId{1});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(ids(), (std::vector<std::uint32_t>{0}));
  ASSERT_NO_FATAL_FAILURE(expect_all());
  close();
  open();
  EXPECT_EQ(ids(), (std::vector<std::uint32_t>{0}));
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
}

TEST_F(ReshaperTest, MovesBetweenEnginesAndBack) {
  std::mt19937_64 random{engine::test_seed()};
  fill(random);
  const EngineKind first = engine_of_test();
  const EngineKind second = first == EngineKind::lsm ? EngineKind::btree : EngineKind::lsm;
  for (const EngineKind engine : {second, first, second}) {
    for (const ShardId shard : {ShardId{0}, ShardId{1}}) {
      const auto made = move(shard, engine);
      ASSERT_TRUE(made) << made.error().message;
      EXPECT_EQ(made->to, engine);
      for (int i = 0; i < 100; ++i)
        put(fmt::format("key-{}", random() % 2000), i % 3 == 0 ? Bytes{} : Bytes(60, 'y'));
    }
    ASSERT_NO_FATAL_FAILURE(expect_all());
    ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
    close();
    open();
    for (const auto& shard : store_->shards()) EXPECT_EQ(shard->kind, engine);
    ASSERT_NO_FATAL_FAILURE(expect_all());
  }
  EXPECT_FALSE(move(ShardId{0}, second));  // it is there already
}

// Of LSM trees a flush is, and of B+ trees a checkpoint, which is given up half-way: the new trees write
// again what it has not.
TEST_F(ReshaperTest, SplitsAndMergesWhileTheDiskIsWrittenTo) {
  std::mt19937_64 random{engine::test_seed()};
  fill(random);
  ReshapeEvent last;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 400; ++i) {
      const Bytes key = fmt::format("key-{}", random() % 2000);
      put(key, i % 7 == 0 ? Bytes{} : Bytes(random() % 700, static_cast<char>('a' + round)));
    }
    flush();
    const auto made = round % 2 == 0 ? split(largest_shard()) : merge(last.shard, last.other);
    ASSERT_TRUE(made) << made.error().message;
    last = *made;
    if (round % 3 == 2) {
      close();
      open();
    }
    ASSERT_NO_FATAL_FAILURE(expect_all());
  }
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
}

// Copied, both of them, to a tree of the lower id's engine. Their ranges lie between each other's on the
// ring.
TEST_F(ReshaperTest, MergesShardsOfDifferentEngines) {
  std::mt19937_64 random{engine::test_seed()};
  fill(random);
  const EngineKind first = engine_of_test();
  const EngineKind second = first == EngineKind::lsm ? EngineKind::btree : EngineKind::lsm;
  ASSERT_TRUE(move(ShardId{1}, second));
  const std::size_t keys_of_other = keys_of(*store_->layout()->find(ShardId{1})).size();
  const auto merged = merge(ShardId{1}, ShardId{0});
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->to, first);
  EXPECT_EQ(merged->from, second);
  EXPECT_EQ(ids(), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(store_->layout()->find(ShardId{0})->kind, first);
  EXPECT_NEAR(static_cast<double>(merged->keys_moved), static_cast<double>(keys_of_other), 60);
  for (int i = 0; i < 300; ++i) put(fmt::format("key-{}", random() % 2000), Bytes(50, 'w'));
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  close();
  open();
  EXPECT_EQ(ids(), (std::vector<std::uint32_t>{0}));
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
}

// With shards of both engines; and the new one's keys are those that move.
TEST_F(ReshaperTest, ARingGrowsAndShrinks) {
  if (sharding_of_test() == Sharding::range) GTEST_SKIP() << "there is no ring";
  std::mt19937_64 random{engine::test_seed()};
  fill(random);
  const EngineKind first = engine_of_test();
  ASSERT_TRUE(move(ShardId{1}, first == EngineKind::lsm ? EngineKind::btree : EngineKind::lsm));
  settle();
  const auto keys = std::ssize(model_);
  for (std::uint32_t added = 2; added <= 3; ++added) {
    const auto plan = store_->reshaper().plan_ring_growth();
    ASSERT_TRUE(plan) << plan.error().message;
    const ShardMap before = store_->layout()->map();
    const auto made = grow();
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->shard, ShardId{added});
    EXPECT_EQ(made->to, first);
    const double share = 1.0 / (added + 1);
    EXPECT_NEAR(plan->share, share, share / 50);
    EXPECT_NEAR(static_cast<double>(made->keys_moved), static_cast<double>(keys) * share, 0.1 * keys);
    EXPECT_NEAR(static_cast<double>(plan->moved.keys), static_cast<double>(made->keys_moved), 0.1 * keys);
    const auto layout = store_->layout();
    for (const auto& shard : layout->shards()) {
      for (const Bytes& position : keys_of(*shard))
        ASSERT_EQ(shard->id, shard->id == made->shard ? made->shard : before.owner(position));
    }
    for (int i = 0; i < 300; ++i) put(fmt::format("key-{}", i), Bytes(50, 'w'));
    ASSERT_NO_FATAL_FAILURE(expect_all());
    ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  }
  close();
  open();
  EXPECT_EQ(ids(), (std::vector<std::uint32_t>{0, 1, 2, 3}));
  ASSERT_NO_FATAL_FAILURE(expect_all());
  for (const std::uint32_t removed : {1u, 3u, 0u}) {
    const auto plan = store_->reshaper().plan_ring_shrinkage(ShardId{removed});
    ASSERT_TRUE(plan) << plan.error().message;
    const auto made = shrink(ShardId{removed});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_NEAR(static_cast<double>(plan->moved.keys), static_cast<double>(made->keys_moved), 0.1 * keys);
    ASSERT_NO_FATAL_FAILURE(expect_all());
    ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  }
  EXPECT_FALSE(shrink(ShardId{2})) << "the last one";
  EXPECT_FALSE(shrink(ShardId{1})) << "it is gone";
  close();
  open();
  EXPECT_EQ(ids(), (std::vector<std::uint32_t>{2}));
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_shards_to_have_their_own());
  const auto growing = store_->reshaper().begin({ReshapeKind::grow, {}, {}, {}, {}, "a test"});
  ASSERT_TRUE(growing);
  const auto meanwhile = split(ShardId{2});
  ASSERT_FALSE(meanwhile);
  EXPECT_EQ(meanwhile.error().kind, engine::ErrorKind::busy);
  while (!growing->result()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
  ASSERT_TRUE(*growing->result());
  EXPECT_EQ((*growing->result())->shard, ShardId{4}) << "an id is never given twice";
  EXPECT_EQ(store_->history().events().back().kind, ReshapeKind::grow);
}

TEST_F(ReshaperTest, RefusesWhatCannotBe) {
  if (sharding_of_test() == Sharding::range) {
    EXPECT_FALSE(grow());
    EXPECT_FALSE(shrink(ShardId{1}));
    EXPECT_FALSE(store_->reshaper().plan_ring_growth());
  }
  EXPECT_FALSE(split(ShardId{7}));
  EXPECT_FALSE(split(ShardId{0}));  // no data: nowhere to cut
  EXPECT_FALSE(merge(ShardId{0}, ShardId{0}));
  EXPECT_FALSE(merge(ShardId{0}, ShardId{9}));
  EXPECT_FALSE(split(ShardId{0}, Bytes{}));
  const auto ranges = ranges_of(store_->layout()->map(), ShardId{0});
  EXPECT_FALSE(split(ShardId{0}, ranges.front().begin));
  EXPECT_FALSE(split(ShardId{0}, ranges.back().end));
  Bytes inside = ranges.back().begin;  // on the ring
  if (sharding_of_test() == Sharding::range)
    store_->placement().append(store_->database_id(0), "key-3", inside);
  EXPECT_TRUE(split(ShardId{0}, inside + '\1'));
  EXPECT_EQ(store_->history().events().size(), 1u);
}

// Pairs of keys in different places are always written together. Whoever reads both must never see one
// without the other, nor anything older than what it has seen.
TEST_F(ReshaperTest, PairsStayWholeWhileShardsChange) {
  constexpr int kPairs = 200;
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const auto key = [](int pair, char side) { return fmt::format("{}-{}", side, pair); };
  std::atomic<bool> stop = false;
  std::array<std::atomic<int>, kPairs> written{};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    std::mt19937_64 random{seed};
    StoreClient client{*store_};
    for (int number = 1; !stop; ++number) {
      const int pair = static_cast<int>(random() % kPairs);
      const Bytes value = fmt::format("{:0>100}", number);
      client.write({{key(pair, 'a'), value}, {key(pair, 'z'), value}});
      written[static_cast<std::size_t>(pair)] = number;
    }
  });
  threads.emplace_back([&] {
    std::mt19937_64 random{seed + 1};
    StoreClient client{*store_};
    while (!stop) {
      const int pair = static_cast<int>(random() % kPairs);
      const int at_least = written[static_cast<std::size_t>(pair)];
      const auto values = client.read({key(pair, 'a'), key(pair, 'z')});
      ASSERT_EQ(values[0], values[1]) << "pair " << pair;
      ASSERT_GE(values[0] ? std::stoi(*values[0]) : 0, at_least) << "pair " << pair;
    }
  });
  std::mt19937_64 random{seed + 2};
  int changes = 0;
  for (int turn = 0; turn < 30; ++turn) {
    const auto shards = store_->shards();
    const auto any = [&] { return shards[random() % shards.size()]; };
    const auto shard = any();
    engine::Result<ReshapeEvent> made = engine::Error{engine::ErrorKind::busy, {}};
    switch (shards.size() > 6 ? 1 : turn % 5) {
      case 0: made = split(shard->id); break;
      case 1: made = merge(shard->id, any()->id); break;
      case 2: made = grow(); break;
      case 3: made = shrink(shard->id); break;
      default: made = move(shard->id, turn % 2 == 0 ? EngineKind::btree : EngineKind::lsm); break;
    }
    changes += made.has_value();
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_GE(changes, 6);
  StoreClient client{*store_};
  for (int pair = 0; pair < kPairs; ++pair) {
    const auto values = client.read({key(pair, 'a'), key(pair, 'z')});
    EXPECT_EQ(values[0], values[1]);
    EXPECT_EQ(values[0] ? std::stoi(*values[0]) : 0, written[static_cast<std::size_t>(pair)]);
  }
}

// A flush may come between any two steps of a change: the shards must have what is theirs afterwards, and in
// a catalog that is read again.
TEST_F(ReshaperTest, FlushesMeetChanges) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::mt19937_64 random{seed};
  std::atomic<bool> stop = false;
  std::thread changer{[&, choose = std::mt19937_64{seed + 1}]() mutable {
    while (!stop) {
      const auto shards = store_->shards();
      const auto any = [&] { return shards[choose() % shards.size()]->id; };
      switch (shards.size() > 5 ? 1 : choose() % 5) {
        case 0: static_cast<void>(split(any()).has_value()); break;
        case 1: static_cast<void>(merge(any(), any()).has_value()); break;
        case 2: static_cast<void>(grow().has_value()); break;
        case 3: static_cast<void>(shrink(any()).has_value()); break;
        default:
          static_cast<void>(move(any(), choose() % 4 == 0 ? EngineKind::btree : EngineKind::lsm).has_value());
      }
    }
  }};
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 300; ++i) put(fmt::format("key-{}", random() % 2000), Bytes(100, 'f'));
    if (round % 2 == 0) flush();
    ASSERT_NO_FATAL_FAILURE(expect_all());
    if (round == 11) break;
    ASSERT_TRUE(store_->flush_database(0));
    model_.clear();
  }
  stop = true;
  changer.join();
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_live_keys_where_they_belong());
  close();
  open();
  ASSERT_NO_FATAL_FAILURE(expect_all());
  ASSERT_NO_FATAL_FAILURE(expect_live_keys_where_they_belong());
}

}  // namespace
}  // namespace shale::cluster
