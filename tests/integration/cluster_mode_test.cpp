// cluster-enabled: a cluster of one node, as clients of Redis Cluster see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/integration/client.h"

namespace shale::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::UnorderedElementsAre;

class ClusterMode : public ::testing::Test {
 protected:
  ServerProcess server_{{"--cluster-enabled", "yes", "--sharding", "ring"}};
  Client client_{server_};
  std::string port() const { return std::to_string(server_.port()); }
};

TEST_F(ClusterMode, ThisNodeHasAllSlots) {
  const std::string id = client_.ask("CLUSTER", "MYID");
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{40}"));
  EXPECT_EQ(client_.ask("CLUSTER", "SLOTS"),
            "[[(integer) 0, (integer) 16383, [127.0.0.1, (integer) " + port() + ", " + id + ", []]]]");
  EXPECT_EQ(client_.ask("CLUSTER", "NODES"),
            id + " 127.0.0.1:" + port() + "@0 myself,master - 0 0 0 connected 0-16383\n");
  EXPECT_EQ(
      client_.ask("CLUSTER", "SHARDS"),
      "[[slots, [(integer) 0, (integer) 16383], nodes, [[id, " + id + ", port, (integer) " + port() +
          ", ip, 127.0.0.1, endpoint, 127.0.0.1, role, master, replication-offset, (integer) 0, health, "
          "online]]]]");
  EXPECT_THAT(client_.ask("CLUSTER", "INFO"),
              HasSubstr("cluster_state:ok\r\ncluster_slots_assigned:16384\r\n"));
  EXPECT_THAT(client_.ask("INFO", "cluster"), HasSubstr("cluster_enabled:1"));
  EXPECT_THAT(client_.ask("INFO", "server"), HasSubstr("redis_mode:cluster"));
  EXPECT_THAT(client_.ask("HELLO", "2"), HasSubstr("mode, cluster"));
  for (const char* word : {"READONLY", "READWRITE", "ASKING"}) EXPECT_EQ(client_.ask(word), "OK");
}

TEST_F(ClusterMode, TheIdStaysOverRestarts) {
  const std::string id = client_.ask("CLUSTER", "MYID");
  server_.restart();
  EXPECT_EQ(Client{server_}.ask("CLUSTER", "MYID"), id);
}

TEST_F(ClusterMode, AnotherAddressIsAnnounced) {
  client_.ask("CONFIG", "SET", "cluster-announce-ip", "10.1.2.3", "cluster-announce-port", "7777");
  EXPECT_THAT(client_.ask("CLUSTER", "SLOTS"), HasSubstr("[10.1.2.3, (integer) 7777,"));
  EXPECT_THAT(client_.ask("CLUSTER", "NODES"), HasSubstr(" 10.1.2.3:7777@0 "));
}

TEST_F(ClusterMode, KeysOfASlotAreCountedAndNamed) {
  EXPECT_EQ(client_.ask("CLUSTER", "KEYSLOT", "foo"), "(integer) 12182");
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "12182"), "(integer) 0");
  for (const char* key : {"foo", "x{foo}", "y{foo}", "bar", "baz"}) client_.ask("SET", key, "1");
  client_.ask("SET", "gone{foo}", "1", "PXAT", "1000");
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "12182"), "(integer) 3");
  EXPECT_EQ(client_.command({"CLUSTER", "GETKEYSINSLOT", "12182", "2"})->elements, 2u);
  const Reply names = client_.command({"CLUSTER", "GETKEYSINSLOT", "12182", "10"});
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < names->elements; ++i) keys.push_back(to_text(names->element[i]));
  EXPECT_THAT(keys, UnorderedElementsAre("foo", "x{foo}", "y{foo}"));
  EXPECT_EQ(client_.ask("CLUSTER", "GETKEYSINSLOT", "12182", "0"), "[]");
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "16384"), "(error) ERR Invalid slot");
  EXPECT_EQ(client_.ask("CLUSTER", "GETKEYSINSLOT", "1", "-1"), "(error) ERR Invalid slot or number of keys");
}

