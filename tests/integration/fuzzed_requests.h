// Draws requests that no client would send: any command of the table, with arguments as it documents them, of
// values at the limits, and then changed at some places.
#pragma once

#include <algorithm>
#include <cctype>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/documented_commands.h"

namespace shale::integration {

using Request = std::vector<std::string>;

class FuzzedRequests {
 public:
  // `payload`: what DUMP gave. `tokens` are gathered from the documentation.
  FuzzedRequests(std::vector<DocumentedCommand> commands, std::string payload, std::uint64_t seed)
      : commands_(std::move(commands)), payload_(std::move(payload)), random_(seed) {
    for (const DocumentedCommand& command : commands_) {
      if (command.name.size() > 1) tokens_.push_back(command.name[1]);
      gather_tokens(command.arguments);
    }
  }

  Request next() {
    const DocumentedCommand& command = commands_[below(commands_.size())];
    Request request = command.name;
    if (below(8) == 0) {
      const std::size_t count = below(4) == 0 ? below(8) : command.words_min - request.size();
      while (request.size() < command.name.size() + count) request.push_back(anything());
    } else {
      append(command.arguments, request);
    }
    if (below(3) == 0) {
      for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(request);
    }
    return request;
  }

  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  template <class Choices>
  std::string pick(const Choices& choices) {
    return std::string{choices[below(std::size(choices))]};
  }

 private:
  void gather_tokens(const std::vector<DocumentedArgument>& arguments) {
    for (const DocumentedArgument& argument : arguments) {
      if (!argument.token.empty()) tokens_.push_back(argument.token);
      gather_tokens(argument.children);
    }
  }

  void append(const std::vector<DocumentedArgument>& arguments, Request& request) {
    for (const DocumentedArgument& argument : arguments) {
      if (argument.optional && below(2) == 0) continue;
      std::size_t times = 1;
      if (argument.multiple) times = below(30) == 0 ? below(300) : 1 + below(3);
      while (times-- > 0) append(argument, request);
    }
  }
  void append(const DocumentedArgument& argument, Request& request) {
    constexpr std::size_t kWordsMax = 1000;
    if (request.size() > kWordsMax) return;
    if (!argument.token.empty()) request.push_back(in_some_case(argument.token));
    if (argument.type == "pure-token") return;
    if (argument.type == "block") {
      append(argument.children, request);
    } else if (argument.type == "oneof") {
      if (!argument.children.empty()) append(argument.children[below(argument.children.size())], request);
    } else {
      request.push_back(below(12) == 0 ? anything() : value_of(argument));
    }
  }
  std::string value_of(const DocumentedArgument& argument) {
    if (argument.type == "key") return key();
    if (argument.type == "integer" || argument.type == "unix-time") return integer();
    if (argument.type == "double") return number();
    if (argument.type == "pattern") return pattern();
    if (argument.name == "username") return user();
    if (argument.name == "rule") return rule();
    if (argument.name == "parameter") return parameter();
    if (argument.name == "command") return pick(commands_[below(commands_.size())].name);
    if (argument.name == "encoding") return field_type();
    if (argument.name == "serialized-value") return below(3) == 0 ? changed(payload_) : payload_;
    switch (below(4)) {
      case 0: return key();
      case 1: return integer();
      default: return text();
    }
  }

  std::string anything() {
    switch (below(11)) {
      case 0:
      case 1: return key();
      case 2: return integer();
      case 3: return number();
      case 4: return pattern();
      case 5: return in_some_case(pick(tokens_));
      case 6: return field_type();
      case 7: return bytes(below(40));
      case 8: return below(6) == 0 ? long_bytes() : bytes(below(300));
      case 9: return below(2) == 0 ? user() : rule();
      default: return text();
    }
  }

