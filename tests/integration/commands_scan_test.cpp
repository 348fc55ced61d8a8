// SCAN: every key that is there from start to end comes, whatever else happens.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "tests/integration/commands_connection.h"

namespace shale::integration {
namespace {

struct Page {
  std::string cursor;
  Words keys;
};

// "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"
Page parse_page(std::string_view reply) {
  const auto line = [&] {
    const std::size_t end = reply.find("\r\n");
    const std::string_view text = reply.substr(0, end);
    reply.remove_prefix(end + 2);
    return text;
  };
  const auto number = [&] {
    const std::string_view text = line();
    std::size_t value = 0;
    std::from_chars(text.data() + 1, text.data() + text.size(), value);
    return value;
  };
  const auto bulk = [&] {
    const std::size_t bytes = number();
    std::string text(reply.substr(0, bytes));
    reply.remove_prefix(bytes + 2);
    return text;
  };
  Page page;
  EXPECT_EQ(number(), 2u);
  page.cursor = bulk();
  page.keys.resize(number());
  for (std::string& key : page.keys) key = bulk();
  EXPECT_TRUE(reply.empty());
  return page;
}

class CommandScan : public ::testing::Test {
 protected:
  // How often each key came.
  std::map<std::string, int> scan(const std::string& options = "", int* pages = nullptr) {
    std::map<std::string, int> seen;
    Page page{.cursor = "0", .keys = {}};
    int count = 0;
    do {
      page = parse_page(connection_.run("SCAN " + page.cursor + " " + options));
      for (const std::string& key : page.keys) ++seen[key];
      ++count;
    } while (page.cursor != "0" && count < 1'000'000);
    if (pages != nullptr) *pages = count;
    return seen;
  }
  void fill(const char* prefix, int count) {
    for (int from = 0; from < count; from += 1000) {
      Words mset{"MSET"};
      for (int i = from; i < std::min(count, from + 1000); ++i) {
        mset.insert(mset.end(), {fmt::format("{}{}", prefix, i), "value"});
      }
      ASSERT_EQ(connection_.run(mset), "+OK\r\n");
    }
  }
  void expect_each_once(const std::map<std::string, int>& seen, const char* prefix, int count) {
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(count));
    for (const auto& [key, times] : seen) EXPECT_EQ(times, 1) << key;
    for (int i = 0; i < count; ++i) EXPECT_TRUE(seen.contains(fmt::format("{}{}", prefix, i))) << i;
  }

