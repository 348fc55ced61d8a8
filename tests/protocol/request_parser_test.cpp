#include "protocol/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/protocol/request_stream.h"

namespace shale::protocol {
namespace {

using ::testing::ElementsAre;
using testing::encode;
using ::testing::IsEmpty;
using testing::Request;
using testing::RequestStream;
using ::testing::SizeIs;
using Outcome = RequestParser::Outcome;
using Arguments = std::vector<std::string_view>;

constexpr bool kAuthenticated = true;
constexpr bool kUnauthenticated = false;

std::vector<Request> requests_in(std::string_view bytes) {
  RequestStream stream;
  stream.receive(bytes);
  EXPECT_THAT(stream.error(), IsEmpty());
  EXPECT_EQ(stream.bytes_consumed(), bytes.size());
  return stream.requests();
}

// Received at once and, if it is short, byte by byte: these take different paths through the parser.
std::string error_for(std::string_view bytes, const ParserLimits& limits = {}, bool authenticated = true) {
  RequestStream whole(limits, authenticated);
  whole.receive(bytes);
  if (bytes.size() > 4096) return whole.error();
  RequestStream bytewise(limits, authenticated);
  for (const char& byte : bytes) bytewise.receive({&byte, 1});
  EXPECT_EQ(whole.error(), bytewise.error());
  return whole.error();
}

std::string line_of(std::size_t bytes, char first, std::string_view end) {
  std::string line(bytes, '1');
  line.front() = first;
  return line.append(end);
}

TEST(RequestParser, ReadsAnArrayOfBulkStrings) {
  EXPECT_THAT(requests_in("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), ElementsAre(Request{"GET", "k"}));
}

TEST(RequestParser, ReadsAnInlineRequestWithEitherLineEnd) {
  EXPECT_THAT(requests_in("GET k\r\nGET  k \n"), ElementsAre(Request{"GET", "k"}, Request{"GET", "k"}));
}

TEST(RequestParser, ReadsAPipelineRequestByRequest) {
  std::string bytes;
  std::vector<Request> sent;
  for (int index = 0; index < 100; ++index) {
    sent.push_back(
        {"SET", "key:" + std::to_string(index), std::string(static_cast<std::size_t>(index), 'x')});
    bytes += encode(sent.back());
  }
  EXPECT_EQ(requests_in(bytes), sent);
}

TEST(RequestParser, AppendsBehindTheArgumentsOfEarlierRequests) {
  const std::string bytes = encode({"GET", "a"}) + "PING\r\n";
  RequestParser parser;
  Arguments arguments;
  ASSERT_EQ(parser.next(bytes, arguments), Outcome::request);
  ASSERT_EQ(parser.next(std::string_view(bytes).substr(parser.consumed()), arguments), Outcome::request);
  EXPECT_THAT(arguments, ElementsAre("GET", "a", "PING"));
}

TEST(RequestParser, ArgumentsAreViewsIntoTheCallersBytes) {
  const std::string bytes = encode({"GET", "a"});
  RequestParser parser;
  Arguments arguments;
  ASSERT_EQ(parser.next(bytes, arguments), Outcome::request);
  EXPECT_EQ(arguments[1].data(), bytes.data() + bytes.find('a'));
}

TEST(RequestParser, ArgumentsMayHoldAnyByte) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  const Request request{"SET", every_byte, "*1\r\n$1\r\n", ""};
  EXPECT_THAT(requests_in(encode(request)), ElementsAre(request));
}

TEST(RequestParser, EmptyRequestsAreSkippedAndConsumed) {
  EXPECT_THAT(requests_in("\r\n\n  \r\n*0\r\n*-1\r\n*-70000000000\r\nPING\r\n\r\n"),
              ElementsAre(Request{"PING"}));
}

TEST(RequestParser, EmptyRequestsBeforeAnIncompleteOneMayBeDropped) {
  RequestParser parser;
  Arguments arguments;
  EXPECT_EQ(parser.next("\r\n*0\r\n*1\r\n$4\r\nPI", arguments), Outcome::incomplete);
  EXPECT_EQ(parser.consumed(), 6U);
  EXPECT_EQ(parser.next("*1\r\n$4\r\nPING\r\n", arguments), Outcome::request);
  EXPECT_EQ(parser.consumed(), 14U);
  EXPECT_THAT(arguments, ElementsAre("PING"));
}

TEST(RequestParser, NothingToReadWantsAByte) {
  RequestParser parser;
  Arguments arguments;
  EXPECT_EQ(parser.next({}, arguments), Outcome::incomplete);
  EXPECT_EQ(parser.consumed(), 0U);
  EXPECT_EQ(parser.bytes_wanted(), 1U);
}

TEST(RequestParser, TellsHowLongTheArgumentsAreThatHaveArrived) {
  RequestParser parser;
  Arguments arguments;
  const std::string_view begin = "*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$4\r\nval";
  EXPECT_EQ(parser.next(begin, arguments), Outcome::incomplete);
  EXPECT_EQ(parser.arrived_argument_bytes(), std::string_view{"SETkey:1"}.size());
  EXPECT_EQ(parser.next(std::string(begin) + "u\r\n", arguments), Outcome::request);
  EXPECT_EQ(parser.arrived_argument_bytes(), 0U);
}

TEST(RequestParser, WantsTheWholeOfABulkStringAtOnce) {
  RequestParser parser;
  Arguments arguments;
  const std::string_view begin = "*2\r\n$3\r\nSET\r\n$1000000\r\n";
  EXPECT_EQ(parser.next(begin, arguments), Outcome::incomplete);
  EXPECT_EQ(parser.bytes_wanted(), begin.size() + 1000000 + 2);
  EXPECT_EQ(parser.next(std::string(begin) + "xyz", arguments), Outcome::incomplete);
  EXPECT_EQ(parser.bytes_wanted(), begin.size() + 1000000 + 2);
  EXPECT_THAT(arguments, IsEmpty());
}

TEST(RequestParser, WantsMoreOfALineThanItHas) {
  for (const std::string_view begin : {"P", "PING\r", "*", "*1", "*1\r", "*1\r\n", "*1\r\n$", "*1\r\n$4\r"}) {
    RequestParser parser;
    Arguments arguments;
    EXPECT_EQ(parser.next(begin, arguments), Outcome::incomplete) << begin;
    EXPECT_EQ(parser.bytes_wanted(), begin.size() + 1) << begin;
  }
}

TEST(RequestParser, TheBufferMayMoveBetweenCalls) {
  const std::string bytes = encode({"SET", "key", "value"});
  auto first = std::make_unique<std::string>(bytes.substr(0, bytes.size() - 4));
  RequestParser parser;
  Arguments arguments;
  ASSERT_EQ(parser.next(*first, arguments), Outcome::incomplete);
  first.reset();
  ASSERT_EQ(parser.next(bytes, arguments), Outcome::request);
  EXPECT_THAT(arguments, ElementsAre("SET", "key", "value"));
  EXPECT_GE(arguments[0].data(), bytes.data());
  EXPECT_LT(arguments[0].data(), bytes.data() + bytes.size());
}

TEST(RequestParser, UnquotedWordsLiveUntilRelease) {
  RequestParser parser;
  Arguments arguments;
  std::string lines;
  for (int index = 0; index < 100; ++index) lines += "SET 'a b' \"\\x41\"\n";
  for (std::string_view unread = lines; parser.next(unread, arguments) == Outcome::request;) {
    unread.remove_prefix(parser.consumed());
  }
  ASSERT_THAT(arguments, SizeIs(300));
  for (std::size_t index = 0; index < arguments.size(); index += 3) {
    EXPECT_EQ(arguments[index + 1], "a b");
    EXPECT_EQ(arguments[index + 2], "A");
  }
  parser.release();
}

TEST(RequestParser, AnAnnouncedCountReservesNothing) {
  RequestParser parser;
  Arguments arguments;
  EXPECT_EQ(parser.next("*1048576\r\n$536870912\r\n", arguments), Outcome::incomplete);
  EXPECT_EQ(parser.memory_bytes(), 0U);
  EXPECT_EQ(arguments.capacity(), 0U);
}

TEST(RequestParser, AHugeRequestArrivesSlowlyWithoutRescanningAndIsForgotten) {
  // Quadratic work over these 1.4 million bytes, in 7-byte steps, would not end within the test's time.
  constexpr std::size_t kArguments = 200000;
  std::string bytes = "*" + std::to_string(kArguments) + "\r\n";
  for (std::size_t index = 0; index < kArguments; ++index) bytes += "$1\r\nx\r\n";
  RequestParser parser;
  Arguments arguments;
  auto outcome = Outcome::incomplete;
  for (std::size_t size = 0; size < bytes.size() && outcome == Outcome::incomplete;) {
    size = std::min(size + 7, bytes.size());
    outcome = parser.next(std::string_view(bytes).substr(0, size), arguments);
  }
  ASSERT_EQ(outcome, Outcome::request);
  EXPECT_EQ(parser.consumed(), bytes.size());
  EXPECT_THAT(arguments, SizeIs(kArguments));
  EXPECT_EQ(parser.memory_bytes(), 0U);
}

TEST(RequestParser, ALongLineArrivesSlowlyWithoutRescanning) {
  ParserLimits limits;
  limits.inline_bytes_max = 4u << 20;
  const std::string line = std::string(limits.inline_bytes_max, 'x') + "\n";
  RequestParser parser(limits);
  Arguments arguments;
  for (std::size_t size = 1; size < line.size(); size += 3) {
    ASSERT_EQ(parser.next(std::string_view(line).substr(0, size), arguments), Outcome::incomplete);
  }
  EXPECT_EQ(parser.next(line, arguments), Outcome::request);
}

// Redis checks neither; clients that get it wrong are out there.
TEST(RequestParser, BytesThatRedisDoesNotCheckAreNotChecked) {
  EXPECT_THAT(requests_in("*1\rX$4\rYPING??"), ElementsAre(Request{"PING"}));
}

TEST(RequestParser, LengthsAreCanonicalDecimalsAsInRedis) {
  for (const std::string count : {"+1", "01", "-0", "1 ", " 1", "", "-", "1x", "0x1", "00", "-01", "1.0",
                                  "9223372036854775808", "99999999999999999999999"}) {
    EXPECT_EQ(error_for("*" + count + "\r\n$4\r\nPING\r\n"), "Protocol error: invalid multibulk length")
        << count;
  }
  for (const std::string size : {"+4", "04", "-0", "4 ", " 4", "", "-", "4x", "00", "-1", "-4",
                                 "9223372036854775808", "18446744073709551620"}) {
    EXPECT_EQ(error_for("*1\r\n$" + size + "\r\nPING\r\n"), "Protocol error: invalid bulk length") << size;
  }
}

TEST(RequestParser, ALengthMayHaveMoreDigitsThanTheFastPathReads) {
  EXPECT_EQ(error_for("*1\r\n$99999999999\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_for("*99999999999\r\n"), "Protocol error: invalid multibulk length");
}

TEST(RequestParser, SaysWhatStandsInPlaceOfTheDollar) {
  EXPECT_EQ(error_for("*1\r\nPING\r\n"), "Protocol error: expected '$', got 'P'");
  EXPECT_EQ(error_for("*1\r\n:4\r\nPING\r\n"), "Protocol error: expected '$', got ':'");
  EXPECT_EQ(error_for("*1\r\n\r\n"), "Protocol error: expected '$', got '\r'");
  EXPECT_EQ(error_for(std::string_view("*1\r\n\0\r\n", 7)),
            std::string("Protocol error: expected '$', got '\0'", 37));
}

TEST(RequestParser, SaysThatQuotesAreNotBalanced) {
  EXPECT_EQ(error_for("SET k \"v\r\n"), "Protocol error: unbalanced quotes in request");
}

TEST(RequestParser, AnInlineRequestMayHaveAsManyBytesAsTheLimitAndNoMore) {
  const ParserLimits limits{.inline_bytes_max = 100};
  EXPECT_EQ(error_for(line_of(100, 'x', "\n"), limits), "");
  EXPECT_EQ(error_for(line_of(101, 'x', "\n"), limits), "Protocol error: too big inline request");
  EXPECT_EQ(error_for(line_of(100, 'x', ""), limits), "");
  EXPECT_EQ(error_for(line_of(101, 'x', ""), limits), "Protocol error: too big inline request");
}

TEST(RequestParser, ACountLineMayHaveAsManyBytesAsTheLimitAndNoMore) {
  const ParserLimits limits{.inline_bytes_max = 100};
  EXPECT_EQ(error_for(line_of(100, '*', "\r\n"), limits), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_for(line_of(101, '*', "\r\n"), limits), "Protocol error: too big mbulk count string");
  EXPECT_EQ(error_for(line_of(100, '*', ""), limits), "");
  EXPECT_EQ(error_for(line_of(101, '*', ""), limits), "Protocol error: too big mbulk count string");
}

TEST(RequestParser, ASizeLineMayHaveAsManyBytesAsTheLimitAndNoMore) {
  const ParserLimits limits{.inline_bytes_max = 100};
  EXPECT_EQ(error_for("*1\r\n" + line_of(100, '$', "\r\n"), limits), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_for("*1\r\n" + line_of(101, '$', "\r\n"), limits),
            "Protocol error: too big bulk count string");
  EXPECT_EQ(error_for("*1\r\n" + line_of(100, 'x', ""), limits), "");
  EXPECT_EQ(error_for("*1\r\n" + line_of(101, 'x', ""), limits), "Protocol error: too big bulk count string");
}

TEST(RequestParser, TheLineLimitIsRedissByDefault) {
  EXPECT_EQ(error_for(line_of(65536, 'x', "\r")), "Protocol error: too big inline request");
  EXPECT_EQ(error_for(line_of(65536, 'x', "\n")), "");
}

TEST(RequestParser, ABulkStringMayBeAsLongAsTheLimitAndNoLonger) {
  const ParserLimits limits{.bulk_bytes_max = 10};
  EXPECT_EQ(error_for("*1\r\n$10\r\n0123456789\r\n", limits), "");
  EXPECT_EQ(error_for("*1\r\n$11\r\n", limits), "Protocol error: invalid bulk length");
  EXPECT_EQ(error_for("*1\r\n$536870912\r\n"), "");
  EXPECT_EQ(error_for("*1\r\n$536870913\r\n"), "Protocol error: invalid bulk length");
}

TEST(RequestParser, ARequestMayHaveAsManyArgumentsAsTheLimitAndNoMore) {
  EXPECT_EQ(error_for("*1048576\r\n"), "");
  EXPECT_EQ(error_for("*1048577\r\n"), "Protocol error: invalid multibulk length");
}

TEST(RequestParser, WhoHasNotAuthenticatedMaySendTenArguments) {
  const Request ten(10, "x");
  const Request eleven(11, "x");
  EXPECT_EQ(error_for(encode(ten), {}, kUnauthenticated), "");
  EXPECT_EQ(error_for(encode(eleven), {}, kUnauthenticated),
            "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(error_for(encode(eleven), {}, kAuthenticated), "");
}

TEST(RequestParser, WhoHasNotAuthenticatedMaySend16KibibytesAnArgument) {
  const Request longest{"ECHO", std::string(16384, 'x')};
  const Request too_long{"ECHO", std::string(16385, 'x')};
  EXPECT_EQ(error_for(encode(longest), {}, kUnauthenticated), "");
  EXPECT_EQ(error_for(encode(too_long), {}, kUnauthenticated), "Protocol error: unauthenticated bulk length");
  EXPECT_EQ(error_for(encode(too_long), {}, kAuthenticated), "");
}

TEST(RequestParser, ALengthBeyondAnyoneIsInvalidEvenBeforeAuthentication) {
  EXPECT_EQ(error_for("*1048577\r\n", {}, kUnauthenticated), "Protocol error: invalid multibulk length");
  EXPECT_EQ(error_for("*1\r\n$536870913\r\n", {}, kUnauthenticated), "Protocol error: invalid bulk length");
}

TEST(RequestParser, AuthenticationHoldsFromTheNextRequestOn) {
  const std::string bytes = encode({"AUTH", "secret"}) + encode(Request(11, "x"));
  RequestParser parser;
  parser.set_authenticated(false);
  Arguments arguments;
  ASSERT_EQ(parser.next(bytes, arguments), Outcome::request);
  parser.set_authenticated(true);
  EXPECT_EQ(parser.next(std::string_view(bytes).substr(parser.consumed()), arguments), Outcome::request);
  EXPECT_THAT(arguments, SizeIs(13));
}

TEST(RequestParser, RequestsBeforeAnErrorAreDelivered) {
  RequestStream stream;
  stream.receive("PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n+OK\r\n");
  EXPECT_THAT(stream.requests(), ElementsAre(Request{"PING"}, Request{"PING"}));
  EXPECT_EQ(stream.error(), "Protocol error: expected '$', got '+'");
}

TEST(RequestParser, ABulkStringThatIsArrivingMayBeReceivedElsewhere) {
  RequestParser parser;
  Arguments arguments;
  std::string unread = "*4\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1000\r\nxxxx";
  ASSERT_EQ(parser.next(unread, arguments), Outcome::incomplete);
  const auto bulk = parser.arriving_bulk();
  ASSERT_TRUE(bulk);
  EXPECT_EQ(bulk->argument, 2u);
  EXPECT_EQ(bulk->bytes, 1000u);
  EXPECT_EQ(unread.substr(bulk->offset), "xxxx");
  EXPECT_EQ(parser.arrived_argument(unread, 0), "SET");
  EXPECT_EQ(parser.arrived_argument(unread, 1), "key");
  unread.resize(bulk->offset);
  parser.divert_bulk();
  ASSERT_EQ(parser.next(unread, arguments), Outcome::incomplete);
  unread += "\r\n$2\r\nNX\r\nPING\r\n";
  ASSERT_EQ(parser.next(unread, arguments), Outcome::request);
  EXPECT_THAT(arguments, ElementsAre("SET", "key", "", "NX"));
  EXPECT_EQ(unread.substr(parser.consumed()), "PING\r\n");
}

TEST(RequestParser, NoBulkStringIsArrivingBetweenThem) {
  RequestParser parser;
  Arguments arguments;
  for (const std::string_view unread : {"", "*2", "*2\r\n", "*2\r\n$1", "*2\r\n$1\r\na\r\n"}) {
    ASSERT_EQ(parser.next(unread, arguments), Outcome::incomplete);
    EXPECT_FALSE(parser.arriving_bulk()) << unread;
  }
}

TEST(RequestParser, AnErrorIsFinal) {
  RequestParser parser;
  Arguments arguments;
  ASSERT_EQ(parser.next("*x\r\n", arguments), Outcome::error);
  EXPECT_EQ(parser.next("PING\r\n", arguments), Outcome::error);
  EXPECT_EQ(parser.error(), "Protocol error: invalid multibulk length");
  EXPECT_THAT(arguments, IsEmpty());
}

}  // namespace
}  // namespace shale::protocol