// More than is read at once: it goes on in the background. Every key counts once, in the first and last slot
// too.
TEST_F(ClusterMode, ALargeSlotAndItsNeighbours) {
  for (int i = 0; i < 3000; ++i) client_.append({"SET", "{foo}" + std::to_string(i), "1"});
  for (int i = 0; i < 3000; ++i) client_.next_reply();
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "12182"), "(integer) 3000");
  EXPECT_EQ(client_.command({"CLUSTER", "GETKEYSINSLOT", "12182", "5000"})->elements, 3000u);
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "12181"), "(integer) 0");
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "12183"), "(integer) 0");
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "0"), "(integer) 0");
  EXPECT_EQ(client_.ask("CLUSTER", "COUNTKEYSINSLOT", "16383"), "(integer) 0");
}

TEST_F(ClusterMode, CommandsOverSeveralSlotsWork) {
  EXPECT_EQ(client_.ask("MSET", "a", "1", "b", "2"), "OK");
  EXPECT_EQ(client_.ask("MGET", "a", "b"), "[1, 2]");
}

TEST_F(ClusterMode, WhatNeedsOtherNodesIsRefused) {
  EXPECT_EQ(client_.ask("SELECT", "0"), "OK");
  EXPECT_EQ(client_.ask("SELECT", "1"), "(error) ERR SELECT is not allowed in cluster mode");
  EXPECT_THAT(client_.ask("CLUSTER", "MEET", "127.0.0.1", "7000"), HasSubstr("cluster of one node"));
  EXPECT_THAT(client_.ask("CLUSTER", "ADDSLOTS", "1"), HasSubstr("cluster of one node"));
  EXPECT_EQ(client_.ask("CLUSTER", "REPLICAS", "nosuch"), "(error) ERR Unknown node nosuch");
  EXPECT_EQ(client_.ask("REPLICAOF", "NO", "ONE"), "(error) ERR REPLICAOF not allowed in cluster mode.");
}

// redis-cli follows a cluster's redirections, and redis-benchmark asks for its slots, where they are
// installed.
TEST_F(ClusterMode, RedisCliWorks) {
  const auto run = [](const std::string& command) {
    std::string output;
    if (FILE* pipe = ::popen((command + " 2>&1").c_str(), "r"); pipe != nullptr) {
      char bytes[4096];
      for (std::size_t count; (count = std::fread(bytes, 1, sizeof bytes, pipe)) > 0;)
        output.append(bytes, count);
      ::pclose(pipe);
    }
    return output;
  };
  if (!std::filesystem::exists("/usr/bin/redis-cli")) GTEST_SKIP() << "redis-cli is not installed";
  EXPECT_EQ(run("redis-cli -c -p " + port() + " set foo bar"), "OK\n");
  EXPECT_THAT(run("redis-cli --cluster check 127.0.0.1:" + port()), HasSubstr("All 16384 slots covered"));
}

TEST(ClusterModeOff, ClusterCommandsSaySo) {
  const ServerProcess server;
  Client client{server};
  for (const char* subcommand : {"INFO", "SLOTS", "SHARDS", "NODES", "MYID", "LINKS", "HELP"}) {
    EXPECT_EQ(client.ask("CLUSTER", subcommand), "(error) ERR This instance has cluster support disabled");
  }
  EXPECT_THAT(client.ask("CLUSTER", "NOSUCH"), HasSubstr("unknown subcommand 'NOSUCH'. Try CLUSTER HELP."));
}

TEST(ClusterModeOff, KeyRangesHaveNoSlots) {
  const TemporaryFolder folder;
  const Outcome outcome = run_server({"--cluster-enabled", "yes", "--sharding", "range", "--port",
                                      std::to_string(free_port()), "--dir", folder.path() + "/data"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("option 'cluster-enabled'"));
}

}  // namespace
}  // namespace shale::integration
