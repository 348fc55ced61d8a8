#include "src/range_read.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "cluster/catalog.h"
#include "cluster/position.h"
#include "tests/server/temporary_store.h"

namespace shale::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Pairs = std::vector<std::pair<Bytes, Bytes>>;

constexpr std::int64_t kNow = 1'700'000'000'000;

class RangeReadTest : public TemporaryStoreTest {
 protected:
  // nullopt: deletes.
  void write(unsigned database, const Bytes& key, const std::optional<Bytes>& payload,
             std::int64_t expires_at_ms = kNoExpiry) {
    cluster::ShardLocks locks(store());
    cluster::Transaction transaction(store(), locks);
    locks.add(database, key);
    Bytes value;
    append_value_header(ValueType::string, expires_at_ms, value);
    value += payload.value_or("");
    locks.lock();
    if (payload) {
      transaction.put(0, value);
    } else {
      transaction.erase(0);
    }
    for (auto committed = transaction.commit(); !committed; committed = transaction.commit()) {
      ASSERT_EQ(committed.error().kind, engine::ErrorKind::busy) << committed.error().message;
      locks.unlock();
      std::this_thread::yield();
      locks.lock();
    }
  }

  static RangeQuery query(Bytes begin, std::optional<Bytes> end, bool reverse = false) {
    return {.keys = {cluster::token_of("{t}"), std::move(begin), std::move(end), reverse},
            .tag = "t",
            .bytes_max = std::size_t{64} << 20};
  }
  // As a command does it and the background for it.
  std::unique_ptr<RangeRead> finish(RangeQuery wanted, unsigned database = 0) {
    auto read = std::make_unique<RangeRead>(store(), database, kNow, std::move(wanted));
    read->begin(2);
    while (!read->done()) read->run();
    EXPECT_TRUE(read->status()) << read->status().error().message;
    return read;
  }
  Pairs read(RangeQuery wanted, unsigned database = 0) {
    const auto finished = finish(std::move(wanted), database);
    Pairs pairs;
    for (std::size_t i = 0; i < finished->pair_count(); ++i) {
      pairs.emplace_back(finished->pair(i).key, finished->pair(i).value);
    }
    return pairs;
  }
  std::vector<Bytes> keys(RangeQuery wanted, unsigned database = 0) {
    wanted.keys_only = true;
    std::vector<Bytes> keys;
    for (auto& [key, value] : read(std::move(wanted), database)) {
      EXPECT_EQ(value, "");
      keys.push_back(key);
    }
    return keys;
  }

  // From the next open() on, shards take turns at these keys of the tag. The store must be empty.
  void divide_tag(const std::vector<Bytes>& at) {
    open();
    close();
    const std::string path = options_.folder + "/catalog";
    std::ifstream in{path, std::ios::binary};
    const Bytes encoded{std::istreambuf_iterator<char>{in}, {}};
    auto catalog = cluster::CatalogState::decode(encoded, path);
    ASSERT_TRUE(catalog) << catalog.error().message;
    catalog->boundaries = {{"", cluster::ShardId{0}}};
    const cluster::Placement store_placement{catalog->sharding};
    for (std::size_t i = 0; i < at.size(); ++i) {
      Bytes begin;
      store_placement.append(cluster::token_of("{t}"), catalog->databases[0], at[i], begin);
      catalog->boundaries.push_back({begin, cluster::ShardId{static_cast<std::uint32_t>((i + 1) % 3)}});
    }
    std::erase_if(catalog->shards, [&](const cluster::ShardRecord& shard) {
      return std::ranges::find(catalog->boundaries, shard.id, &cluster::Boundary::shard) ==
             catalog->boundaries.end();
    });
    std::ofstream{path, std::ios::binary} << catalog->encode();
    open();
    ASSERT_EQ(store().layout()->map().boundaries().size(), at.size() + 1);
  }
};

TEST_F(RangeReadTest, ReadsWhatLiesBetweenItsBoundsInBothDirections) {
  open();
  for (const char* key : {"{t}a", "{t}b", "{t}c"}) write(0, key, Bytes("value of ") + key);
  EXPECT_THAT(read(query("", {})),
              ElementsAre(std::pair("{t}a", "value of {t}a"), std::pair("{t}b", "value of {t}b"),
                          std::pair("{t}c", "value of {t}c")));
  EXPECT_THAT(keys(query("", {}, true)), ElementsAre("{t}c", "{t}b", "{t}a"));
  EXPECT_THAT(keys(query("{t}b", {})), ElementsAre("{t}b", "{t}c"));
  EXPECT_THAT(keys(query("{t}aa", "{t}c")), ElementsAre("{t}b"));
  EXPECT_THAT(keys(query("", "{t}c", true)), ElementsAre("{t}b", "{t}a"));
  EXPECT_THAT(keys(query("{t}b", "{t}b")), IsEmpty());
  EXPECT_THAT(keys(query("{t}c", "{t}a", true)), IsEmpty());
}

TEST_F(RangeReadTest, AKeyBelongsToItsTagWhereverThatStands) {
  open();
  for (const char* key : {"t", "user:{t}:a", "{t}", "{t}{u}", "~{t}", "{u}{t}", "tt", "{t", "{}{t}"}) {
    write(0, key, "");
  }
  EXPECT_THAT(keys(query("", {})), ElementsAre("t", "user:{t}:a", "{t}", "{t}{u}", "~{t}"));
}

