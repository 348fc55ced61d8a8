#include "protocol/reply_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace shale::protocol {
namespace {

template <class Write>
std::string written(Version version, const Write& write) {
  std::string output = "earlier reply|";
  ReplyWriter writer(output, version);
  write(writer);
  EXPECT_TRUE(output.starts_with("earlier reply|"));
  return output.substr(output.find('|') + 1);
}

struct Example {
  const char* name;
  std::function<void(ReplyWriter&)> write;
  std::string resp2;
  std::string resp3;
};

std::vector<Example> examples() {
  return {
      {"ok", [](auto& w) { w.ok(); }, "+OK\r\n", "+OK\r\n"},
      {"simple string", [](auto& w) { w.simple_string("PONG"); }, "+PONG\r\n", "+PONG\r\n"},
      {"simple string with line end", [](auto& w) { w.simple_string("a\r\nb"); }, "+a  b\r\n", "+a  b\r\n"},
      {"error", [](auto& w) { w.error("ERR", "syntax error"); }, "-ERR syntax error\r\n",
       "-ERR syntax error\r\n"},
      {"error with line ends", [](auto& w) { w.error("ERR", "\r\nno '\n' here\n"); }, "-ERR no ' ' here\r\n",
       "-ERR no ' ' here\r\n"},
      {"error without text", [](auto& w) { w.error("NOAUTH", "\r\n"); }, "-NOAUTH\r\n", "-NOAUTH\r\n"},
      {"integer", [](auto& w) { w.integer(-42); }, ":-42\r\n", ":-42\r\n"},
      {"bulk", [](auto& w) { w.bulk("hello"); }, "$5\r\nhello\r\n", "$5\r\nhello\r\n"},
      {"empty bulk", [](auto& w) { w.bulk(""); }, "$0\r\n\r\n", "$0\r\n\r\n"},
      {"bulk of any bytes",
       [](auto& w) {
         w.bulk({"\r\n\0$", 4});
       },
       {"$4\r\n\r\n\0$\r\n", 10},
       {"$4\r\n\r\n\0$\r\n", 10}},
      {"null", [](auto& w) { w.null(); }, "$-1\r\n", "_\r\n"},
      {"null array", [](auto& w) { w.null_array(); }, "*-1\r\n", "_\r\n"},
      {"true", [](auto& w) { w.boolean(true); }, ":1\r\n", "#t\r\n"},
      {"false", [](auto& w) { w.boolean(false); }, ":0\r\n", "#f\r\n"},
      {"number", [](auto& w) { w.number(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n"},
      {"infinity", [](auto& w) { w.number(INFINITY); }, "$3\r\ninf\r\n", ",inf\r\n"},
      {"minus infinity", [](auto& w) { w.number(-INFINITY); }, "$4\r\n-inf\r\n", ",-inf\r\n"},
      {"not a number", [](auto& w) { w.number(NAN); }, "$3\r\nnan\r\n", ",nan\r\n"},
      {"whole number", [](auto& w) { w.number(10); }, "$2\r\n10\r\n", ",10\r\n"},
      {"big number", [](auto& w) { w.big_number("123456789012345678901"); },
       "$21\r\n123456789012345678901\r\n", "(123456789012345678901\r\n"},
      {"verbatim", [](auto& w) { w.verbatim("txt", "a\r\nb"); }, "$4\r\na\r\nb\r\n", "=8\r\ntxt:a\r\nb\r\n"},
      {"empty verbatim", [](auto& w) { w.verbatim("mkd", ""); }, "$0\r\n\r\n", "=4\r\nmkd:\r\n"},
      {"array", [](auto& w) { w.array(0), w.array(12); }, "*0\r\n*12\r\n", "*0\r\n*12\r\n"},
      {"map", [](auto& w) { w.map(5), w.map(12); }, "*10\r\n*24\r\n", "%5\r\n%12\r\n"},
      {"set", [](auto& w) { w.set(3); }, "*3\r\n", "~3\r\n"},
      {"push", [](auto& w) { w.push(3); }, "*3\r\n", ">3\r\n"},
      {"nested",
       [](auto& w) {
         w.array(2);
         w.map(1);
         w.bulk("k");
         w.set(1);
         w.null();
         w.boolean(true);
       },
       "*2\r\n*2\r\n$1\r\nk\r\n*1\r\n$-1\r\n:1\r\n", "*2\r\n%1\r\n$1\r\nk\r\n~1\r\n_\r\n#t\r\n"},
  };
}

TEST(ReplyWriter, WritesEveryTypeInBothVersions) {
  for (const auto& example : examples()) {
    EXPECT_EQ(written(Version::resp2, example.write), example.resp2) << example.name;
    EXPECT_EQ(written(Version::resp3, example.write), example.resp3) << example.name;
  }
}

TEST(ReplyWriter, AnAttributeExistsInResp3Only) {
  const auto write = [](ReplyWriter& writer) {
    if (writer.attribute(1)) {
      writer.bulk("ttl");
      writer.integer(3600);
    }
    writer.ok();
  };
  EXPECT_EQ(written(Version::resp2, write), "+OK\r\n");
  EXPECT_EQ(written(Version::resp3, write), "|1\r\n$3\r\nttl\r\n:3600\r\n+OK\r\n");
}

TEST(ReplyWriter, TheVersionMayChangeBetweenReplies) {
  std::string output;
  ReplyWriter writer(output);
  writer.null();
  writer.set_version(Version::resp3);
  writer.null();
  EXPECT_EQ(writer.version(), Version::resp3);
  EXPECT_EQ(output, "$-1\r\n_\r\n");
}

TEST(ReplyWriter, WritesIntegersOfEveryLength) {
  std::uint64_t magnitude = 0;
  for (int digits = 1; digits <= 18; ++digits) {
    magnitude = magnitude * 10 + 9;
    for (const auto value : {static_cast<std::int64_t>(magnitude), static_cast<std::int64_t>(magnitude) + 1,
                             -static_cast<std::int64_t>(magnitude)}) {
      EXPECT_EQ(written(Version::resp2, [&](auto& w) { w.integer(value); }),
                ":" + std::to_string(value) + "\r\n");
    }
  }
  const auto least = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(written(Version::resp2, [&](auto& w) { w.integer(least); }), ":-9223372036854775808\r\n");
}

TEST(ReplyWriter, WritesBulkStringsOfEveryLength) {
  for (std::size_t bytes = 0; bytes < 600; ++bytes) {
    const std::string value(bytes, 'x');
    EXPECT_EQ(written(Version::resp2, [&](auto& w) { w.bulk(value); }),
              "$" + std::to_string(bytes) + "\r\n" + value + "\r\n");
  }
}

template <class Begin>
std::string deferred(Version version, std::size_t count, const Begin& begin) {
  return written(version, [&](ReplyWriter& writer) {
    const auto aggregate = begin(writer);
    for (std::size_t index = 0; index < count; ++index) writer.integer(7);
    writer.finish(aggregate, count);
    writer.ok();
  });
}

TEST(ReplyWriter, ADeferredArrayLooksLikeOneOfKnownSize) {
  for (const std::size_t count : {0, 1, 9, 10, 11, 100, 12345}) {
    std::string expected = "*" + std::to_string(count) + "\r\n";
    for (std::size_t index = 0; index < count; ++index) expected += ":7\r\n";
    expected += "+OK\r\n";
    for (const std::size_t likely : {0, 5, 10, 99999}) {
      const auto begin = [&](ReplyWriter& writer) { return writer.begin_array(likely); };
      EXPECT_EQ(deferred(Version::resp2, count, begin), expected) << likely;
      EXPECT_EQ(deferred(Version::resp3, count, begin), expected) << likely;
    }
  }
}

TEST(ReplyWriter, DeferredMapsAndSetsHaveTheirResp2Form) {
  const auto map = [](ReplyWriter& writer) { return writer.begin_map(); };
  EXPECT_THAT(deferred(Version::resp2, 5, map), ::testing::StartsWith("*10\r\n:7\r\n"));
  EXPECT_THAT(deferred(Version::resp3, 5, map), ::testing::StartsWith("%5\r\n:7\r\n"));
  const auto set = [](ReplyWriter& writer) { return writer.begin_set(10); };
  EXPECT_THAT(deferred(Version::resp2, 5, set), ::testing::StartsWith("*5\r\n:7\r\n"));
  EXPECT_THAT(deferred(Version::resp3, 5, set), ::testing::StartsWith("~5\r\n:7\r\n"));
}

TEST(ReplyWriter, DeferredAggregatesNest) {
  const auto text = written(Version::resp3, [](ReplyWriter& writer) {
    const auto outer = writer.begin_array();
    for (int index = 0; index < 11; ++index) {
      const auto inner = writer.begin_set();
      for (int element = 0; element < index; ++element) writer.integer(element);
      writer.finish(inner, static_cast<std::size_t>(index));
    }
    writer.finish(outer, 11);
  });
  EXPECT_THAT(text, ::testing::StartsWith("*11\r\n~0\r\n~1\r\n:0\r\n~2\r\n:0\r\n:1\r\n~3\r\n"));
  EXPECT_THAT(text,
              ::testing::EndsWith("~10\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n"));
}

}  // namespace
}  // namespace shale::protocol
