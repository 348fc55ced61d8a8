// INFO, CONFIG, COMMAND, and commands that take time: DEBUG SLEEP, WAIT, WAITAOF, SHUTDOWN.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kOk = "+OK\r\n";

class CommandServer : public ::testing::Test {
 protected:
  ServerProcess server_;
  CommandConnection connection_{server_.port()};
};

TEST_F(CommandServer, InfoHasTheFieldsThatLibrariesRead) {
  connection_.run("MSET a 1 b 2");
  connection_.run("GET a");
  connection_.run("GET nosuch");
  const std::string info = connection_.run("INFO");
  for (const char* field : {"redis_version:7.4.",
                            "redis_mode:standalone",
                            "run_id:",
                            "uptime_in_days:0",
                            "os:Linux",
                            "connected_clients:1",
                            "used_memory_human:",
                            "used_memory_peak_human:",
                            "used_memory_vm_total:0",
                            "maxmemory_policy:noeviction",
                            "loading:0",
                            "role:master",
                            "master_replid:",
                            "aof_enabled:1",
                            "aof_last_write_status:ok",
                            "keyspace_hits:1",
                            "keyspace_misses:1",
                            "db0:keys=2,expires=0,avg_ttl=0",
                            "shale_version:",
                            "shards:8",
                            "cold_reads:0",
                            "longest_write_wait_us:0",
                            "cluster_enabled:0",
                            "rdb_bgsave_in_progress:0"}) {
    EXPECT_THAT(info, HasSubstr(std::string("\r\n") + field)) << field;
  }
  EXPECT_THAT(info, HasSubstr("\r\ntcp_port:" + std::to_string(server_.port()) + "\r\n"));
  // BullMQ takes servers that say so for others.
  EXPECT_THAT(info, Not(HasSubstr("dragonfly_version:")));
  EXPECT_THAT(info, Not(HasSubstr("valkey_version:")));
}

TEST_F(CommandServer, InfoShowsTheSectionsAskedFor) {
  EXPECT_EQ(connection_.run("INFO nosuch"), "$0\r\n\r\n");
  EXPECT_EQ(connection_.run("INFO cluster"), "$30\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n");
  const std::string two = connection_.run("INFO Server KEYSPACE");
  EXPECT_THAT(two,
              AllOf(HasSubstr("# Server\r\n"), HasSubstr("\r\n\r\n# Keyspace\r\n"), Not(HasSubstr("# CPU"))));
  EXPECT_THAT(connection_.run("INFO all"), HasSubstr("# Commandstats\r\n"));
  EXPECT_THAT(connection_.run("INFO default"), Not(HasSubstr("# Commandstats\r\n")));
  connection_.run("HELLO 3");
  EXPECT_THAT(connection_.run("INFO cluster"), StartsWith("=34\r\ntxt:# Cluster\r\n"));
}