  std::string key() {
    switch (below(8)) {
      case 0: return "{tag}:" + std::to_string(below(6));
      case 1: return pick(kOddKeys);
      default: return "key:" + std::to_string(below(12));
    }
  }
  std::string integer() {
    if (below(3) == 0) return std::to_string(below(20));
    if (below(8) == 0) return number();
    return pick(kIntegers);
  }
  std::string number() { return below(3) == 0 ? std::to_string(below(100)) + ".5" : pick(kNumbers); }
  std::string pattern() { return below(8) == 0 ? std::string(1 + below(50), '*') + "b" : pick(kPatterns); }
  std::string text() { return pick(kTexts); }
  std::string field_type() { return pick(kFieldTypes); }
  std::string user() { return pick(kUsers); }
  std::string rule() { return pick(kRules); }
  std::string parameter() { return pick(kParameters); }
  std::string bytes(std::size_t count) {
    std::string made(count, '\0');
    for (char& byte : made) byte = static_cast<char>(random_());
    return made;
  }
  // Up to a hundred KiB, and sometimes 1.2 MiB, which the server keeps in pieces.
  std::string long_bytes() {
    std::string made = bytes(64);
    made.resize(below(20) == 0 ? 1'200'000 : below(100'000), made.front());
    return made;
  }
  std::string in_some_case(std::string word) {
    if (below(4) != 0) return word;
    for (char& letter : word) {
      if (below(2) == 0) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
    return word;
  }
  std::string changed(std::string word) {
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      const std::size_t at = below(word.size() + 1);
      switch (below(3)) {
        case 0:
          word.insert(word.begin() + static_cast<std::ptrdiff_t>(at), static_cast<char>(random_()));
          break;
        case 1: word.erase(std::min(at, word.size() - (word.empty() ? 0 : 1)), 1); break;
        default:
          if (at < word.size()) word[at] = static_cast<char>(word[at] ^ (1 << below(8)));
      }
    }
    return word;
  }

  void change(Request& request) {
    const std::size_t at = below(request.size());
    const std::size_t behind_name = 1 + below(request.size());
    const auto place = request.begin() + static_cast<std::ptrdiff_t>(behind_name);
    switch (below(8)) {
      case 0: request.resize(behind_name); break;
      case 1: request.insert(place, request[at]); break;
      case 2: std::swap(request[at == 0 ? request.size() - 1 : at], request.back()); break;
      case 3: request.insert(place, in_some_case(pick(tokens_))); break;
      case 4: request.insert(place, anything()); break;
      case 5: request[at] = changed(request[at]); break;
      case 6:
        if (at > 0) request[at] = anything();
        break;
      default:
        if (at > 0) request[at].clear();
    }
  }

  static constexpr std::string_view kOddKeys[] = {"",           "{}",   "{", "a",       "key:1{tag}",
                                                  "{tag}{tag}", "\r\n", "*", "\xff\xff"};
  static constexpr std::string_view kIntegers[] = {"0",
                                                   "1",
                                                   "-1",
                                                   "2",
                                                   "-2",
                                                   "7",
                                                   "8",
                                                   "15",
                                                   "16",
                                                   "63",
                                                   "64",
                                                   "100",
                                                   "-100",
                                                   "511",
                                                   "1000",
                                                   "65536",
                                                   "1048575",
                                                   "2147483647",
                                                   "-2147483648",
                                                   "4294967295",
                                                   "4294967296",
                                                   "536870911",
                                                   "9007199254740993",
                                                   "9223372036854775",
                                                   "9223372036854775806",
                                                   "9223372036854775807",
                                                   "-9223372036854775807",
                                                   "-9223372036854775808",
                                                   "9223372036854775808",
                                                   "18446744073709551615",
                                                   "18446744073709551616",
                                                   "-0",
                                                   "+1",
                                                   "01",
                                                   " 1",
                                                   "1 ",
                                                   "0x10",
                                                   "1e3",
                                                   ""};
  static constexpr std::string_view kNumbers[] = {"0",      "1",      "-1",
                                                  "3.25",   "-2.5",   "1e308",
                                                  "-1e308", "1e-320", "17976931348623157e292",
                                                  "1e400",  "inf",    "-inf",
                                                  "+inf",   "nan",    "-nan",
                                                  "0x1p3",  ".5",     "5.",
                                                  "1e",     "",       "0.1000000000000000055511151231257827"};
  static constexpr std::string_view kPatterns[] = {"*",      "?",      "",          "key:*",  "k?*",    "[a",
                                                   "[a-",    "[^a]",   "[]",        "[k[0-9", "\\",     "*\\",
                                                   "{tag}*", "[z-a]*", "key:[0-9]", "@all",   "k*y*:*1"};
  static constexpr std::string_view kTexts[] = {
      "",  "a", "value", "OK",  "0",           "-1",       "a\r\nb", "$1\r\nx", "*1\r\n", "\n", "(z",
      "-", "+", "#1",    "^%$", "127.0.0.1:1", "default-", "0-1",    "yes",     "no",     "on", "off"};
  static constexpr std::string_view kFieldTypes[] = {"u1", "u8", "i8", "u63", "u64", "i64", "i65",
                                                     "i0", "u0", "i1", "u",   "",    "i-1", "u007"};
  static constexpr std::string_view kUsers[] = {"guest:0", "guest:1", "user:0", "user:1",
                                                "user:2",  "nobody",  ""};
  static constexpr std::string_view kRules[] = {
      "on",
      "off",
      ">word",
      "<word",
      "nopass",
      "resetpass",
      "~*",
      "%R~key:*",
      "%RW~{tag}*",
      "%~a",
      "%X~a",
      "&*",
      "resetchannels",
      "allkeys",
      "resetkeys",
      "+@all",
      "-@all",
      "+@read",
      "-@dangerous",
      "+get",
      "-set",
      "+config|get",
      "-config|nothing",
      "+select|0",
      "+@nothing",
      "(+get ~key:*)",
      "(",
      "()",
      "(+@all",
      "clearselectors",
      "reset",
      "#abc",
      "!abc",
      "#0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      "sanitize-payload",
      "+",
      "-",
      "~",
      ""};
  // Those that are changed by CONFIG SET and lock nobody out.
  static constexpr std::string_view kParameters[] = {"slowlog-log-slower-than",
                                                     "slowlog-max-len",
                                                     "notify-keyspace-events",
                                                     "latency-monitor-threshold",
                                                     "acllog-max-len",
                                                     "tracking-table-max-keys",
                                                     "latency-tracking",
                                                     "latency-tracking-info-percentiles",
                                                     "hash-max-listpack-entries",
                                                     "nothing"};

  const std::vector<DocumentedCommand> commands_;
  const std::string payload_;
  std::vector<std::string> tokens_;
  std::mt19937_64 random_;
};

}  // namespace shale::integration
