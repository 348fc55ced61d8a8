#include "src/hyperloglog/hyperloglog.h"

#include <gtest/gtest.h>

#include <random>

#include "src/rdb/crc64.h"

namespace shale::hyperloglog {
namespace {

Bytes with_numbers(int count) {
  Bytes value = make_empty();
  for (int number = 0; number < count; ++number)
    EXPECT_NE(add(value, std::to_string(number)), Change::corrupt);
  drop_estimate(value);  // as PFADD does
  return value;
}

// As redis-server 7.0.15 gives it after PFADD a b c d e f.
TEST(HyperLogLog, HasRedissBytes) {
  Bytes value = make_empty();
  for (const char* element : {"a", "b", "c", "d", "e", "f"}) EXPECT_EQ(add(value, element), Change::made);
  drop_estimate(value);
  EXPECT_EQ(value, Bytes("HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80"
                         "\x46\x6d\x80\x56\x0c\x80\x44\x76\x80\x50\xb1\x84\x49\x8c\x80\x42\x6d\x80\x42\x5a",
                         36));
  EXPECT_EQ(describe_runs(value),
            "Z:1646 v:1,1 Z:5645 v:1,1 Z:1143 v:1,1 Z:4274 v:2,1 Z:2445 v:1,1 Z:622 v:1,1 Z:603");
}

// Sparse with joined runs, and dense: checksums of redis-server's bytes, read before it was asked for an
// estimate.
TEST(HyperLogLog, HasRedissBytesHoweverManyElements) {
  const auto asked = [](int count) {
    Bytes value = with_numbers(count);
    Registers registers{};
    EXPECT_TRUE(merge(registers, value));
    keep_estimate(value, estimate(registers));
    return value;
  };
  EXPECT_EQ(rdb::crc64(0, with_numbers(1000)), 0x25b619d5b4b31101u);
  EXPECT_EQ(encoding(with_numbers(1000)), Encoding::sparse);
  EXPECT_EQ(kept_estimate(asked(1000)), 1001u);
  EXPECT_EQ(rdb::crc64(0, with_numbers(10'000)), 0xa7a4a620352e9f00u);
  EXPECT_EQ(encoding(with_numbers(10'000)), Encoding::dense);
  EXPECT_EQ(kept_estimate(asked(10'000)), 9987u);
}

TEST(HyperLogLog, AnEstimateIsKeptUntilAnElementIsNew) {
  Bytes value = with_numbers(10);
  EXPECT_EQ(kept_estimate(value), std::nullopt);
  keep_estimate(value, 10);
  EXPECT_EQ(kept_estimate(value), 10u);
  EXPECT_EQ(add(value, "3"), Change::none);
  EXPECT_EQ(kept_estimate(value), 10u);
  EXPECT_EQ(add(value, "another"), Change::made);
  EXPECT_EQ(kept_estimate(value), std::nullopt);
}

TEST(HyperLogLog, SparseAndDenseHaveTheSameRegisters) {
  Bytes sparse = with_numbers(500);
  Bytes dense = sparse;
  ASSERT_TRUE(make_dense(dense));
  ASSERT_TRUE(is_valid(dense));
  for (int number = 500; number < 1500; ++number) {
    EXPECT_EQ(add(sparse, std::to_string(number)), add(dense, std::to_string(number)));
  }
  Registers of_sparse{};
  Registers of_dense{};
  ASSERT_TRUE(merge(of_sparse, sparse));
  ASSERT_TRUE(merge(of_dense, dense));
  EXPECT_EQ(of_sparse, of_dense);
}

TEST(HyperLogLog, ARegisterAboveWhatARunCanSayMakesItDense) {
  Bytes value = make_empty();
  EXPECT_EQ(raise(value, 5, 32), Change::made);
  EXPECT_EQ(encoding(value), Encoding::sparse);
  EXPECT_EQ(raise(value, 5, 33), Change::made);
  EXPECT_EQ(encoding(value), Encoding::dense);
  EXPECT_EQ(raise(value, kRegisterCount - 1, 51), Change::made);
  Registers registers{};
  ASSERT_TRUE(merge(registers, value));
  EXPECT_EQ(registers[5], 33);
  EXPECT_EQ(registers[kRegisterCount - 1], 51);
}

// Strings that begin as one are what clients make of them.
TEST(HyperLogLog, DamageIsNoticedOrHarmless) {
  std::mt19937_64 random(1);
  const Bytes whole = with_numbers(200);
  for (int round = 0; round < 3000; ++round) {
    Bytes damaged = whole.substr(0, 16 + random() % (whole.size() - 15));
    for (std::size_t left = random() % 4; left > 0 && damaged.size() > 16; --left)
      damaged[16 + random() % (damaged.size() - 16)] = static_cast<char>(random());
    if (!is_valid(damaged)) continue;
    Registers registers{};
    const bool sound = merge(registers, damaged);
    Bytes dense = damaged;
    EXPECT_EQ(make_dense(dense), sound);
    Bytes more = damaged;
    for (int number = 0; number < 20; ++number) static_cast<void>(add(more, std::to_string(random())));
    static_cast<void>(describe_runs(damaged));
  }
}

TEST(HyperLogLog, WhatIsNoneIsRefused) {
  EXPECT_FALSE(is_valid(""));
  EXPECT_FALSE(is_valid("HYLL"));
  Bytes value = make_empty();
  EXPECT_TRUE(is_valid(value));
  value[4] = 2;
  EXPECT_FALSE(is_valid(value));
  value[4] = 0;  // dense, but too short
  EXPECT_FALSE(is_valid(value));
}

}  // namespace
}  // namespace shale::hyperloglog
