// Data beyond the memory: what is read has to come from the disk, and clients see nothing of it but the time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/integration/client.h"
#include "tests/integration/numbered_values.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

constexpr int kKeys = 40'000;  // 40 MB in a server of 32

class ColdReads : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(load_numbers(server_, kKeys));
    server_.restart();
  }

  ServerProcess server_{{"--memory", "32mb"}};
  std::mt19937 random_{std::random_device{}()};
};

TEST_F(ColdReads, PipelinesAreAnsweredInOrder) {
  Client client{server_};
  for (int round = 0; round < 40; ++round) {
    std::vector<std::string> expected;
    for (int i = 0; i < 50; ++i) {
      const int key = static_cast<int>(random_() % kKeys);
      switch (i % 5) {
        case 0:
          client.append({"MGET", std::to_string(key), "absent", std::to_string(kKeys - 1 - key)});
          expected.push_back(
              fmt::format("[{}, (nil), {}]", value_of_number(key), value_of_number(kKeys - 1 - key)));
          break;
        case 1:
          client.append({"INCR", "counter"});
          expected.push_back(fmt::format("(integer) {}", round * 10 + i / 5 + 1));
          break;
        case 2:
          client.append({"STRLEN", std::to_string(key)});
          expected.push_back("(integer) 1000");
          break;
        default: client.append({"GET", std::to_string(key)}); expected.push_back(value_of_number(key));
      }
    }
    for (const std::string& reply : expected) ASSERT_EQ(client.next_text(), reply);
  }
}

TEST_F(ColdReads, AClientThatLeavesWhileItsReadsAreOnTheirWayDisturbsNobody) {
  for (int round = 0; round < 50; ++round) {
    RawClient leaver{server_};
    std::string requests;
    for (int i = 0; i < 20; ++i) requests += encode({"GET", std::to_string(random_() % kKeys)});
    leaver.send(requests);
  }
  Client client{server_};
  EXPECT_EQ(client.ask("GET", "7"), value_of_number(7));
}

TEST_F(ColdReads, AScanSeesEverything) {
  Client client{server_};
  std::set<std::string> seen;
  std::string cursor = "0";
  do {
    const Reply reply = client.command({"SCAN", cursor, "COUNT", "1000"});
    ASSERT_NE(reply, nullptr);
    ASSERT_EQ(reply->elements, 2) << to_text(reply.get());
    cursor = reply->element[0]->str;
    for (std::size_t i = 0; i < reply->element[1]->elements; ++i)
      seen.insert(reply->element[1]->element[i]->str);
  } while (cursor != "0");
  EXPECT_EQ(seen.size(), kKeys);
}

TEST_F(ColdReads, AStopWhileManyWaitIsQuick) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_));
    std::string requests;
    for (int each = 0; each < 60; ++each) requests += encode({"GET", std::to_string(random_() % kKeys)});
    clients.back()->send(requests);
  }
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(server_.stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{10});
}

}  // namespace
}  // namespace shale::integration
