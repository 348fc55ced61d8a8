// What keeps a random request from doing what would end the test: each of these is tried by a test of its
// own.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "tests/integration/fuzzed_requests.h"
#include "tests/integration/strict_replies.h"

namespace shale::integration {

// The database of those who must not notice anything.
constexpr std::string_view kBystandersDatabase = "9";

class HarmlessRequests {
 public:
  // `own_port` is the server's.
  HarmlessRequests(Speech speech, unsigned own_port) : speech_(speech), own_port_(std::to_string(own_port)) {}

  // Makes a request harmless; false: another has to be drawn.
  bool make_harmless(Request& request) const {
    const std::string name = lower(request.front());
    const std::string second = request.size() > 1 ? lower(request[1]) : "";
    // The first two end what the test needs, FLUSHALL takes the bystander's keys.
    if (is_one_of(name, {"shutdown", "quit", "flushall"})) return false;
    // Places from which it is not far to the bystander's keys.
    if (is_one_of(name, {"select", "swapdb", "move", "copy", "migrate"}) &&
        has(request, {kBystandersDatabase})) {
      return false;
    }
    if (name == "client" && second == "kill" &&
        has(request, {"id", "type", "user", "skipme", "laddr", "maxage"})) {
      return false;  // it would be anyone's connection
    }
    if (name == "acl") {
      if (has(request, {"default"})) return false;  // everyone is this user
      if (second == "deluser") {                    // who closes the connections of those that are this user
        for (std::string& word : request) std::ranges::replace(word, 'g', 'h');
      }
    }
    if (name == "config" && second == "set") return is_harmless_change(request);
    limit_waiting(name, second, request);
    return speech_ == Speech::either || is_answered_once(name, second, request);
  }

 private:
  static std::string lower(std::string word) {
    std::ranges::transform(word, word.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return word;
  }
  static bool is_one_of(const std::string& word, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
  }
  static bool has(const Request& request, std::initializer_list<std::string_view> words) {
    return std::ranges::any_of(request,
                               [&](const std::string& word) { return is_one_of(lower(word), words); });
  }

  // Passwords, ports and limits of clients are for the tests of configuration.
  static bool is_harmless_change(const Request& request) {
    for (std::size_t at = 2; at < request.size(); at += 2) {
      const std::string name = lower(request[at]);
      if (!is_one_of(name, {"slowlog-log-slower-than", "slowlog-max-len", "notify-keyspace-events",
                            "latency-monitor-threshold", "acllog-max-len", "tracking-table-max-keys",
                            "latency-tracking", "latency-tracking-info-percentiles",
                            "hash-max-listpack-entries", "nothing", ""})) {
        return false;
      }
    }
    return true;
  }

  // None waits for longer than a moment, and MIGRATE knows only one place.
  void limit_waiting(const std::string& name, const std::string& second, Request& request) const {
    const auto put = [&](std::size_t at, std::string_view text) {
      if (at < request.size() && !is_one_of(request[at], {"", "abc", "-1"})) request[at] = text;
    };
    if (name == "wait") put(2, "5");
    if (name == "waitaof") put(3, "5");
    if (name == "client" && second == "pause") put(2, "5");
    if (name == "debug" && second == "sleep") put(2, "0.005");
    if (name == "migrate") {
      if (request.size() > 2) {
        request[1] = "127.0.0.1";
        request[2] = request[2].size() % 2 == 0 ? own_port_ : "1";
      }
      put(5, "50");
    }
  }

  bool is_answered_once(const std::string& name, const std::string& second, Request& request) const {
    if (is_one_of(name, {"subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe",
                         "sunsubscribe", "monitor", "reset"})) {
      return false;
    }
    if (name == "client" && second == "reply") return false;
    if (name == "debug" && second == "protocol" && has(request, {"push"})) return false;
    // The connection's protocol stays what it is.
    if (name == "hello" && request.size() > 1) {
      if (request[1] == "3" && speech_ == Speech::resp2) request[1] = "2";
      if (request[1] == "2" && speech_ == Speech::resp3) request[1] = "3";
    }
    return true;
  }

  const Speech speech_;
  const std::string own_port_;
};

}  // namespace shale::integration
