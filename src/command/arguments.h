// The arguments of a command, taken one after the other. Remembers the first failure, so that a handler may
// take all and ask once. Takes views: they live as long as the request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "src/command/value_argument.h"

namespace shale::server {

class Arguments {
 public:
  // `all` begins with the command's name (and the subcommand's, if it has one: `taken` says how many words
  // that is).
  // `large`: those that are not in memory, with indices that count from `all`'s first as `first_index`.
  Arguments(std::span<const std::string_view> all, std::size_t taken,
            std::span<const ReceivedLargeArgument> large = {}, std::size_t first_index = 0)
      : all_(all), next_(taken), large_(large), first_index_(first_index) {}

  std::size_t remaining() const { return all_.size() - next_; }
  bool empty() const { return remaining() == 0; }
  std::span<const std::string_view> rest() const { return all_.subspan(next_); }
  std::span<const std::string_view> all() const { return all_; }

  // The next argument, or empty with failure "ERR syntax error" if there is none.
  std::string_view take();
  // The same for one that may be large: where the command's row says so (CommandSpec::values).
  ValueArgument take_value();
  // A 64-bit integer as Redis reads one (no spaces, no leading zeros or plus), else failure `error`.
  std::int64_t take_integer(std::string_view error = kNotAnInteger);
  // If the next argument is `word` (case-insensitive; `word` in upper case), takes it.
  bool take_word(std::string_view word);
  // Likewise, but only if at least `following` arguments stand behind it: "EX" without its number is not one.
  bool take_word(std::string_view word, std::size_t following);

  bool failed() const { return !error_.empty(); }
  // The first failure's text, with its code, as it goes to the client.
  std::string_view error() const { return error_; }
  // `error` must outlive the command: a literal.
  void fail(std::string_view error) {
    if (error_.empty()) error_ = error;
  }

  static constexpr std::string_view kSyntaxError = "ERR syntax error";
  static constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";

 private:
  std::span<const std::string_view> all_;
  std::size_t next_;
  std::span<const ReceivedLargeArgument> large_;
  std::size_t first_index_;
  std::string_view error_;
};

// ASCII only, as Redis compares options and names.
bool equals_ignoring_case(std::string_view text, std::string_view word);
std::string lower_case(std::string_view text);

// Errors that several groups of commands have in common.
inline constexpr std::string_view kSyntaxError = Arguments::kSyntaxError;
inline constexpr std::string_view kNotAnInteger = Arguments::kNotAnInteger;
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

}  // namespace shale::server
