// Clients that nobody wants, many at a time. Whatever they do: others are served meanwhile, memory stays in
// its budget, and when they are gone nothing of theirs is left.
//
// ABUSE: how many times as much of it as in a short run (scripts/campaigns/abuse).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/integration/client.h"
#include "tests/integration/random_value.h"
#include "tests/integration/server_process.h"
#include "tests/integration/server_resources.h"

namespace shale::integration {
namespace {

using Clock = std::chrono::steady_clock;
using testing::StartsWith;

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::size_t times(std::size_t count) { return count * engine::asked_of_test("ABUSE", 1); }

// A client that behaves, and goes on until it is told to stop.
class Bystander {
 public:
  explicit Bystander(const ServerProcess& server, const std::string& password = "") : client_(server) {
    if (!password.empty() && client_.ask("AUTH", password) != "OK") throw std::runtime_error("not let in");
    thread_ = std::thread{[this] { work(); }};
  }
  ~Bystander() { stop(); }
  // How long it waited for the slowest of its answers, all of which were right.
  std::chrono::milliseconds stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    EXPECT_EQ(wrong_, "");
    EXPECT_GT(served_, 0);
    return longest_;
  }
  std::uint64_t served() const { return served_; }

 private:
  void work() {
    for (std::uint64_t round = 0; !stopping_ && wrong_.empty(); ++round) {
      const std::string value = std::to_string(round);
      const auto begun = Clock::now();
      const std::string set = client_.ask("SET", "bystander", value);
      const std::string got = client_.ask("GET", "bystander");
      longest_ =
          std::max(longest_, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun));
      if (set != "OK" || got != value) wrong_ = set + " " + got;
      ++served_;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }

