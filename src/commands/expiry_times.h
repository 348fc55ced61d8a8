// When a key expires: from the numbers and options that SET, GETEX, EXPIRE and their relatives take.
#pragma once

#include <cstdint>
#include <optional>

#include "src/command/arguments.h"

namespace shale::server {

// What an expiry's number counts, and from when.
struct ExpiryUnit {
  std::int64_t milliseconds = 1;  // per unit
  bool from_now = true;           // else from 1970
};
inline constexpr ExpiryUnit kSecondsFromNow{1000, true};
inline constexpr ExpiryUnit kMillisecondsFromNow{1, true};
inline constexpr ExpiryUnit kUnixSeconds{1000, false};
inline constexpr ExpiryUnit kUnixMilliseconds{1, false};

// Unix milliseconds, or nothing if they do not fit in 64 bits. Negative amounts are in the past.
std::optional<std::int64_t> expiry_at(std::int64_t amount, ExpiryUnit unit, std::int64_t now_ms);

// EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds, and one word instead
// of them: KEEPTTL or PERSIST. Only one of these kinds may be given; the same kind may be repeated, and its
// last counts, as in Redis.
class ExpiryOption {
 public:
  // `word` in upper case. It stands for "no time", which is KEEPTTL's and PERSIST's common ground.
  explicit ExpiryOption(std::string_view word) : word_(word) {}

  // Takes one of the options if it comes next and agrees with those before it.
  bool take(Arguments& arguments);

  bool word_given() const { return kind_ == Kind::word; }
  bool time_given() const { return kind_ == Kind::time; }
  // Unix milliseconds; kNoExpiry unless time_given(). An amount that is no integer fails `arguments`; one
  // that is out of range, or not positive, is nullopt.
  std::optional<std::int64_t> time(Arguments& arguments, std::int64_t now_ms) const;

 private:
  enum class Kind : std::uint8_t { none, word, time };

  std::string_view word_;
  Kind kind_ = Kind::none;
  std::string_view option_;  // EX, PX, ...: which time
  ExpiryUnit unit_;
  std::string_view amount_;
};

}  // namespace shale::server