TEST_F(CommandServer, ConfigIsReadByPatternsAndNames) {
  EXPECT_EQ(connection_.run("CONFIG GET save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_THAT(connection_.run("CONFIG GET appendonly"), StartsWith("*2\r\n$10\r\nappendonly\r\n"));
  EXPECT_EQ(connection_.run("CONFIG GET nosuch"), "*0\r\n");
  EXPECT_EQ(connection_.run("CONFIG GET DATABASES"), "*2\r\n$9\r\nDATABASES\r\n$2\r\n16\r\n");
  EXPECT_EQ(connection_.run("CONFIG GET databas* appendfsync databases"),
            "*4\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n$9\r\ndatabases\r\n$2\r\n16\r\n");
  EXPECT_EQ(connection_.run("CONFIG GET"), "-ERR wrong number of arguments for 'config|get' command\r\n");
  connection_.run("HELLO 3");
  EXPECT_EQ(connection_.run("CONFIG GET databases"), "%1\r\n$9\r\ndatabases\r\n$2\r\n16\r\n");
}

TEST_F(CommandServer, ConfigIsChangedAsAWhole) {
  EXPECT_EQ(connection_.run("CONFIG SET appendfsync always timeout 10"), kOk);
  EXPECT_EQ(connection_.run("CONFIG GET appendfsync"), "*2\r\n$11\r\nappendfsync\r\n$6\r\nalways\r\n");
  EXPECT_THAT(connection_.run("CONFIG SET timeout 20 appendfsync nosuch"),
              StartsWith("-ERR CONFIG SET failed (possibly related to argument 'appendfsync') - "));
  EXPECT_EQ(connection_.run("CONFIG GET timeout"), "*2\r\n$7\r\ntimeout\r\n$2\r\n10\r\n");
  EXPECT_EQ(connection_.run("CONFIG SET nosuch 1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n");
  EXPECT_EQ(connection_.run("CONFIG SET timeout 1 timeout 2"),
            "-ERR CONFIG SET failed (possibly related to argument 'timeout') - duplicate parameter\r\n");
  EXPECT_EQ(connection_.run("CONFIG SET timeout 1 port"), "-ERR syntax error\r\n");
}

TEST_F(CommandServer, ResetstatLetsCountsBeginAgain) {
  connection_.run("GET nosuch");
  EXPECT_THAT(connection_.run("INFO stats"), HasSubstr("keyspace_misses:1\r\n"));
  EXPECT_EQ(connection_.run("CONFIG RESETSTAT"), kOk);
  EXPECT_THAT(connection_.run("INFO stats"), HasSubstr("keyspace_misses:0\r\n"));
}

TEST_F(CommandServer, CommandAnswersFromItsTable) {
  EXPECT_EQ(connection_.run("COMMAND GETKEYS MSET a 1 b 2"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(connection_.run("COMMAND GETKEYS PING"), "-ERR The command has no key arguments\r\n");
  EXPECT_EQ(connection_.run("COMMAND GETKEYS nosuch x"), "-ERR Invalid command specified\r\n");
  EXPECT_EQ(connection_.run("COMMAND GETKEYS MSET a"),
            "-ERR Invalid number of arguments specified for command\r\n");
  EXPECT_EQ(connection_.run("COMMAND GETKEYSANDFLAGS SET a b GET"),
            "*1\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+update\r\n");
  EXPECT_EQ(connection_.run("COMMAND INFO nosuch"), "*1\r\n$-1\r\n");
  EXPECT_EQ(connection_.run("COMMAND DOCS nosuch"), "*0\r\n");
  EXPECT_EQ(connection_.run("COMMAND LIST FILTERBY PATTERN ec*"), "*1\r\n$4\r\necho\r\n");
  EXPECT_THAT(connection_.run("COMMAND LIST FILTERBY ACLCAT string"), HasSubstr("$4\r\nmget\r\n"));
  EXPECT_THAT(connection_.run("COMMAND LIST"), HasSubstr("$10\r\nconfig|get\r\n"));
  EXPECT_EQ(connection_.run("COMMAND nosuch"), "-ERR unknown subcommand 'nosuch'. Try COMMAND HELP.\r\n");
  const std::string count = connection_.run("COMMAND COUNT");
  EXPECT_THAT(connection_.run("COMMAND"), StartsWith("*" + count.substr(1)));
  connection_.run("HELLO 3");
  EXPECT_THAT(connection_.run("COMMAND DOCS get"), StartsWith("%1\r\n$3\r\nget\r\n%5\r\n$7\r\nsummary\r\n"));
  EXPECT_THAT(connection_.run("COMMAND DOCS"), StartsWith("%" + count.substr(1)));
}

TEST_F(CommandServer, SmallThings) {
  EXPECT_THAT(connection_.run("TIME"), MatchesRegex("\\*2\r\n\\$10\r\n[0-9]+\r\n\\$[1-6]\r\n[0-9]+\r\n"));
  EXPECT_THAT(connection_.run("LASTSAVE"), MatchesRegex(":[0-9]+\r\n"));
  EXPECT_EQ(connection_.run("ROLE"), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
  EXPECT_EQ(connection_.run("LASTSAVE now"), "-ERR wrong number of arguments for 'lastsave' command\r\n");
  for (const char* container :
       {"CLIENT", "CONFIG", "COMMAND", "OBJECT", "MEMORY", "DEBUG", "SLOWLOG", "LATENCY", "MODULE"}) {
    EXPECT_THAT(connection_.run(std::string(container) + " HELP"),
                MatchesRegex("\\*[0-9]+\r\n\\+" + std::string(container) + " <subcommand> (.|\r|\n)*"));
  }
  EXPECT_EQ(connection_.run("DEBUG NOSUCH"),
            "-ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP.\r\n");
}

TEST_F(CommandServer, MemoryHasFiguresAndAReport) {
  connection_.run("HELLO 3");
  const std::string stats = connection_.run("MEMORY STATS");
  for (const char* name : {"peak.allocated", "total.allocated", "startup.allocated", "keys.count",
                           "dataset.bytes", "allocator-fragmentation.ratio", "fragmentation.bytes"}) {
    EXPECT_THAT(stats, HasSubstr(name));
  }
  EXPECT_THAT(connection_.run("MEMORY DOCTOR"), HasSubstr("txt:"));
  EXPECT_THAT(connection_.run("MEMORY MALLOC-STATS"), HasSubstr("txt:"));
  EXPECT_EQ(connection_.run("MEMORY PURGE"), kOk);
  const std::string info = connection_.run("INFO memory");
  for (const char* field :
       {"used_memory:", "used_memory_startup:", "allocator_frag_ratio:", "mem_allocator:"}) {
    EXPECT_THAT(info, HasSubstr(std::string("\r\n") + field));
  }
}

TEST_F(CommandServer, WhatIsNotHereSaysSo) {
  EXPECT_EQ(connection_.run("REPLICAOF NO ONE"), kOk);
  EXPECT_THAT(connection_.run("SLAVEOF 127.0.0.1 6379"), StartsWith("-ERR replication is not available"));
  EXPECT_EQ(connection_.run("MODULE LIST"), "*0\r\n");
  EXPECT_THAT(connection_.run("MODULE LOAD x.so"), StartsWith("-ERR MODULE command not allowed"));
  EXPECT_THAT(connection_.run("LOLWUT 20 3"), HasSubstr("Redis ver. 7.4"));
}

TEST_F(CommandServer, DebugSleepDelaysNobodyElse) {
  CommandConnection other(server_.port());
  const auto begin = steady_clock::now();
  connection_.send(encode_words({"DEBUG", "SLEEP", "0.3"}) + encode_words({"PING"}));
  EXPECT_EQ(other.run("PING"), "+PONG\r\n");
  EXPECT_LT(steady_clock::now() - begin, milliseconds(250));
  EXPECT_EQ(connection_.receive(12), "+OK\r\n+PONG\r\n");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(300));
}

TEST_F(CommandServer, WaitKnowsThatThereAreNoReplicas) {
  EXPECT_EQ(connection_.run("WAIT 0 0"), ":0\r\n");
  const auto begin = steady_clock::now();
  EXPECT_EQ(connection_.run("WAIT 1 50"), ":0\r\n");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(50));
  EXPECT_EQ(connection_.run("WAIT x 0"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(connection_.run("WAIT 0 x"), "-ERR timeout is not an integer or out of range\r\n");
  EXPECT_EQ(connection_.run("WAIT 0 -1"), "-ERR timeout is negative\r\n");
}

TEST_F(CommandServer, WaitaofWaitsForTheSyncOfOnesOwnWrites) {
  EXPECT_EQ(connection_.run("WAITAOF 1 0 0"), "*2\r\n:1\r\n:0\r\n");  // nothing written yet
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(connection_.run("SET key value"), kOk);
    EXPECT_EQ(connection_.run("WAITAOF 1 0 0"), "*2\r\n:1\r\n:0\r\n");
  }
  connection_.run("FLUSHALL");
  EXPECT_EQ(connection_.run("WAITAOF 1 0 10000"), "*2\r\n:1\r\n:0\r\n");
  EXPECT_EQ(connection_.run("WAITAOF 0 0 0").size(), 12u);  // does not wait
  const auto begin = steady_clock::now();
  EXPECT_EQ(connection_.run("WAITAOF 1 1 50"), "*2\r\n:1\r\n:0\r\n");  // there is no replica to come
  EXPECT_GE(steady_clock::now() - begin, milliseconds(50));
  EXPECT_EQ(connection_.run("WAITAOF 2 0 0"), "-ERR value is out of range, value must between 0 and 1\r\n");
  EXPECT_EQ(connection_.run("WAITAOF 0 -1 0"), "-ERR value is out of range, must be positive\r\n");
}

TEST_F(CommandServer, ShutdownEndsTheProcess) {
  EXPECT_EQ(connection_.run("SHUTDOWN nosuch"), "-ERR syntax error\r\n");
  EXPECT_EQ(connection_.run("SHUTDOWN SAVE NOSAVE"), "-ERR syntax error\r\n");
  EXPECT_EQ(connection_.run("SHUTDOWN ABORT"), "-ERR No shutdown in progress.\r\n");
  connection_.run("SET key value");
  EXPECT_EQ(connection_.run("SHUTDOWN NOSAVE"), "(closed)");
  EXPECT_EQ(server_.process().wait(), 0);
  server_.start();
  CommandConnection again(server_.port());
  EXPECT_EQ(again.run("GET key"), "$5\r\nvalue\r\n");
}

}  // namespace
}  // namespace shale::integration