  Client client_;
  std::chrono::milliseconds longest_{0};
  std::string wrong_;
  std::atomic<std::uint64_t> served_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class Abuse : public testing::Test {
 protected:
  static constexpr const char* kPassword = "right";

  // What the budget is, and what of memory may be seen to be used at most: the budget.
  explicit Abuse(std::uint64_t memory_mib = 64) : Abuse(memory_mib, memory_mib) {}
  Abuse(std::uint64_t memory_mib, std::uint64_t peak_max_mib)
      : memory_mib_(memory_mib), peak_max_mib_(peak_max_mib) {}

  void TearDown() override {
    const auto longest = bystander_.stop();
    std::printf("%llu requests of a bystander served, the slowest pair in %lld ms; %llu MiB at most\n",
                static_cast<unsigned long long>(bystander_.served()), static_cast<long long>(longest.count()),
                static_cast<unsigned long long>(memory_.peak_mib()));
    if (kMemoryIsOurs) {
      EXPECT_LE(memory_.peak_mib(), peak_max_mib_);
    }
    const auto deadline = Clock::now() + kPatience;
    while (open_sockets(server_) > sockets_before_ && Clock::now() < deadline) std::this_thread::yield();
    EXPECT_LE(open_sockets(server_), sockets_before_) << "connections of clients that are gone";
    Client last = client();
    const std::string clients = last.ask("CLIENT", "LIST");
    EXPECT_LE(std::ranges::count(clients, '\n'), 2) << clients;
    EXPECT_EQ(server_.stop(), 0);
  }

  Client client() {
    Client client{server_};
    EXPECT_EQ(client.ask("AUTH", kPassword), "OK");
    return client;
  }
  // One that has sent its password, and heard that it is right.
  std::unique_ptr<RawClient> raw_client(int receive_buffer_bytes = 0) {
    auto client = std::make_unique<RawClient>(server_, receive_buffer_bytes);
    client->send(encode({"AUTH", kPassword}));
    EXPECT_EQ(client->receive_line(), "+OK\r\n");
    return client;
  }

  const std::uint64_t memory_mib_;
  const std::uint64_t peak_max_mib_;
  ServerProcess server_{
      {"--memory", std::to_string(memory_mib_) + "mb", "--maxclients", "12000", "--requirepass", kPassword}};
  AnonymousMemory memory_{server_};
  Bystander bystander_{server_, kPassword};
  const std::size_t sockets_before_ = open_sockets(server_);
};

// The memory limits how many there may be.
class AbuseOfConnections : public Abuse {
 protected:
  AbuseOfConnections() : Abuse(1024) {}
};

TEST_F(AbuseOfConnections, ManyThatAreIdle) {
  const std::size_t count = times(500);
  std::vector<std::unique_ptr<RawClient>> idle;
  idle.reserve(count);
  for (std::size_t i = 0; i < count; ++i) idle.push_back(raw_client());
  Client other = client();
  EXPECT_EQ(other.ask("SET", "key", "value"), "OK");
  EXPECT_EQ(other.ask("GET", "key"), "value");
  EXPECT_GE(open_sockets(server_), sockets_before_ + count);
}

TEST_F(Abuse, HalfSentCommandsOfClientsThatVanish) {
  std::mt19937_64 random{engine::test_seed()};
  const std::string request = encode({"MSET", "a", std::string(20'000, 'a'), "b", std::string(300, 'b')});
  for (std::size_t round = 0; round < times(5); ++round) {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 40; ++i) {
      clients.push_back(raw_client());
      clients.back()->send(std::string_view{request}.substr(0, 1 + random() % (request.size() - 1)));
      if (random() % 2 == 0) clients.back()->vanish_at_end();
    }
  }
  EXPECT_EQ(client().ask("EXISTS", "a", "b"), "(integer) 0");
}

TEST_F(Abuse, ReadersThatDoNotRead) {
  Client writer = client();
  ASSERT_EQ(writer.ask("SET", "value", std::string(kMiB, 'v')), "OK");
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += encode({"GET", "value"});
  std::vector<std::unique_ptr<RawClient>> readers;
  for (std::size_t i = 0; i < times(20); ++i) {
    readers.push_back(raw_client(4096));
    readers.back()->send(requests);
    if (i % 2 == 0) readers.back()->vanish_at_end();
  }
  EXPECT_EQ(writer.ask("SET", "other", "1"), "OK");
}

TEST_F(Abuse, AValueThatIsLargerThanTheMemory) {
  const std::size_t bytes = std::min<std::size_t>(times(80 * kMiB), 511 * kMiB);
  const auto sender = raw_client();
  sender->send(fmt::format("*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n${}\r\n", bytes));
  const std::string piece(64 * 1024, 'p');
  for (std::size_t sent = 0; sent < bytes; sent += piece.size()) {
    sender->send(std::string_view{piece}.substr(0, std::min(piece.size(), bytes - sent)));
  }
  sender->send("\r\n" + encode({"GET", "large"}));
  EXPECT_EQ(sender->receive_line(), "+OK\r\n");
  EXPECT_EQ(sender->receive_line(), fmt::format("${}\r\n", bytes));
  for (std::size_t received = 0; received < bytes;) {
    const std::string part = sender->receive(std::min(piece.size(), bytes - received));
    ASSERT_EQ(part.size(), std::min(piece.size(), bytes - received));
    ASSERT_EQ(part, std::string_view{piece}.substr(0, part.size()));
    received += part.size();
  }
  EXPECT_EQ(sender->receive_line(), "\r\n");
}

// Where memory is allocated and freed by the mebibyte, the allocator has more of it than is in use, for a
// second.
class AbuseOfKeys : public Abuse {
 protected:
  AbuseOfKeys() : Abuse(64, 160) {}
};

// Of which nothing may be kept for each: neither by tables nor by the cursors of scans.
TEST_F(AbuseOfKeys, OfAMebibyte) {
  const std::size_t count = times(engine::rounds_of_test(70));
  Client writer = client();
  for (std::size_t i = 0; i < count; ++i)
    ASSERT_EQ(writer.ask("SET", random_value(kMiB, engine::test_seed() + i), std::to_string(i)), "OK");
  std::size_t scanned = 0;
  std::string cursor = "0";
  do {
    const Reply page = writer.command({"SCAN", cursor, "COUNT", "5"});
    ASSERT_EQ(page->type, REDIS_REPLY_ARRAY);
    cursor.assign(page->element[0]->str, page->element[0]->len);
    for (std::size_t i = 0; i < page->element[1]->elements; ++i) {
      const redisReply& key = *page->element[1]->element[i];
      scanned += key.len == kMiB || std::string_view{key.str, key.len} == "bystander" ? 1 : 0;
    }
  } while (cursor != "0");
  EXPECT_EQ(scanned, count + 1);
  const auto deadline = Clock::now() + kPatience;
  const auto resident_mib = [this] { return status_kib(server_.process().id(), "RssAnon:") / 1024; };
  while (kMemoryIsOurs && resident_mib() > memory_mib_) {
    ASSERT_LT(Clock::now(), deadline) << resident_mib();
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

TEST_F(Abuse, APipelineWithoutEnd) {
  const std::size_t count = times(50'000);
  const auto pipeline = raw_client();
  std::thread sender{[&] {
    std::string requests;
    for (std::size_t i = 0; i < count; ++i) {
      requests += encode({"SET", std::to_string(i), "value"});
      if (requests.size() < kMiB && i + 1 < count) continue;
      pipeline->send(requests);
      requests.clear();
    }
  }};
  for (std::size_t i = 0; i < count; i += 1000) {
    const std::string replies = pipeline->receive(5 * std::min<std::size_t>(1000, count - i));
    for (std::size_t at = 0; at < replies.size(); at += 5) ASSERT_EQ(replies.substr(at, 5), "+OK\r\n");
  }
  sender.join();
  EXPECT_EQ(client().ask("GET", std::to_string(count - 1)), "value");
}

TEST_F(Abuse, StormsOfConnections) {
  std::vector<std::jthread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      std::mt19937_64 random{engine::test_seed() + thread};
      for (std::size_t i = 0; i < times(500); ++i) {
        RawClient client{server_};
        if (random() % 3 == 0) client.send(encode({"PING"}));
        if (random() % 3 != 0) client.vanish_at_end();
      }
    });
  }
}

TEST_F(Abuse, WrongPasswordsAtSpeed) {
  std::vector<std::jthread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([this, thread] {
      RawClient client{server_};
      for (std::size_t i = 0; i < times(20); ++i) {
        std::string guesses;
        for (int guess = 0; guess < 50; ++guess) {
          guesses += encode({"AUTH", fmt::format("guess-{}-{}-{}", thread, i, guess)});
        }
        client.send(guesses);
        for (int guess = 0; guess < 50; ++guess) {
          ASSERT_THAT(client.receive_line(), StartsWith("-WRONGPASS"));
        }
      }
    });
  }
  threads.clear();
  Client admin = client();
  const Reply refusals = admin.command({"ACL", "LOG", "1000000"});
  ASSERT_EQ(refusals->type, REDIS_REPLY_ARRAY);
  EXPECT_LE(refusals->elements, 128u);  // acllog-max-len
}

}  // namespace
}  // namespace shale::integration
