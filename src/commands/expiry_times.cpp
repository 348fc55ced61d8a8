#include "src/commands/expiry_times.h"

#include <limits>

#include "protocol/number_text.h"
#include "src/value.h"

namespace shale::server {
namespace {

struct TimeOption {
  std::string_view word;
  ExpiryUnit unit;
};
constexpr TimeOption kTimeOptions[] = {
    {"EX", kSecondsFromNow},
    {"PX", kMillisecondsFromNow},
    {"EXAT", kUnixSeconds},
    {"PXAT", kUnixMilliseconds},
};

}  // namespace

std::optional<std::int64_t> expiry_at(std::int64_t amount, ExpiryUnit unit, std::int64_t now_ms) {
  std::int64_t at = 0;
  if (__builtin_mul_overflow(amount, unit.milliseconds, &at)) return std::nullopt;
  if (unit.from_now && __builtin_add_overflow(at, now_ms, &at)) return std::nullopt;
  return at;
}

bool ExpiryOption::take(Arguments& arguments) {
  if (kind_ != Kind::time && arguments.take_word(word_)) {
    kind_ = Kind::word;
    return true;
  }
  if (kind_ == Kind::word) return false;
  for (const auto& [word, unit] : kTimeOptions) {
    if (kind_ == Kind::time && word != option_) continue;
    if (!arguments.take_word(word, 1)) continue;
    kind_ = Kind::time;
    option_ = word;
    unit_ = unit;
    amount_ = arguments.take();
    return true;
  }
  return false;
}

std::optional<std::int64_t> ExpiryOption::time(Arguments& arguments, std::int64_t now_ms) const {
  if (!time_given()) return kNoExpiry;
  const auto amount = protocol::parse_integer(amount_);
  if (!amount) {
    arguments.fail(kNotAnInteger);
    return std::nullopt;
  }
  return *amount > 0 ? expiry_at(*amount, unit_, now_ms) : std::nullopt;
}

}  // namespace shale::server
