// Values larger than the memory, as clients see them: nothing but the time tells them from others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/effort.h"
#include "tests/integration/client.h"
#include "tests/integration/random_value.h"
#include "tests/integration/server_process.h"
#include "tests/integration/server_resources.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::vector<std::filesystem::path> files_of(const ServerProcess& server) {
  std::vector<std::filesystem::path> files;
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator(server.folder() + "/data/large", none)) {
    files.push_back(file.path());
  }
  return files;
}

// Until the server's housekeeping has left so many files.
bool comes_to(const ServerProcess& server, std::size_t files) {
  Client client{server};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (files_of(server).size() == files) return true;
    client.ask("PING");
  }
  return false;
}

const std::vector<std::string> kLittleMemory{"--memory", "32mb"};

TEST(LargeValues, AreWrittenReadAndChangedWithinTheBudget) {
  ServerProcess server{kLittleMemory};
  AnonymousMemory memory{server};
  Client client{server};
  const std::string value = random_value(engine::rounds_of_test(64) * kMiB + 12'345, 1);
  const std::string length = std::to_string(value.size());
  EXPECT_EQ(client.ask("SET", "k", value), "OK");
  EXPECT_EQ(client.ask("STRLEN", "k"), "(integer) " + length);
  EXPECT_TRUE(client.ask("GET", "k") == value);
  EXPECT_TRUE(client.ask("GETRANGE", "k", "262000", "263000") == value.substr(262'000, 1001));
  EXPECT_TRUE(client.ask("GETRANGE", "k", "-5", "-1") == value.substr(value.size() - 5));
  EXPECT_EQ(client.ask("GETRANGE", "k", length, "-1"), "");
  EXPECT_EQ(client.ask("OBJECT", "ENCODING", "k"), "raw");
  EXPECT_THAT(client.ask("INCR", "k"), StartsWith("(error) ERR value is not an integer"));

  // A new expiry copies nothing.
  EXPECT_EQ(client.ask("EXPIRE", "k", "1000"), "(integer) 1");
  EXPECT_EQ(client.ask("PERSIST", "k"), "(integer) 1");
  EXPECT_EQ(files_of(server).size(), 1u);

  EXPECT_EQ(client.ask("APPEND", "k", "the end"), "(integer) " + std::to_string(value.size() + 7));
  EXPECT_EQ(client.ask("SETRANGE", "k", "1000000", "patched"),
            "(integer) " + std::to_string(value.size() + 7));
  std::string changed = value + "the end";
  changed.replace(1'000'000, 7, "patched");
  EXPECT_TRUE(client.ask("GET", "k") == changed);
  EXPECT_EQ(client.ask("SETRANGE", "zeros", "20000000", "x"), "(integer) 20000001");
  EXPECT_TRUE(client.ask("GET", "zeros") == std::string(20'000'000, '\0') + "x");

  EXPECT_TRUE(client.ask("GETSET", "k", "small") == changed);
  EXPECT_EQ(client.ask("GET", "k"), "small");
  EXPECT_TRUE(client.ask("GETDEL", "zeros").ends_with("x"));
  EXPECT_EQ(client.ask("EXISTS", "zeros"), "(integer) 0");
  EXPECT_TRUE(comes_to(server, 0)) << "what has been replaced gives its space back";
  if (kMemoryIsOurs) {
    EXPECT_LE(memory.peak_mib(), 32u);
  }
}

TEST(LargeValues, OfSeveralClientsAtOnceStayWithinTheBudget) {
  ServerProcess server{kLittleMemory};
  AnonymousMemory memory{server};
  const std::size_t bytes = engine::rounds_of_test(24) * kMiB;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 6; ++i) {
    threads.emplace_back([&server, bytes, i] {
      Client client{server};
      const std::string value = random_value(bytes, i);
      const std::string key = "k" + std::to_string(i);
      EXPECT_EQ(client.ask("SET", key, value), "OK");
      EXPECT_TRUE(client.ask("GET", key) == value);
      EXPECT_EQ(client.ask("APPEND", key, value), "(integer) " + std::to_string(2 * bytes));
      EXPECT_TRUE(client.ask("GET", key) == value + value);
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (kMemoryIsOurs) {
    EXPECT_LE(memory.peak_mib(), 32u);
  }
  EXPECT_TRUE(comes_to(server, 6));
  EXPECT_EQ(Client{server}.ask("FLUSHALL"), "OK");
  EXPECT_TRUE(comes_to(server, 0));
}

std::string integer(std::uint64_t value) { return "(integer) " + std::to_string(value); }

TEST(LargeValues, HaveBitsLikeOthers) {
  ServerProcess server{kLittleMemory};
  AnonymousMemory memory{server};
  Client client{server};
  const std::string zeros(5 * kMiB, '\0');
  std::string value = zeros;
  value[3 * kMiB + 17] = '\x05';
  value[4 * kMiB] = '\xff';
  EXPECT_EQ(client.ask("SET", "k", value), "OK");
  EXPECT_EQ(client.ask("BITCOUNT", "k"), integer(10));
  EXPECT_EQ(client.ask("BITCOUNT", "k", "0", std::to_string(4 * kMiB - 1)), integer(2));
  EXPECT_EQ(client.ask("BITCOUNT", "k", std::to_string(32 * kMiB + 3), "-1", "BIT"), integer(5));
  EXPECT_EQ(client.ask("BITPOS", "k", "1"), integer((3 * kMiB + 17) * 8 + 5));
  EXPECT_EQ(client.ask("BITPOS", "k", "0", std::to_string(4 * kMiB)), integer((4 * kMiB + 1) * 8));
  EXPECT_EQ(client.ask("BITPOS", "k", "1", std::to_string(4 * kMiB + 1)), "(integer) -1");
  EXPECT_EQ(client.ask("GETBIT", "k", std::to_string(32 * kMiB)), integer(1));
  EXPECT_EQ(client.ask("SETBIT", "k", std::to_string(32 * kMiB), "0"), integer(1));
  EXPECT_EQ(client.ask("GETRANGE", "k", std::to_string(4 * kMiB), std::to_string(4 * kMiB)), "\x7f");
  EXPECT_EQ(
      client.ask("BITFIELD", "k", "GET", "u8", "#" + std::to_string(4 * kMiB), "SET", "u16",
                 "#" + std::to_string(2 * kMiB), "258", "GET", "u8", "#" + std::to_string(4 * kMiB + 1)),
      "[(integer) 127, (integer) 32512, (integer) 2]");
  EXPECT_THAT(client.ask("BITFIELD", "k", "SET", "u8", "0", "1", "GET", "u8", "#" + std::to_string(4 * kMiB)),
              HasSubstr("too far apart"));
  EXPECT_EQ(client.ask("SETBIT", "new", std::to_string(16 * kMiB - 1), "1"), integer(0));
  EXPECT_EQ(client.ask("STRLEN", "new"), integer(2 * kMiB));

  // With values that are longer, shorter, and none.
  EXPECT_EQ(client.ask("SET", "k", value), "OK");
  EXPECT_EQ(client.ask("SET", "short", "\xf0"), "OK");
  EXPECT_EQ(client.ask("BITOP", "OR", "d", "short", "none", "k"), integer(5 * kMiB));
  value[0] = '\xf0';
  EXPECT_TRUE(client.ask("GET", "d") == value);
  EXPECT_EQ(client.ask("BITOP", "AND", "d", "d", "k", "new"), integer(5 * kMiB));
  EXPECT_TRUE(client.ask("GET", "d") == zeros);
  EXPECT_EQ(client.ask("BITOP", "NOT", "d", "d"), integer(5 * kMiB));
  EXPECT_TRUE(client.ask("GET", "d") == std::string(5 * kMiB, '\xff'));
  EXPECT_EQ(client.ask("BITOP", "XOR", "d", "d", "d"), integer(5 * kMiB));
  EXPECT_EQ(client.ask("BITCOUNT", "d"), integer(0));
  if (kMemoryIsOurs) {
    EXPECT_LE(memory.peak_mib(), 32u);
  }
}

TEST(LargeValues, AreMovedCopiedAndDumped) {
  ServerProcess server{kLittleMemory};
  AnonymousMemory memory{server};
  Client client{server};
  const std::string value = random_value(6 * kMiB, 9);
  EXPECT_EQ(client.ask("SET", "a", value, "EX", "10000"), "OK");
  EXPECT_EQ(client.ask("RENAME", "a", "b"), "OK");
  EXPECT_EQ(client.ask("EXISTS", "a"), integer(0));
  EXPECT_EQ(client.ask("COPY", "b", "c", "DB", "3"), integer(1));
  EXPECT_EQ(client.ask("COPY", "b", "c"), integer(1));
  EXPECT_EQ(client.ask("MOVE", "c", "4"), integer(1));
  EXPECT_TRUE(client.ask("GET", "b") == value);
  for (const char* database : {"3", "4"}) {
    EXPECT_EQ(client.ask("SELECT", database), "OK");
    EXPECT_TRUE(client.ask("GET", "c") == value);
    EXPECT_NE(client.ask("TTL", "c"), "(integer) -1");
  }
  EXPECT_TRUE(comes_to(server, 3)) << "one file for each, and none is left of those that were moved";
  const std::string dumped = client.ask("DUMP", "c");
  EXPECT_EQ(dumped.size(), 1 + 5 + value.size() + 10);
  EXPECT_TRUE(dumped.substr(6, value.size()) == value);
  if (kMemoryIsOurs) {
    EXPECT_LE(memory.peak_mib(), 32u);
  }
  server.stop();
  server.start();
  Client again{server};
  EXPECT_TRUE(again.ask("GET", "b") == value);
  EXPECT_EQ(again.ask("EXISTS", "a", "c"), integer(0));
}

TEST(LargeValues, SurviveKillsAndAreVerified) {
  for (const char* const mode : {"always", "everysec"}) {
    ServerProcess server{{"--memory", "32mb", "--appendfsync", mode}};
    const std::string first = random_value(16 * kMiB, 1);
    const std::string second = random_value(16 * kMiB + 1, 2);
    EXPECT_EQ(Client{server}.ask("MSET", "a", first, "b", second, "c", "small", "gone", first), "OK");
    EXPECT_EQ(Client{server}.ask("DEL", "gone"), "(integer) 1");
    RawClient halfway{server};
    halfway.send(fmt::format("*3\r\n$3\r\nSET\r\n$1\r\nh\r\n$50000000\r\n{}", first));
    server.kill();
    server.start();
    Client client{server};
    EXPECT_TRUE(client.ask("GET", "a") == first);
    EXPECT_TRUE(client.ask("GET", "b") == second);
    EXPECT_EQ(client.ask("GET", "c"), "small");
    EXPECT_EQ(client.ask("EXISTS", "h", "gone"), "(integer) 0");
    EXPECT_TRUE(comes_to(server, 2));
    EXPECT_EQ(client.ask("SET", "a", second, "PX", "1"), "OK");
    while (client.ask("EXISTS", "a") == "(integer) 1") {  // for a millisecond
    }
    EXPECT_TRUE(client.ask("GET", "a") == "(nil)");
    server.stop();
    const Outcome sound = run_server({"--verify", server.folder() + "/data"});
    EXPECT_EQ(sound.exit_code, 0) << sound.output;
  }
}

TEST(LargeValues, OfAClientThatVanishesNothingIsLeft) {
  ServerProcess server{kLittleMemory};
  {
    RawClient client{server};
    client.send("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000000\r\n" + std::string(5'000'000, 'x'));
    ASSERT_TRUE(comes_to(server, 1));
  }
  EXPECT_TRUE(comes_to(server, 0));
  EXPECT_EQ(Client{server}.ask("GET", "a"), "(nil)");
}

TEST(LargeValues, ArePipelinedLikeOthers) {
  ServerProcess server{kLittleMemory};
  Client client{server};
  const std::string value = random_value(3 * kMiB, 3);
  client.append({"SET", "before", "1"});
  client.append({"SET", "k", value});
  client.append({"GET", "before"});
  client.append({"GET", "k"});
  client.append({"GET", "none"});
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.next_text(), "1");
  EXPECT_TRUE(client.next_text() == value);
  EXPECT_EQ(client.next_text(), "(nil)");
  client.append({"SET", "k", value, "NX"});
  client.append({"MSET", "k", "new", "l", value, "m", value, "l", "last"});
  client.append({"MSETNX", "new", value, "k", value});
  client.append({"SET", "k", value, "GET"});
  client.append({"MGET", "k", "l", "none", "before", "m"});
  EXPECT_EQ(client.next_text(), "(nil)");
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.next_text(), "(integer) 0");
  EXPECT_EQ(client.next_text(), "new");
  EXPECT_TRUE(client.next_text() == "[" + value + ", last, (nil), 1, " + value + "]");
  EXPECT_TRUE(comes_to(server, 2));
  // Where no reply is wanted, none comes, nor any part of one.
  client.append({"CLIENT", "REPLY", "SKIP"});
  client.append({"GET", "k"});
  client.append({"PING"});
  EXPECT_EQ(client.next_text(), "PONG");
}

TEST(LargeValues, ManyInOneRequestThatTogetherAreTooLarge) {
  ServerProcess server{kLittleMemory};
  Client client{server};
  std::vector<std::string> words{"MSET"};
  for (unsigned i = 0; i < 40; ++i) {
    words.push_back("k" + std::to_string(i));
    words.push_back(random_value(300'000, i));
  }
  EXPECT_EQ(to_text(client.command(words).get()), "OK");
  for (unsigned i = 0; i < 40; ++i) EXPECT_TRUE(client.ask("GET", words[1 + 2 * i]) == words[2 + 2 * i]);
}

TEST(LargeValues, ThatCannotBeWrittenAreRefusedAndTheNextCommandRuns) {
  ServerProcess server{kLittleMemory};
  std::ofstream{server.folder() + "/data/large"} << "in the way";
  Client client{server};
  client.append({"SET", "k", random_value(8 * kMiB, 1)});
  client.append({"SET", "small", "1"});
  EXPECT_THAT(client.next_text(), HasSubstr("/data/large"));
  EXPECT_EQ(client.next_text(), "OK");
  EXPECT_EQ(client.ask("GET", "k"), "(nil)");
}

void flip_bit(const std::filesystem::path& path, std::streamoff offset) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(offset);
  const int byte = file.get();
  file.seekp(offset);
  file.put(static_cast<char>(byte ^ 4));
}

TEST(LargeValues, DamageIsNeverServed) {
  ServerProcess server{kLittleMemory};
  const std::string value = random_value(4 * kMiB, 1);
  EXPECT_EQ(Client{server}.ask("SET", "k", value), "OK");
  const auto files = files_of(server);
  ASSERT_EQ(files.size(), 1u);
  flip_bit(files[0], 3'000'000);
  EXPECT_EQ(Client{server}.ask("GET", "k"), "(no reply)");
  Client client{server};
  EXPECT_TRUE(client.ask("GETRANGE", "k", "0", "99") == value.substr(0, 100)) << "that part is sound";
  flip_bit(files[0], static_cast<std::streamoff>(value.size() + 2));
  EXPECT_THAT(client.ask("GET", "k"), HasSubstr(files[0].filename().string() + ": offset 4194304"));
  EXPECT_EQ(client.ask("STRLEN", "k"), "(integer) 4194304");
  server.stop();
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 1);
  std::filesystem::remove(files[0]);
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 1);
  server.start();
  EXPECT_THAT(Client{server}.ask("GET", "k"), HasSubstr(files[0].filename().string()));
}

}  // namespace
}  // namespace shale::integration
