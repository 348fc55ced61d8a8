#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>

#include "tests/integration/commands_connection.h"

namespace shale::integration {

// Draws commands over a few keys, so that they meet; expiries are far away or past, so that the clock does
// not matter.
class RandomCommands {
 public:
  explicit RandomCommands(std::uint64_t seed) : random_(seed) {}

  static Words look_at_all_keys() {
    return {"EXISTS", "k0", "k1", "k2", "k3", "{t}a", "{t}b", "", "h0", "h1", "h2", "h3", "{t}h"};
  }

  Words next() {
    switch (below(45)) {
      case 0: return {"GET", key()};
      case 1: return options({"SET", key(), value()}, kSetWords, 3);
      case 2: return options({"SET", key(), value()}, kSetConditions, 2);
      case 3: return with_keys(pick({"DEL", "UNLINK", "EXISTS", "TOUCH"}), 4);
      case 4: return with_keys("MGET", 20);
      case 5: return with_pairs("MSET", 15);
      case 6: return with_pairs("MSETNX", 3);
      case 7: return {pick({"INCR", "DECR", "TYPE", "STRLEN", "GETDEL", "PERSIST"}), key()};
      case 8: return {pick({"INCRBY", "DECRBY"}), key(), number()};
      case 9:
        return {"INCRBYFLOAT", key(), pick({"0.1", "-3.25", "1e5", "nan", "0x1p3", "1", "abc", "1e400"})};
      case 10: return {"APPEND", key(), value()};
      case 11: return {pick({"SETNX", "GETSET"}), key(), value()};
      case 12: return {pick({"SETEX", "PSETEX"}), key(), duration(), value()};
      case 13: return options({"GETEX", key()}, kGetexWords, 2);
      case 14: return {pick({"GETRANGE", "SUBSTR"}), key(), number(), number()};
      case 15: return {"SETRANGE", key(), pick({"0", "1", "5", "20", "-1", "abc"}), value()};
      case 16: return options({pick({"EXPIRE", "PEXPIRE"}), key(), duration()}, kClocklessConditions, 2);
      case 17:
        return options({"EXPIREAT", key(), pick({"0", "1", "5000000000", "6000000000"})}, kConditions, 1);
      case 18: return options({"PEXPIREAT", key(), pick({"-1", "5000000000123"})}, kConditions, 1);
      case 19: return {pick({"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"}), key()};
      case 20: return {"SELECT", pick({"0", "1", "15", "16", "-1", "abc"})};
      case 21: return {below(20) == 0 ? "FLUSHDB" : "PING"};
      case 22: return {pick({"GET", "SET", "MSET", "DEL", "EXPIRE", "SCAN", "CLIENT", "CONFIG", "OBJECT"})};
      case 23: return {"SETBIT", key(), bit_offset(), pick({"0", "1", "1", "2", "a"})};
      case 24: return {"GETBIT", key(), bit_offset()};
      case 25: return bit_range({"BITCOUNT", key()});
      case 26: return bit_range({"BITPOS", key(), pick({"0", "1"})});
      case 27: return with_keys_of({"BITOP", pick({"AND", "or", "XOR"}), key()}, 4);
      case 28: return {"BITOP", "NOT", key(), key()};
      case 29: return bitfield("BITFIELD");
      case 30: return bitfield("BITFIELD_RO");
      case 31:
      case 32: return elements({"PFADD", sketch()});
      case 33: return {"PFCOUNT", sketch()};
      case 34: return {"PFCOUNT", sketch(), sketch(), sketch()};
      case 35: return {"PFMERGE", sketch(), sketch(), sketch()};
      case 36: return {pick({"GET", "PFCOUNT", "GET", "DEL"}), sketch()};
      case 37: return {"PFDEBUG", pick({"DECODE", "ENCODING", "GETREG", "TODENSE"}), sketch()};
      case 38: return options({"COPY", key(), key()}, {"REPLACE", "DB", "foo"}, 2);
      case 39: return {pick({"RENAME", "RENAMENX"}), key(), key()};
      case 40: return {"MOVE", key(), pick({"0", "1", "15", "16", "abc"})};
      case 41: return options({"LCS", key(), key()}, {"IDX", "LEN", "WITHMATCHLEN", "foo"}, 2);
      case 42: return {pick({"RANDOMKEY", "PING"})};
      case 43: return {pick({"SORT", "SORT_RO", "KEYS", "SWAPDB"}), key()};
      default: return {"MSET", key(), value(), key()};
    }
  }

