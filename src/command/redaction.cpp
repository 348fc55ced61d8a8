#include "src/command/redaction.h"

#include <algorithm>

#include "src/command/arguments.h"
#include "src/options.h"

namespace shale::server {
namespace {

constexpr std::string_view kRedacted = "(redacted)";
using Words = std::span<std::string_view>;

void redact_from(Words words, std::size_t first) {
  if (first < words.size()) std::ranges::fill(words.subspan(first), kRedacted);
}

// HELLO 3 [AUTH user password] [SETNAME name] ...
void redact_hello(Words words) {
  for (std::size_t at = 2; at < words.size(); ++at) {
    if (equals_ignoring_case(words[at], "SETNAME")) {
      ++at;
    } else if (equals_ignoring_case(words[at], "AUTH")) {
      const std::size_t count = std::min<std::size_t>(2, words.size() - at - 1);
      std::ranges::fill(words.subspan(at + 1, count), kRedacted);
      at += count;
    }
  }
}

// CONFIG SET name value ...
void redact_secret_options(Words words) {
  for (std::size_t at = 2; at + 1 < words.size(); at += 2) {
    const auto option = find_option(words[at]);
    const bool is_secret =
        option ? option_spec(*option).secret : equals_ignoring_case(words[at], "MASTERAUTH");
    if (is_secret) words[at + 1] = kRedacted;
  }
}

// MIGRATE host port key database timeout [AUTH password | AUTH2 user password] [KEYS key ...] ...
void redact_migrate(Words words) {
  for (std::size_t at = 6; at < words.size(); ++at) {
    if (equals_ignoring_case(words[at], "KEYS")) return;
    const std::size_t secrets = equals_ignoring_case(words[at], "AUTH")    ? 1
                                : equals_ignoring_case(words[at], "AUTH2") ? 2
                                                                           : 0;
    const std::size_t count = std::min(secrets, words.size() - at - 1);
    std::ranges::fill(words.subspan(at + 1, count), kRedacted);
    at += count;
  }
}

}  // namespace

std::vector<std::string_view> redacted(const CommandSpec& command, std::span<const std::string_view> words) {
  std::vector<std::string_view> shown(words.begin(), words.end());
  if (command.name == "auth") redact_from(shown, 1);
  if (command.name == "setuser") redact_from(shown, 2);
  if (command.name == "hello") redact_hello(shown);
  if (command.name == "migrate") redact_migrate(shown);
  if (command.name == "set" && words.size() > 2 && equals_ignoring_case(words[0], "CONFIG"))
    redact_secret_options(shown);
  return shown;
}

}  // namespace shale::server
