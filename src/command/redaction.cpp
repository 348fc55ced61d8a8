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

// HELLO 3 AUTH user password, MIGRATE ... AUTH password, AUTH2 user password
void redact_after_auth(Words words) {
  for (std::size_t at = 1; at < words.size(); ++at) {
    const bool one = equals_ignoring_case(words[at], "AUTH") && !equals_ignoring_case(words[0], "HELLO");
    const bool two = equals_ignoring_case(words[at], "AUTH2") ||
                     (equals_ignoring_case(words[at], "AUTH") && equals_ignoring_case(words[0], "HELLO"));
    if (!one && !two) continue;
    const std::size_t count = std::min<std::size_t>(one ? 1 : 2, words.size() - at - 1);
    std::ranges::fill(words.subspan(at + 1, count), kRedacted);
    return;
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

}  // namespace

std::vector<std::string_view> redacted(const CommandSpec& command, std::span<const std::string_view> words) {
  std::vector<std::string_view> shown(words.begin(), words.end());
  if (command.name == "auth") redact_from(shown, 1);
  if (command.name == "setuser") redact_from(shown, 2);
  if (command.name == "hello" || command.name == "migrate") redact_after_auth(shown);
  if (command.name == "set" && words.size() > 2 && equals_ignoring_case(words[0], "CONFIG"))
    redact_secret_options(shown);
  return shown;
}

}  // namespace shale::server