  ServerProcess server_;
  CommandConnection connection_{server_.port()};
};

TEST_F(CommandScan, RefusesNonsense) {
  const std::string syntax = "-ERR syntax error\r\n";
  EXPECT_EQ(connection_.run("SCAN abc"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(connection_.run("SCAN \" 1\""), "-ERR invalid cursor\r\n");
  EXPECT_EQ(connection_.run("SCAN 18446744073709551616"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(connection_.run("SCAN 0 COUNT 0"), syntax);
  EXPECT_EQ(connection_.run("SCAN 0 COUNT ten"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(connection_.run("SCAN 0 MATCH"), syntax);
  EXPECT_EQ(connection_.run("SCAN 0 nosuch"), syntax);
  EXPECT_EQ(connection_.run("SCAN"), "-ERR wrong number of arguments for 'scan' command\r\n");
}

TEST_F(CommandScan, ASmallDatabaseTakesOneCall) {
  EXPECT_EQ(connection_.run("SCAN 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
  connection_.run("SET only key");
  EXPECT_EQ(connection_.run("SCAN 0"), "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n");
  EXPECT_EQ(connection_.run("SCAN 0 TYPE string"), "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n");
  EXPECT_EQ(connection_.run("SCAN 0 TYPE hash"), "*2\r\n$1\r\n0\r\n*0\r\n");
  EXPECT_EQ(connection_.run("SCAN 0 MATCH o*"), "*2\r\n$1\r\n0\r\n*1\r\n$4\r\nonly\r\n");
  EXPECT_EQ(connection_.run("SCAN 0 MATCH x*"), "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_F(CommandScan, AnyNumberIsACursor) {
  fill("key:", 100);
  for (const char* cursor : {"1", "12345", "9007199254740991", "18446744073709551615"}) {
    parse_page(connection_.run(fmt::format("SCAN {}", cursor)));
  }
}

TEST_F(CommandScan, GivesEveryKeyOnce) {
  fill("key:", 5000);
  expect_each_once(scan(), "key:", 5000);
  expect_each_once(scan("COUNT 1"), "key:", 5000);
  int pages = 0;
  expect_each_once(scan("COUNT 100000", &pages), "key:", 5000);
  EXPECT_EQ(pages, 1);
}

TEST_F(CommandScan, GoesThroughALargeHashTag) {
  fill("{user}:", 5000);
  expect_each_once(scan(), "{user}:", 5000);
}

TEST_F(CommandScan, LooksOnlyAtTheHashTagThatThePatternNames) {
  fill("key:", 3000);
  fill("{user}:", 50);
  int pages = 0;
  expect_each_once(scan("MATCH {user}:* COUNT 100", &pages), "{user}:", 50);
  EXPECT_EQ(pages, 1);
  fill("{user}:seldom:", 20);
  fill("of:{user}:x", 20);
  fill("{user}:often:", 3000);
  expect_each_once(scan("MATCH {user}:seldom:* COUNT 100", &pages), "{user}:seldom:", 20);
  EXPECT_EQ(pages, 1);
  expect_each_once(scan("MATCH of:{user}:* COUNT 100", &pages), "of:{user}:x", 20);
  EXPECT_EQ(pages, 1);
  EXPECT_EQ(scan("MATCH {user}:7").size(), 1u);
  EXPECT_EQ(scan("MATCH key:7").size(), 1u);
  EXPECT_EQ(scan("MATCH *{user}:7").size(), 1u);
  EXPECT_EQ(scan("MATCH {use[r]}:7").size(), 1u);
  EXPECT_EQ(scan("MATCH {}*").size(), 0u);
}

TEST_F(CommandScan, BoundsAPageInBytes) {
  const std::string filler(200'000, 'x');
  for (int i = 0; i < 20; ++i) connection_.run(Words{"SET", filler + std::to_string(i), "value"});
  int pages = 0;
  EXPECT_EQ(scan("COUNT 1000", &pages).size(), 20u);
  EXPECT_GE(pages, 4);
}

TEST_F(CommandScan, CursorsStayExactForDoubles) {
  fill("{user}:", 200);
  fill("key:", 200);
  Page page{.cursor = "0", .keys = {}};
  do {
    page = parse_page(connection_.run("SCAN " + page.cursor + " COUNT 7"));
    const double held = std::stod(page.cursor);
    EXPECT_EQ(fmt::format("{:.0f}", held), page.cursor);
  } while (page.cursor != "0");
}

TEST_F(CommandScan, SeesOneDatabase) {
  fill("zero:", 300);
  connection_.run("SELECT 3");
  fill("three:", 300);
  expect_each_once(scan(), "three:", 300);
  connection_.run("FLUSHDB");
  EXPECT_TRUE(scan().empty());
  connection_.run("SELECT 0");
  expect_each_once(scan(), "zero:", 300);
}

// A place that only this process remembered is gone: keys may come twice, none is missed.
TEST_F(CommandScan, GoesOnAfterARestart) {
  fill("{user}:", 500);
  fill("key:", 500);
  std::set<std::string> seen;
  Page page{.cursor = "0", .keys = {}};
  for (int i = 0; i < 30; ++i) {
    page = parse_page(connection_.run("SCAN " + page.cursor));
    seen.insert(page.keys.begin(), page.keys.end());
  }
  server_.restart();
  CommandConnection again(server_.port());
  while (page.cursor != "0") {
    page = parse_page(again.run("SCAN " + page.cursor + " COUNT 100"));
    seen.insert(page.keys.begin(), page.keys.end());
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST_F(CommandScan, MissesNothingWhileOthersInsertAndDelete) {
  fill("stays:", 3000);
  fill("{tag}stays:", 500);
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    CommandConnection connection(server_.port());
    std::mt19937 random(1);
    while (!stop) {
      const auto number = random() % 2000;
      const char* prefix = random() % 4 == 0 ? "{tag}goes:" : "goes:";
      connection.run(fmt::format("SET {}{} x", prefix, number));
      connection.run(fmt::format("DEL {}{}", prefix, (number + 1000) % 2000));
    }
  });
  for (const char* options : {"", "COUNT 1", "COUNT 100", "COUNT 33"}) {
    const auto seen = scan(options);
    for (int i = 0; i < 3000; ++i) ASSERT_TRUE(seen.contains(fmt::format("stays:{}", i))) << options << i;
    for (int i = 0; i < 500; ++i)
      ASSERT_TRUE(seen.contains(fmt::format("{{tag}}stays:{}", i))) << options << i;
  }
  stop = true;
}

}  // namespace
}  // namespace shale::integration
