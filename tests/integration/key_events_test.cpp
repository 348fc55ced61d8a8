// Keyspace notifications as subscribers hear them.
#include <gtest/gtest.h>

#include "tests/integration/commands_connection.h"
#include "tests/integration/plain_reply.h"

namespace shale::integration {
namespace {

class KeyspaceNotifications : public ::testing::Test {
 protected:
  KeyspaceNotifications() { subscriber_.run("HELLO 3"); }

  // What subscribers of events hear of a command: "set a, expire a".
  std::string events_of(std::string_view line) {
    client_.run(line);
    std::string text;
    std::string messages = plain(subscriber_.messages());
    constexpr std::string_view kBegin = ">4 pmessage __keyevent@0__:* __keyevent@0__:";
    for (std::size_t at = 0; (at = messages.find(kBegin, at)) != std::string::npos;) {
      at += kBegin.size();
      const std::size_t end = std::min(messages.find(" >4", at), messages.size());
      text += (text.empty() ? "" : ", ") + messages.substr(at, end - at);
    }
    return text;
  }

  ServerProcess server_;
  CommandConnection client_{server_.port()};
  CommandConnection subscriber_{server_.port()};
};

TEST_F(KeyspaceNotifications, TellWhatCommandsDo) {
  subscriber_.run("PSUBSCRIBE __keyevent@0__:*");
  client_.run("CONFIG SET notify-keyspace-events EA");
  EXPECT_EQ(events_of("SET a 1"), "set a");
  EXPECT_EQ(events_of("SET a 1 EX 100"), "set a, expire a");
  EXPECT_EQ(events_of("SET a 1 XX GET"), "set a");
  EXPECT_EQ(events_of("SET a 1 NX"), "");
  EXPECT_EQ(events_of("SETNX a 1"), "");
  EXPECT_EQ(events_of("SETEX a 100 1"), "set a, expire a");
  EXPECT_EQ(events_of("PSETEX a 100000 1"), "set a, expire a");
  EXPECT_EQ(events_of("GETSET a 1"), "set a");
  EXPECT_EQ(events_of("INCR a"), "incrby a");
  EXPECT_EQ(events_of("DECRBY a 3"), "incrby a");
  EXPECT_EQ(events_of("INCRBYFLOAT a 1.5"), "incrbyfloat a");
  EXPECT_EQ(events_of("APPEND a x"), "append a");
  EXPECT_EQ(events_of("INCR a"), "");
  EXPECT_EQ(events_of("SETRANGE a 1 y"), "setrange a");
  EXPECT_EQ(events_of("EXPIRE a 100"), "expire a");
  EXPECT_EQ(events_of("PERSIST a"), "persist a");
  EXPECT_EQ(events_of("PERSIST a"), "");
  EXPECT_EQ(events_of("GETEX a EX 100"), "expire a");
  EXPECT_EQ(events_of("GETEX a"), "");
  EXPECT_EQ(events_of("GETEX a PERSIST"), "persist a");
  EXPECT_EQ(events_of("GETDEL a"), "del a");
  EXPECT_EQ(events_of("MSET a 1 b 2"), "set a, set b");
  EXPECT_EQ(events_of("MSETNX b 1 c 2"), "");
  EXPECT_EQ(events_of("DEL a b c"), "del a, del b");
  EXPECT_EQ(events_of("SET a 1"), "set a");
  EXPECT_EQ(events_of("EXPIREAT a 1"), "del a");
  EXPECT_EQ(events_of("GET a"), "");
}

TEST_F(KeyspaceNotifications, TellOnlyWhatIsWanted) {
  subscriber_.run("PSUBSCRIBE __keyevent@0__:*");
  EXPECT_EQ(events_of("SET a 1"), "");
  client_.run("CONFIG SET notify-keyspace-events Eg");
  EXPECT_EQ(client_.run("CONFIG GET notify-keyspace-events"),
            "*2\r\n$22\r\nnotify-keyspace-events\r\n$2\r\ngE\r\n");
  EXPECT_EQ(events_of("SET a 1 EX 100"), "expire a");
  EXPECT_EQ(events_of("DEL a"), "del a");
  client_.run("CONFIG SET notify-keyspace-events Enm");
  EXPECT_EQ(events_of("SET a 1"), "new a");
  EXPECT_EQ(events_of("SET a 1"), "");
  EXPECT_EQ(events_of("MSET a 1 b 1"), "new b");
  EXPECT_EQ(events_of("INCR c"), "new c");
  EXPECT_EQ(events_of("GET d"), "keymiss d");
  EXPECT_EQ(events_of("MGET a d"), "keymiss d");
  client_.run("CONFIG SET notify-keyspace-events KA");
  EXPECT_EQ(events_of("SET a 1"), "");
  EXPECT_EQ(
      client_.run("CONFIG SET notify-keyspace-events KEq"),
      "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class "
      "character. Use 'Ag$lshzxeKEtmdn'.\r\n");
}

TEST_F(KeyspaceNotifications, TellThemByKeyAndByEventOfTheDatabase) {
  client_.run("CONFIG SET notify-keyspace-events KEA");
  subscriber_.run("PSUBSCRIBE *");
  client_.run("SELECT 3");
  client_.run("SET a 1");
  EXPECT_EQ(plain(subscriber_.messages()),
            ">4 pmessage * __keyspace@3__:a set >4 pmessage * __keyevent@3__:set a");
}

// Pipelined behind each other, in the order of the commands, and each before its reply can be acted upon.
TEST_F(KeyspaceNotifications, ComeInTheOrderOfTheCommands) {
  client_.run("CONFIG SET notify-keyspace-events E$");
  subscriber_.run("PSUBSCRIBE *");
  std::string requests;
  std::string expected;
  for (int number = 0; number < 200; ++number) {
    const std::string key = "k" + std::to_string(number % 7);
    requests += encode_words({"SET", key, "v"}) + encode_words({"APPEND", key, "v"});
    expected += (number == 0 ? "" : " ") + std::string{">4 pmessage * __keyevent@0__:set "} + key +
                " >4 pmessage * __keyevent@0__:append " + key;
  }
  client_.run_encoded(requests);
  EXPECT_EQ(plain(subscriber_.messages()), expected);
}

}  // namespace
}  // namespace shale::integration
