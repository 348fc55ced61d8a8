// What CLIENT LIST and CLIENT INFO say of the memory that clients hold.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

constexpr std::string_view kName = "watched";
constexpr const char* kFields[] = {"qbuf", "qbuf-free", "argv-mem", "multi-mem", "rbs",
                                   "rbp",  "obl",       "oll",      "omem"};

std::uint64_t field(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(fmt::format(" {}=", name));
  if (at == std::string_view::npos) throw std::runtime_error(fmt::format("no {} in {}", name, line));
  std::uint64_t number = 0;
  std::from_chars(line.data() + at + name.size() + 2, line.data() + line.size(), number);
  return number;
}

class ClientMemory : public ::testing::Test {
 protected:
  ClientMemory() {
    watched_.send(fmt::format("CLIENT SETNAME {}\r\n", kName));
    EXPECT_EQ(watched_.receive_line(), "+OK\r\n");
  }

  // The watched client's line of CLIENT LIST.
  std::string line() {
    const std::string lines = observer_.ask("CLIENT", "LIST");
    const std::size_t name = lines.find(fmt::format(" name={} ", kName));
    const std::size_t begin = lines.rfind('\n', name) + 1;
    return lines.substr(begin, lines.find('\n', name) - begin);
  }
  // That line as soon as it is as wanted.
  template <class Condition>
  std::string line_when(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    for (;;) {
      const std::string now = line();
      if (condition(now)) return now;
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("it stays at " + now);
    }
  }
  // Waits until the client holds nothing; how much it takes even so.
  std::uint64_t bytes_at_rest() {
    return field(line_when([](std::string_view now) {
                   return std::ranges::all_of(kFields,
                                              [&](const char* name) { return field(now, name) == 0; });
                 }),
                 "tot-mem");
  }

  // Waits until the client takes hardly more than `bytes`: a parser keeps a little for the next request.
  void wait_for_rest(std::uint64_t bytes) {
    constexpr std::uint64_t kKeptBytesMax = 1024;
    line_when([&](std::string_view now) { return field(now, "tot-mem") <= bytes + kKeptBytesMax; });
    EXPECT_LE(bytes_at_rest(), bytes + kKeptBytesMax);
  }

  ServerProcess server_;
  Client observer_{server_};
  RawClient watched_{server_, 4096};
};

TEST_F(ClientMemory, OneThatHasBeenAnsweredHoldsNothing) {
  EXPECT_GT(bytes_at_rest(), 0U);
  watched_.send("PING\r\n");
  EXPECT_EQ(watched_.receive_line(), "+PONG\r\n");
  EXPECT_GT(bytes_at_rest(), 0U);
}

TEST_F(ClientMemory, ACommandSeesItsOwnRequest) {
  const std::string request = encode({"CLIENT", "INFO"});
  const std::string info = observer_.ask("CLIENT", "INFO");
  EXPECT_EQ(field(info, "qbuf"), request.size());
  EXPECT_EQ(field(info, "argv-mem"), std::string_view{"CLIENTINFO"}.size());
  EXPECT_GT(field(info, "qbuf-free"), 0U);
  EXPECT_GE(field(info, "tot-mem"), bytes_at_rest() + field(info, "qbuf") + field(info, "qbuf-free"));
}

TEST_F(ClientMemory, ARequestThatIsStillArriving) {
  const std::uint64_t at_rest = bytes_at_rest();
  const std::string begun = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5000\r\n" + std::string(2000, 'x');
  watched_.send(begun);
  const std::string held =
      line_when([&](std::string_view now) { return field(now, "qbuf") == begun.size(); });
  EXPECT_EQ(field(held, "argv-mem"), std::string_view{"SETkey"}.size());
  EXPECT_GE(field(held, "tot-mem"), at_rest + field(held, "qbuf") + field(held, "qbuf-free"));
  watched_.send(std::string(3000, 'x') + "\r\n");
  EXPECT_EQ(watched_.receive_line(), "+OK\r\n");
  wait_for_rest(at_rest);
}

TEST_F(ClientMemory, ACommandThatWaits) {
  watched_.send(encode({"WAIT", "1", "0"}));
  const std::string held = line_when([](std::string_view now) { return field(now, "argv-mem") != 0; });
  EXPECT_EQ(field(held, "argv-mem"), std::string_view{"WAIT10"}.size());
  EXPECT_EQ(field(held, "qbuf"), encode({"WAIT", "1", "0"}).size());
}

TEST_F(ClientMemory, QueuedCommands) {
  const std::uint64_t at_rest = bytes_at_rest();
  const std::string value(10'000, 'x');
  watched_.send(encode({"MULTI"}) + encode({"SET", "key", value}));
  EXPECT_EQ(watched_.receive_line(), "+OK\r\n");
  EXPECT_EQ(watched_.receive_line(), "+QUEUED\r\n");
  const std::string held = line_when(
      [&](std::string_view now) { return field(now, "tot-mem") >= at_rest + field(now, "multi-mem"); });
  EXPECT_GT(field(held, "multi-mem"), value.size());
  watched_.send(encode({"DISCARD"}));
  EXPECT_EQ(watched_.receive_line(), "+OK\r\n");
  wait_for_rest(at_rest);
}

TEST_F(ClientMemory, RepliesThatAreNotRead) {
  constexpr std::size_t kReplies = 200;
  const std::uint64_t at_rest = bytes_at_rest();
  const std::string value(100'000, 'x');
  EXPECT_EQ(observer_.ask("SET", "key", value), "OK");
  std::string requests;
  for (std::size_t i = 0; i < kReplies; ++i) requests += encode({"GET", "key"});
  watched_.send(requests);
  const std::string held = line_when([](std::string_view now) { return field(now, "obl") != 0; });
  EXPECT_GE(field(held, "rbs"), field(held, "obl"));
  EXPECT_GE(field(held, "rbp"), field(held, "obl"));
  EXPECT_LE(field(held, "rbp"), field(held, "rbs"));
  EXPECT_GE(field(held, "tot-mem"), at_rest + field(held, "rbs"));
  EXPECT_THAT(held, ::testing::HasSubstr(" events=rw "));
  watched_.receive(kReplies * (value.size() + std::string_view{"$100000\r\n\r\n"}.size()));
  wait_for_rest(at_rest);
}

TEST_F(ClientMemory, PushesThatAreNotRead) {
  const std::uint64_t at_rest = bytes_at_rest();
  watched_.send(encode({"SUBSCRIBE", "news"}));
  watched_.receive(encode({"subscribe", "news"}).size() + std::string_view{":1\r\n"}.size());
  const std::string message(64'000, 'x');
  for (int i = 0; i < 150; ++i) EXPECT_EQ(observer_.ask("PUBLISH", "news", message), "(integer) 1");
  const std::string held = line_when([](std::string_view now) { return field(now, "oll") != 0; });
  EXPECT_GE(field(held, "omem"), field(held, "oll") * message.size() / 2);
  EXPECT_GE(field(held, "tot-mem"), at_rest + field(held, "omem"));
}

}  // namespace
}  // namespace shale::integration