 private:
  using Choices = std::vector<std::string>;
  inline static const Choices kSetConditions{"NX", "XX", "GET", "KEEPTTL"};
  inline static const Choices kSetWords{"NX", "xx", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "foo"};
  inline static const Choices kGetexWords{"PERSIST", "EX", "PX", "EXAT", "PXAT", "foo"};
  // Whether a time from now is greater than another depends on the millisecond.
  inline static const Choices kClocklessConditions{"NX", "XX", "foo"};
  inline static const Choices kConditions{"NX", "XX", "GT", "LT", "foo"};

  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string pick(const Choices& choices) { return choices[below(choices.size())]; }
  std::string key() { return pick({"k0", "k1", "k2", "k3", "{t}a", "{t}b", ""}); }
  std::string value() {
    return pick({"", "0", "1", "-1", "10", "abc", "9223372036854775807", "-9223372036854775807", "3.5", "1e3",
                 " 1", "+1", "01", std::string(50, 'x'), "-0", "nan", "0x10"});
  }
  std::string number() {
    return pick({"0", "1", "-1", "5", "100", "9223372036854775807", "-9223372036854775808", "abc", "", " 1",
                 "1.5", "10000000000"});
  }
  std::string duration() {
    return pick(
        {"0", "-1", "100000000", "abc", "9223372036854775807", "9223372036854775", "", " 1", "99999999999"});
  }
  Words options(Words words, const Choices& choices, std::size_t most) {
    for (std::size_t left = below(most + 1); left > 0; --left) {
      words.push_back(pick(choices));
      const std::string option = words.back();
      if (option == "DB" && below(10) != 0) words.push_back(pick({"0", "1", "15", "16", "abc"}));
      if (option == "EX" || option == "PX" || option == "EXAT" || option == "PXAT") {
        if (below(10) != 0) words.push_back(duration());
      }
    }
    return words;
  }
  std::string sketch() { return pick({"h0", "h1", "h2", "h3", "{t}h", "k0"}); }
  std::string bit_offset() {
    return pick({"0", "1", "7", "8", "31", "100", "399", "-1", "abc", "4294967296"});
  }
  // Only numbers: with others and without the key, Redis 7.0 does not look at them, 7.2 does.
  Words bit_range(Words words) {
    const auto place = [&] {
      return pick({"0", "1", "-1", "3", "-3", "10", "100", "-100", "9223372036854775807"});
    };
    if (below(4) == 0) return words;
    words.insert(words.end(), {place(), place()});
    if (below(2) == 0) words.push_back(pick({"BIT", "BYTE"}));
    return words;
  }
  Words bitfield(const std::string& name) {
    Words words{name, key()};
    const auto type = [&] { return pick({"u1", "u8", "i5", "i8", "u13", "i64", "u63", "u3", "u64"}); };
    const auto offset = [&] { return pick({"0", "1", "#0", "#1", "#3", "77", "101", "abc", "-1"}); };
    for (std::size_t left = below(4); left > 0; --left) {
      switch (below(4)) {
        case 0: words.insert(words.end(), {"OVERFLOW", pick({"WRAP", "SAT", "FAIL", "foo"})}); break;
        case 1: words.insert(words.end(), {"GET", type(), offset()}); break;
        default:
          words.insert(words.end(), {pick({"SET", "INCRBY"}), type(), offset(),
                                     pick({"0", "1", "-1", "100", "-77", "255", "9223372036854775807",
                                           "-9223372036854775808", "abc"})});
      }
    }
    return words;
  }
  // Now and then so many that a sparse value becomes dense.
  Words elements(Words words) {
    const std::size_t count = below(20) == 0 ? 1000 : below(20);
    for (std::size_t left = count; left > 0; --left) words.push_back(std::to_string(below(100'000)));
    return words;
  }
  Words with_keys(const std::string& name, std::size_t most) { return with_keys_of({name}, most); }
  Words with_keys_of(Words words, std::size_t most) {
    for (std::size_t left = 1 + below(most); left > 0; --left) words.push_back(key());
    return words;
  }
  Words with_pairs(const std::string& name, std::size_t most) {
    Words words{name};
    for (std::size_t left = 1 + below(most); left > 0; --left) words.insert(words.end(), {key(), value()});
    return words;
  }

  std::mt19937_64 random_;
};

}  // namespace shale::integration
