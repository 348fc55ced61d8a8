#include "engine/lsm/key_bounds.h"

#include <gtest/gtest.h>

#include "engine/bytes.h"

namespace shale::engine::lsm {
namespace {

TEST(KeyBounds, AShortKeyIsItsOwn) {
  const Bytes key(kBoundBytesMax, '\xff');
  EXPECT_EQ(lower_bound_of(key), key);
  EXPECT_EQ(upper_bound_of(key), key);
  EXPECT_EQ(upper_bound_of(""), "");
}

TEST(KeyBounds, OfALongKeyAreShortAndOnBothSidesOfIt) {
  Bytes key(10 * kBoundBytesMax, 'k');
  EXPECT_EQ(lower_bound_of(key), Bytes(kBoundBytesMax, 'k'));
  EXPECT_EQ(upper_bound_of(key), Bytes(kBoundBytesMax - 1, 'k') + "l");
  key.replace(1, kBoundBytesMax, kBoundBytesMax, '\xff');
  EXPECT_EQ(upper_bound_of(key), "l");
  key[0] = '\xff';
  EXPECT_EQ(upper_bound_of(key), key) << "nothing short is above it";
}

TEST(KeyBounds, WhatPartsTwoKeysIsAsShortAsCanBe) {
  EXPECT_EQ(shortest_between("abc", "abd"), "abd");
  EXPECT_EQ(shortest_between("abc", "b and more"), "b");
  EXPECT_EQ(shortest_between("ab", "abc and more"), "abc");
  EXPECT_EQ(shortest_between("", "key"), "k");
}

}  // namespace
}  // namespace shale::engine::lsm
