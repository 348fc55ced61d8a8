#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/corpus.h"
#include "tests/protocol/request_stream.h"

namespace shale::protocol::testing {
namespace {

using ::testing::IsEmpty;

// Ordinary and inline requests, empty ones between them, and payloads that look like protocol.
constexpr std::string_view kMixedStream =
    "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$12\r\n*1\r\n$4\r\nPING\r\n"
    "\r\n"
    "*0\r\n"
    "PING\r\n"
    "*-1\r\n"
    "SET 'k e y' \"\\x00\\n\"\n"
    "*2\r\n$0\r\n\r\n$3\r\n\r\n$\r\n"
    "  \n"
    "*1\r\n$11\r\n0123456789a\r\n";

std::vector<Request> mixed_requests() {
  return {
      {"SET", "key:1", "*1\r\n$4\r\nPING"},
      {"PING"},
      {"SET", "k e y", std::string("\0\n", 2)},
      {"", "\r\n$"},
      {"0123456789a"},
  };
}

TEST(RequestParserChunks, TheMixedStreamIsUnderstoodAtOnce) {
  RequestStream stream;
  stream.receive(kMixedStream);
  EXPECT_EQ(stream.requests(), mixed_requests());
  EXPECT_EQ(stream.bytes_consumed(), kMixedStream.size());
}

TEST(RequestParserChunks, EverySplitInTwoOrThreeGivesTheSameRequests) {
  const auto expected = mixed_requests();
  for (std::size_t first = 0; first <= kMixedStream.size(); ++first) {
    for (std::size_t second = first; second <= kMixedStream.size(); ++second) {
      RequestStream stream;
      stream.receive(kMixedStream.substr(0, first));
      stream.receive(kMixedStream.substr(first, second - first));
      stream.receive(kMixedStream.substr(second));
      ASSERT_EQ(stream.requests(), expected) << "split at " << first << " and " << second;
      ASSERT_EQ(stream.bytes_consumed(), kMixedStream.size()) << "split at " << first << " and " << second;
      ASSERT_THAT(stream.broken_promise(), IsEmpty()) << "split at " << first << " and " << second;
    }
  }
}

TEST(RequestParserChunks, EveryPrefixYieldsOnlyWholeRequests) {
  const auto expected = mixed_requests();
  for (std::size_t bytes = 0; bytes < kMixedStream.size(); ++bytes) {
    RequestStream stream;
    stream.receive(kMixedStream.substr(0, bytes));
    const auto& requests = stream.requests();
    ASSERT_LT(requests.size(), expected.size());
    ASSERT_TRUE(std::equal(requests.begin(), requests.end(), expected.begin())) << "prefix of " << bytes;
    ASSERT_THAT(stream.error(), IsEmpty());
  }
}

TEST(RequestParserChunks, RandomRequestsSurviveRandomChunks) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    std::vector<Request> sent(1 + random() % 20);
    std::string bytes;
    for (auto& request : sent) {
      request.resize(1 + random() % (random() % 10 ? 4 : 300));
      for (auto& argument : request) {
        argument.resize(random() % (random() % 10 ? 30 : 20000));
        for (auto& byte : argument) byte = static_cast<char>(random());
      }
      bytes += encode(request);
    }
    RequestStream stream;
    for (std::size_t at = 0; at < bytes.size();) {
      const auto chunk = bytes.substr(at, 1 + random() % 9000);
      stream.receive(chunk);
      at += chunk.size();
    }
    ASSERT_EQ(stream.requests(), sent);
    ASSERT_THAT(stream.broken_promise(), IsEmpty());
  }
}

// The fuzzer's body, so that it runs wherever the tests run.
TEST(RequestParserChunks, ChunksDoNotChangeWhatAStreamMeans) {
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    ASSERT_THAT(chunking_difference(random_stream(seed), seed), IsEmpty()) << "seed " << seed;
  }
}

// As the fuzzer reads them: the first byte is the seed of the chunks.
TEST(FuzzCorpora, RequestParser) {
  for_each_of_corpus("request_parser", [](const std::string& input) {
    if (input.empty()) return;
    const auto seed = static_cast<std::uint8_t>(input.front());
    EXPECT_THAT(chunking_difference(std::string_view{input}.substr(1), seed), IsEmpty());
  });
}

}  // namespace
}  // namespace shale::protocol::testing
