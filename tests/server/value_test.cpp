#include "src/value.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

Bytes encode(std::int64_t expires_at_ms, BytesView payload) {
  Bytes stored;
  append_value_header(ValueType::string, expires_at_ms, stored);
  stored.append(payload);
  return stored;
}

// Stored by every version from the first: these bytes must not change.
TEST(Value, IsStoredAsTheseBytes) {
  EXPECT_EQ(encode(kNoExpiry, "abc"), Bytes("\x00"
                                            "abc",
                                            4));
  EXPECT_EQ(encode(0x0102030405060708, "x"), Bytes("\x10\x08\x07\x06\x05\x04\x03\x02\x01x", 10));
}

TEST(Value, IsReadAsItWasWritten) {
  const Value plain = decode_value(encode(kNoExpiry, ""));
  EXPECT_EQ(plain.type, ValueType::string);
  EXPECT_EQ(plain.expires_at_ms, kNoExpiry);
  EXPECT_EQ(plain.payload, "");
  const Bytes stored = encode(1'700'000'000'123, "payload");
  const Value expiring = decode_value(stored);
  EXPECT_EQ(expiring.expires_at_ms, 1'700'000'000'123);
  EXPECT_EQ(expiring.payload, "payload");
}

TEST(Value, ExpiresAtItsMillisecond) {
  const Bytes stored = encode(1000, "x");
  EXPECT_FALSE(value_expired(stored, 999));
  EXPECT_TRUE(value_expired(stored, 1000));
  EXPECT_FALSE(value_expired(encode(kNoExpiry, "x"), 1'000'000));
  EXPECT_FALSE(value_expired("", 1'000'000));
}

}  // namespace
}  // namespace shale::server
