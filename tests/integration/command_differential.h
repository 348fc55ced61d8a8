// redis-server and Shale side by side: the same commands to both, replies compared byte for byte. Skipped,
// with a message, where redis-server is not installed.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/commands_connection.h"
#include "tests/integration/redis_process.h"

namespace shale::integration {

// Times that the two servers may see a little apart are compared without their last digits.
inline std::string without_clock(const Words& words, std::string reply) {
  const std::string_view name = words[0];
  const std::int64_t unit = name == "TTL" || name == "EXPIRETIME"     ? 10
                            : name == "PTTL" || name == "PEXPIRETIME" ? 10'000
                                                                      : 1;
  std::int64_t value = 0;
  if (unit == 1 || reply.empty() || reply[0] != ':') return reply;
  std::from_chars(reply.data() + 1, reply.data() + reply.size(), value);
  return value > 0 ? fmt::format(":about {} x {}", value / unit + (value % unit >= unit / 2), unit) : reply;
}

// Where Redis ends a scan with one page, Shale may need several: it does not wait for what is not in memory
// as long as it has come further. All of them as one reply.
inline std::string whole_scan(CommandConnection& connection, Words words) {
  constexpr std::string_view kPage = "*2\r\n";
  std::size_t count = 0;
  std::string keys;
  for (;;) {
    const std::string reply = connection.run(words);
    if (!reply.starts_with(kPage)) return reply;  // an error
    const std::size_t cursor_begin = reply.find('\n', kPage.size()) + 1;
    const std::size_t cursor_end = reply.find('\r', cursor_begin);
    const std::size_t count_begin = cursor_end + std::string_view{"\r\n*"}.size();
    const std::size_t keys_begin = reply.find('\n', count_begin) + 1;
    count += std::stoul(reply.substr(count_begin));
    keys += reply.substr(keys_begin);
    words[1] = reply.substr(cursor_begin, cursor_end - cursor_begin);
    if (words[1] == "0") return fmt::format("*2\r\n$1\r\n0\r\n*{}\r\n{}", count, keys);
  }
}

inline std::string text_of(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += fmt::format("{:?} ", word);
  return text;
}

// Keys in Redis's order of the moment, as in ours; RANDOMKEY's key is any.
inline std::string without_order(const Words& words, std::string reply) {
  if (words[0] == "RANDOMKEY" && reply.starts_with("$") && !reply.starts_with("$-")) return "some key";
  if (words[0] != "KEYS" || !reply.starts_with("*")) return reply;
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < reply.size();) {
    const std::size_t end = reply.find("\r\n", begin);
    const std::size_t next = lines.empty() ? end + 2 : reply.find("\r\n", end + 2) + 2;
    lines.push_back(reply.substr(begin, next - begin));
    begin = next;
  }
  std::ranges::sort(lines);
  return fmt::format("{}", fmt::join(lines, ""));
}

// The parameter is the protocol: 2 or 3.
class CommandDifferential : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (redis_server_path().empty()) GTEST_SKIP() << "redis-server is not installed: nothing to compare with";
    seed_of_this_run();
    shale_.emplace();
    redis_.emplace();
    to_shale_ = std::make_unique<CommandConnection>(shale_->port());
    to_redis_ = std::make_unique<CommandConnection>(redis_->port());
    const std::string hello = fmt::format("HELLO {}", GetParam());
    to_shale_->run(hello);
    to_redis_->run(hello);
  }
  bool same(const Words& words) {
    const std::string of_redis = without_order(words, without_clock(words, to_redis_->run(words)));
    const bool scans = words[0] == "SCAN" && words.size() > 1;
    const std::string of_shale = scans ? whole_scan(*to_shale_, words)
                                       : without_order(words, without_clock(words, to_shale_->run(words)));
    // Shale needs less memory for it, and may go on where Redis refuses.
    const bool goes_on =
        words[0] == "LCS" && of_redis.find("transient memory") != of_redis.npos && !of_shale.starts_with('-');
    if (goes_on) return true;
    EXPECT_EQ(of_shale, of_redis) << text_of(words);
    return of_shale == of_redis;
  }

  std::optional<ServerProcess> shale_;
  std::optional<RedisProcess> redis_;
  std::unique_ptr<CommandConnection> to_shale_;
  std::unique_ptr<CommandConnection> to_redis_;
};

}  // namespace shale::integration
