#include <gtest/gtest.h>

#include "src/info/fields.h"

namespace shale::server {
namespace {

TEST(Info, AbbreviatesBytesAsRedisDoes) {
  EXPECT_EQ(abbreviate_bytes(0), "0B");
  EXPECT_EQ(abbreviate_bytes(1023), "1023B");
  EXPECT_EQ(abbreviate_bytes(1024), "1.00K");
  EXPECT_EQ(abbreviate_bytes(2423488), "2.31M");
  EXPECT_EQ(abbreviate_bytes(25276510208), "23.54G");
}

}  // namespace
}  // namespace shale::server