// Tokens of two tags may be the same, if hardly ever.
TEST_F(RangeReadTest, KeysOfAnotherTagAreNoneOfIts) {
  open();
  write(0, "{t}a", "");
  RangeQuery other = query("", {});
  other.tag = "u";
  EXPECT_THAT(keys(other), IsEmpty());
}

TEST_F(RangeReadTest, SeesItsDatabaseOnlyAndNothingExpiredOrDeleted) {
  open();
  write(0, "{t}lives", "", kNow + 1);
  write(0, "{t}expired", "", kNow);
  write(0, "{t}deleted", "");
  write(0, "{t}deleted", std::nullopt);
  write(1, "{t}elsewhere", "");
  for (const bool reverse : {false, true}) {
    EXPECT_THAT(keys(query("", {}, reverse)), ElementsAre("{t}lives"));
    EXPECT_THAT(keys(query("", {}, reverse), 1), ElementsAre("{t}elsewhere"));
    EXPECT_THAT(keys(query("", {}, reverse), 2), IsEmpty());
  }
}

TEST_F(RangeReadTest, EndsAtItsLimits) {
  open();
  for (int i = 0; i < 2000; ++i) write(0, fmt::format("{{t}}{:04}", i), Bytes(100, 'v'));
  RangeQuery some = query("{t}0500", {});
  some.pairs_max = 700;
  EXPECT_EQ(read(some).size(), 700u);
  EXPECT_EQ(read(some).back().first, "{t}1199");
  some.pairs_max = 0;
  EXPECT_EQ(read(some).size(), 0u);

  RangeQuery large = query("", {});
  large.bytes_max = 2000 * (107 + RangeRead::kPairBytes);
  EXPECT_EQ(finish(large)->excess(), RangeRead::Excess::nothing);
  --large.bytes_max;
  EXPECT_EQ(finish(large)->excess(), RangeRead::Excess::bytes);
  large.pairs_max = 1999;
  EXPECT_EQ(finish(large)->excess(), RangeRead::Excess::nothing);
  large.bytes_max = 1;
  large.pairs_max = 1;
  EXPECT_EQ(finish(large)->pair_count(), 1u);
}

// Random keys and bounds, over shards that divide the tag, compared with a map.
TEST_F(RangeReadTest, CrossesTheBoundariesOfShards) {
  divide_tag({"{t}1", "{t}2", "{t}25", "{t}3\xff", "{t}5"});
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random{seed};
  const auto random_key = [&] {
    switch (random() % 8) {
      case 0: return Bytes(store().layout()->map().boundaries()[1 + random() % 5].begin.substr(12));
      default: return fmt::format("{{t}}{}", random() % 7000);
    }
  };
  std::map<Bytes, Bytes> model;
  for (int i = 0; i < 3000; ++i) {
    const Bytes key = random_key();
    model[key] = fmt::format("{}", i);
    write(0, key, model[key]);
  }
  for (int round = 0; round < 300; ++round) {
    RangeQuery wanted = query(round % 7 == 0 ? Bytes() : random_key(), {}, round % 2 == 0);
    if (round % 5 != 0) wanted.keys.end = random_key();
    if (round % 3 == 0) wanted.pairs_max = random() % 1000;
    Pairs expected;
    if (!wanted.keys.end || wanted.keys.begin < *wanted.keys.end) {
      expected.assign(model.lower_bound(wanted.keys.begin),
                      wanted.keys.end ? model.lower_bound(*wanted.keys.end) : model.end());
    }
    if (wanted.keys.reverse) std::ranges::reverse(expected);
    if (expected.size() > wanted.pairs_max) expected.resize(wanted.pairs_max);
    ASSERT_EQ(read(wanted), expected) << "round " << round;
  }
}

TEST_F(RangeReadTest, ReadsBackFromTables) {
  options_.memtable_bytes = 1u << 20;
  open();
  Pairs written;
  for (int i = 0; i < 4000; ++i) {
    written.emplace_back(fmt::format("{{t}}{:04}", i),
                         Bytes(i % 100 == 0 ? 9000 : 900, static_cast<char>(i)));
    write(0, written.back().first, written.back().second);
  }
  close();
  open();
  EXPECT_EQ(read(query("", {})), written);
  close();
  open();
  std::ranges::reverse(written);
  EXPECT_EQ(read(query("", {}, true)), written);
}

TEST_F(RangeReadTest, MissesNothingAndRepeatsNothingWhileOthersWrite) {
  open();
  for (int i = 0; i < 2000; ++i) write(0, fmt::format("{{t}}{:04}stays", i), "");
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int round = 0; !stop; ++round) {
      const Bytes key = fmt::format("{{t}}{:04}goes", round % 2000);
      write(0, key, "");
      if (round % 3 != 0) write(0, key, std::nullopt);
    }
  });
  for (int round = 0; round < 20; ++round) {
    auto seen = keys(query("", {}, round % 2 == 0));
    if (round % 2 == 0) std::ranges::reverse(seen);
    EXPECT_TRUE(std::ranges::is_sorted(seen, std::ranges::less_equal{}));
    EXPECT_EQ(std::ranges::count_if(seen, [](const Bytes& key) { return key.ends_with("stays"); }), 2000);
  }
  stop = true;
}

TEST_F(RangeReadTest, OfAFlushedDatabaseOnlyWhatCameAfterIsRead) {
  open();
  write(0, "{t}before", "");
  ASSERT_TRUE(store().flush_database(0));
  write(0, "{t}after", "");
  EXPECT_THAT(keys(query("", {})), ElementsAre("{t}after"));
}

}  // namespace
}  // namespace shale::server
