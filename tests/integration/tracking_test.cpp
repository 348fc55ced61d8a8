// CLIENT TRACKING: clients that cache are told of changes, as pushes or through another connection.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "tests/integration/commands_connection.h"
#include "tests/integration/plain_reply.h"

namespace shale::integration {
namespace {

class ClientTracking : public ::testing::Test {
 protected:
  ClientTracking() {
    reader_.run("HELLO 3");
    listener_.run("SUBSCRIBE __redis__:invalidate");
  }
  std::string read(std::string_view line) { return plain(reader_.run(line)); }
  std::string write(std::string_view line) { return plain(writer_.run(line)); }
  std::string told() { return plain(reader_.messages()); }
  std::uint64_t id_of(CommandConnection& connection) {
    return std::stoull(connection.run("CLIENT ID").substr(1));
  }

  ServerProcess server_{{"--threads", "3"}};
  CommandConnection reader_{server_.port()};
  CommandConnection listener_{server_.port()};
  CommandConnection writer_{server_.port()};
};

TEST_F(ClientTracking, TellsOnceOfAChangeToWhatWasRead) {
  EXPECT_EQ(read("CLIENT TRACKING ON"), "+OK");
  write("MSET a 1 b 2 c 3");
  read("MGET a b");
  read("GET missing");
  write("SET a 2");
  write("SET a 3");
  write("INCR b");
  write("SET c 4");
  write("SET missing 1");
  EXPECT_EQ(told(), ">2 invalidate *1 a >2 invalidate *1 b >2 invalidate *1 missing");
  read("GET a");
  write("DEL a");
  write("EXPIRE c 100");
  EXPECT_EQ(told(), ">2 invalidate *1 a");
  read("GET c");
  write("EXPIRE c 100");
  EXPECT_EQ(told(), ">2 invalidate *1 c");
  EXPECT_EQ(read("CLIENT TRACKING OFF"), "+OK");
  read("GET a");
  write("SET a 1");
  EXPECT_EQ(told(), "");
}

// An array there would pass for the reply to the next request.
TEST_F(ClientTracking, TellsInTheProtocolFromBeforeAReset) {
  reader_.run("CLIENT TRACKING ON");
  reader_.run("GET a");
  std::string requests;
  for (const auto& words : std::vector<Words>{{"SET", "a", "1"}, {"RESET"}, {"GET", "a"}}) {
    requests += encode_words(words);
  }
  EXPECT_EQ(plain(reader_.run_encoded(requests)), "+OK >2 invalidate *1 a +RESET 1");
  EXPECT_EQ(told(), "");
}

// It is told of its own writes behind their replies.
TEST_F(ClientTracking, TellsOfOnesOwnWritesUnlessToldNotTo) {
  read("CLIENT TRACKING ON");
  EXPECT_EQ(plain(reader_.run_encoded(encode_words({"GET", "a"}) + encode_words({"SET", "a", "1"}) +
                                      encode_words({"GET", "a"}))),
            "_ +OK >2 invalidate *1 a 1");
  read("CLIENT TRACKING OFF");
  read("CLIENT TRACKING ON NOLOOP");
  EXPECT_EQ(read("GET own"), "_");
  EXPECT_EQ(read("SET own 1"), "+OK");
  EXPECT_EQ(told(), "");
  read("GET own");
  write("SET own 2");
  EXPECT_EQ(told(), ">2 invalidate *1 own");
}

TEST_F(ClientTracking, TellsAnotherConnectionInItsPlace) {
  CommandConnection redirected{server_.port()};
  const std::uint64_t listener = id_of(writer_);
  EXPECT_EQ(plain(redirected.run("CLIENT TRACKING ON REDIRECT 99999")),
            "-ERR The client ID you want redirect to does not exist");
  EXPECT_EQ(plain(redirected.run(fmt::format("CLIENT TRACKING ON REDIRECT {}", listener))), "+OK");
  EXPECT_EQ(plain(redirected.run("CLIENT GETREDIR")), fmt::format(":{}", listener));
  redirected.run("GET a");
  writer_.run("SUBSCRIBE __redis__:invalidate");
  redirected.run("SET a 1");
  EXPECT_EQ(plain(writer_.messages()), "*3 message __redis__:invalidate *1 a");
  redirected.run("FLUSHALL");
  EXPECT_EQ(plain(writer_.messages()), "*3 message __redis__:invalidate nil");
  writer_.run("RESET");
  writer_.run("HELLO 3");
  redirected.run("GET a");
  redirected.run("SET a 1");
  EXPECT_EQ(plain(writer_.messages()), ">2 invalidate *1 a");
}

TEST_F(ClientTracking, SaysThatARedirectionIsBroken) {
  auto target = std::make_unique<CommandConnection>(server_.port());
  const std::uint64_t id = id_of(*target);
  EXPECT_EQ(read(fmt::format("CLIENT TRACKING ON REDIRECT {}", id)), "+OK");
  read("GET a");
  write(fmt::format("CLIENT KILL ID {}", id));
  EXPECT_TRUE(target->closed_by_server());
  write("SET a 1");
  std::string all = told();
  while (all.empty()) all = told();
  EXPECT_EQ(all, fmt::format(">2 tracking-redir-broken :{}", id));
  EXPECT_EQ(read("CLIENT TRACKINGINFO"),
            fmt::format("%3 flags ~2 on broken_redirect redirect :{} prefixes *0", id));
  EXPECT_NE(write(fmt::format("CLIENT LIST ID {}", id_of(reader_))).find(" flags=tR "), std::string::npos);
}

TEST_F(ClientTracking, TellsOfTheNextCommandOnlyWithOptin) {
  read("CLIENT TRACKING ON OPTIN");
  read("GET a");
  write("SET a 1");
  EXPECT_EQ(told(), "");
  EXPECT_EQ(read("CLIENT CACHING NO"),
            "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  reader_.run_encoded(encode_words({"CLIENT", "CACHING", "YES"}) + encode_words({"GET", "a"}) +
                      encode_words({"GET", "b"}));
  write("MSET a 2 b 2");
  EXPECT_EQ(told(), ">2 invalidate *1 a");
}

TEST_F(ClientTracking, LeavesOutTheNextCommandWithOptout) {
  read("CLIENT TRACKING ON OPTOUT");
  reader_.run_encoded(encode_words({"CLIENT", "CACHING", "NO"}) + encode_words({"GET", "a"}) +
                      encode_words({"GET", "b"}));
  write("MSET a 2 b 2");
  EXPECT_EQ(told(), ">2 invalidate *1 b");
}

// Whether it comes before MULTI or is queued: what is read behind it, to the end of the transaction.
TEST_F(ClientTracking, CachingHoldsForTheRestOfATransaction) {
  read("CLIENT TRACKING ON OPTIN");
  reader_.run_all(
      {{"CLIENT", "CACHING", "YES"}, {"MULTI"}, {"GET", "a"}, {"GET", "b"}, {"EXEC"}, {"GET", "c"}});
  write("MSET a 1 b 1 c 1");
  EXPECT_EQ(told(), ">2 invalidate *1 a >2 invalidate *1 b");
  reader_.run_all({{"MULTI"},
                   {"GET", "c"},
                   {"CLIENT", "CACHING", "YES"},
                   {"GET", "a"},
                   {"GET", "b"},
                   {"EXEC"},
                   {"GET", "d"}});
  write("MSET a 2 b 2 c 2 d 2");
  EXPECT_EQ(told(), ">2 invalidate *1 a >2 invalidate *1 b");
}

TEST_F(ClientTracking, BroadcastsByPrefix) {
  EXPECT_EQ(read("CLIENT TRACKING ON BCAST PREFIX user: PREFIX object:"), "+OK");
  write("SET user:1 x");
  write("SET other x");
  EXPECT_EQ(told(), ">2 invalidate *1 user:1");
  write("MSET object:1 x user:2 x user:1 x user:2 y");
  EXPECT_EQ(told(), ">2 invalidate *1 object:1 >2 invalidate *2 user:1 user:2");
  EXPECT_EQ(read("CLIENT TRACKINGINFO"), "%3 flags ~2 on bcast redirect :0 prefixes *2 user: object:");
  EXPECT_EQ(
      read("CLIENT TRACKING ON BCAST PREFIX user:1"),
      "-ERR Prefix 'user:1' overlaps with an existing prefix 'user:'. Prefixes for a single client must not "
      "overlap.");
  EXPECT_EQ(read("CLIENT TRACKING ON"),
            "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
            "re-enabling it with a different mode.");
  const std::string stats = write("INFO stats");
  EXPECT_NE(stats.find("tracking_total_prefixes:2"), std::string::npos);
  read("RESET");
  EXPECT_EQ(read("CLIENT TRACKINGINFO"), "*6 flags *1 off redirect :-1 prefixes *0");
}

TEST_F(ClientTracking, BroadcastsAllKeysWithoutAPrefix) {
  read("CLIENT TRACKING ON BCAST NOLOOP");
  read("SET a 1");
  write("SET b 1");
  EXPECT_EQ(told(), ">2 invalidate *1 b");
}

TEST_F(ClientTracking, OfATransactionOnlyChangesBehindTheReadAreTold) {
  read("CLIENT TRACKING ON");
  const std::string replies = plain(reader_.run_all({{"MULTI"},
                                                     {"SET", "a", "1"},
                                                     {"GET", "a"},
                                                     {"SET", "b", "1"},
                                                     {"GET", "b"},
                                                     {"SET", "b", "2"},
                                                     {"GET", "c"},
                                                     {"SET", "c", "1"},
                                                     {"EXEC"}}));
  EXPECT_THAT(replies, testing::EndsWith(">2 invalidate *1 b >2 invalidate *1 c")) << replies;
  write("SET a 2");
  EXPECT_EQ(told(), ">2 invalidate *1 a");
}

TEST_F(ClientTracking, ForgetsEverythingWhenKeysAreFlushed) {
  read("CLIENT TRACKING ON");
  write("SET a 1");
  read("GET a");
  write("FLUSHDB");
  EXPECT_EQ(told(), ">2 invalidate _");
}

TEST_F(ClientTracking, ForgetsWhatClientsReadThatTrackNoLonger) {
  read("CLIENT TRACKING ON");
  read("MGET a b c");
  read("CLIENT TRACKING OFF");
  EXPECT_NE(write("INFO stats").find("tracking_total_keys:3 "), std::string::npos);
  write("SET a 1");
  EXPECT_NE(write("INFO stats").find("tracking_total_keys:2 "), std::string::npos);
  write("FLUSHALL");
  EXPECT_NE(write("INFO stats").find("tracking_total_keys:0 "), std::string::npos);
}

TEST_F(ClientTracking, IsBounded) {
  write("CONFIG SET tracking-table-max-keys 1");
  read("CLIENT TRACKING ON");
  // They come with the reply, or a moment after the table has let go of the keys.
  std::string all = read("MGET a b c");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::ranges::count(all, '>') < 2 && std::chrono::steady_clock::now() < deadline) all += told();
  EXPECT_EQ(std::ranges::count(all, '>'), 2) << all;
  EXPECT_NE(write("INFO stats").find("tracking_total_keys:1 "), std::string::npos);
}

TEST_F(ClientTracking, RefusesWhatCannotBe) {
  EXPECT_EQ(
      read("CLIENT CACHING YES"),
      "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
      "enabled");
  EXPECT_EQ(read("CLIENT GETREDIR"), ":-1");
  EXPECT_EQ(read("CLIENT TRACKING ON PREFIX a"), "-ERR PREFIX option requires BCAST mode to be enabled");
  EXPECT_EQ(read("CLIENT TRACKING ON BCAST OPTIN"), "-ERR OPTIN and OPTOUT are not compatible with BCAST");
  EXPECT_EQ(read("CLIENT TRACKING ON OPTIN OPTOUT"),
            "-ERR You can't specify both OPTIN mode and OPTOUT mode");
  EXPECT_EQ(
      read("CLIENT TRACKING ON BCAST PREFIX ab PREFIX a"),
      "-ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single client must not "
      "overlap.");
  EXPECT_EQ(read("CLIENT TRACKING MAYBE"), "-ERR syntax error");
  read("CLIENT TRACKING ON OPTIN");
  EXPECT_EQ(read("CLIENT TRACKING ON OPTOUT"),
            "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
            "re-enabling it with a different mode.");
}

}  // namespace
}  // namespace shale::integration
