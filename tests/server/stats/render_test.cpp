#include "src/stats/render.h"

#include <gtest/gtest.h>

#include <limits>

namespace shale::server {
namespace {

Figures sample() {
  Figures row;
  row.add("id", 0).add("name", "first").add("disk_bytes", Figure(2048, Unit::bytes));
  Figures second;
  second.add("id", 11).add("name", "second").add("disk_bytes", Figure(0, Unit::bytes));
  Figures section;
  section.add("keys", 3)
      .add("longest_wait_us", Figure(1500, Unit::microseconds))
      .add("hit_percent", percentage(1, 3))
      .add("amplification", ratio(1, 0))
      .add("shards", Figure::Rows{row, second});
  return section;
}

std::string reply_of(const Figures& figures, protocol::Version version) {
  std::string bytes;
  protocol::ReplyWriter reply(bytes, version);
  write_reply(figures, reply);
  return bytes;
}

TEST(RenderReply, IsMapsInResp3) {
  EXPECT_EQ(reply_of(sample(), protocol::Version::resp3),
            "%5\r\n$4\r\nkeys\r\n:3\r\n$15\r\nlongest_wait_us\r\n:1500\r\n$11\r\nhit_percent\r\n,33.333\r\n"
            "$13\r\namplification\r\n_\r\n$6\r\nshards\r\n*2\r\n"
            "%3\r\n$2\r\nid\r\n:0\r\n$4\r\nname\r\n$5\r\nfirst\r\n$10\r\ndisk_bytes\r\n:2048\r\n"
            "%3\r\n$2\r\nid\r\n:11\r\n$4\r\nname\r\n$6\r\nsecond\r\n$10\r\ndisk_bytes\r\n:0\r\n");
}

TEST(RenderReply, IsPairsInResp2) {
  Figures inner;
  inner.add("a", 1);
  Figures figures;
  figures.add("inner", inner).add("ratio", 0.5).add("unknown", NotKnown{});
  EXPECT_EQ(
      reply_of(figures, protocol::Version::resp2),
      "*6\r\n$5\r\ninner\r\n*2\r\n$1\r\na\r\n:1\r\n$5\r\nratio\r\n$3\r\n0.5\r\n$7\r\nunknown\r\n$-1\r\n");
}

TEST(RenderJson, HasTheSameNamesAndValues) {
  EXPECT_EQ(
      to_json(sample()),
      R"({"keys":3,"longest_wait_us":1500,"hit_percent":33.333,"amplification":null,)"
      R"("shards":[{"id":0,"name":"first","disk_bytes":2048},{"id":11,"name":"second","disk_bytes":0}]})");
  EXPECT_EQ(to_json(Figures{}), "{}");
}

std::string json_of(Figure figure) {
  Figures figures;
  figures.add("x", std::move(figure));
  return to_json(figures);
}

TEST(RenderJson, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(json_of("a\"b\\c\n\x1f\x7f"), "{\"x\":\"a\\\"b\\\\c\\u000a\\u001f\x7f\"}");
  EXPECT_EQ(json_of(std::string(1, '\0')), R"({"x":"\u0000"})");
  EXPECT_EQ(json_of("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
            "{\"x\":\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"}");
}

TEST(RenderJson, ReplacesWhatIsNotUtf8ByteByByte) {
  EXPECT_EQ(json_of("a\xff"), R"({"x":"a\ufffd"})");
  EXPECT_EQ(json_of("\xc3"), R"({"x":"\ufffd"})");                                // cut short
  EXPECT_EQ(json_of("\xc0\x80"), R"({"x":"\ufffd\ufffd"})");                      // longer than needed
  EXPECT_EQ(json_of("\xed\xa0\x80"), R"({"x":"\ufffd\ufffd\ufffd"})");            // a surrogate
  EXPECT_EQ(json_of("\xf4\x90\x80\x80"), R"({"x":"\ufffd\ufffd\ufffd\ufffd"})");  // beyond U+10FFFF
}

TEST(RenderJson, NumbersAreNumbers) {
  EXPECT_EQ(json_of(-7), R"({"x":-7})");
  EXPECT_EQ(json_of(std::numeric_limits<std::int64_t>::max()), R"({"x":9223372036854775807})");
  EXPECT_EQ(json_of(0.1), R"({"x":0.1})");
  EXPECT_EQ(json_of(1.0 / 0.0), R"({"x":null})");
}

TEST(RenderScreen, AlignsFiguresAndTables) {
  Figures sections;
  sections.add("server", sample());
  Figures lsm;
  lsm.add("shape", "neither leveled nor tiered").add("tables", 3);
  sections.add("lsm", lsm);
  EXPECT_EQ(to_screen(sections),
            "Server\n"
            "  keys  3      longest wait   1.5 ms\n"
            "  hit   33.3%  amplification  -\n"
            "  id  name     disk\n"
            "   0  first   2.00K\n"
            "  11  second     0B\n"
            "\n"
            "LSM\n"
            "  tables  3\n"
            "  shape  neither leveled nor tiered\n");
}

TEST(QuoteBytes, ShowsThemAsRedisCliDoes) {
  EXPECT_EQ(quote_bytes("user:1", 64), R"("user:1")");
  EXPECT_EQ(quote_bytes(std::string_view("\"\\\n\r\t\a\b\0\xff", 9), 64), R"("\"\\\n\r\t\a\b\x00\xff")");
  EXPECT_EQ(quote_bytes("abcdef", 3), R"("abc"...)");
}

}  // namespace
}  // namespace shale::server
