#include "src/command/arguments.h"

#include <algorithm>

#include "protocol/number_text.h"

namespace shale::server {
namespace {

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter; }

}  // namespace

bool equals_ignoring_case(std::string_view text, std::string_view word) {
  return std::ranges::equal(text, word, {}, lower, lower);
}

std::string lower_case(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(), lower);
  return lowered;
}

std::string_view Arguments::take() {
  if (empty()) {
    fail(kSyntaxError);
    return {};
  }
  return all_[next_++];
}

ValueArgument Arguments::take_value() {
  const std::size_t index = first_index_ + next_;
  const auto found = std::ranges::find(large_, index, &ReceivedLargeArgument::index);
  return {take(), found == large_.end() ? nullptr : found->value};
}

std::int64_t Arguments::take_integer(std::string_view error) {
  if (empty()) {
    fail(kSyntaxError);
    return 0;
  }
  const auto value = protocol::parse_integer(all_[next_++]);
  if (!value) fail(error);
  return value.value_or(0);
}

bool Arguments::take_word(std::string_view word) { return take_word(word, 0); }

bool Arguments::take_word(std::string_view word, std::size_t following) {
  if (remaining() <= following || !equals_ignoring_case(all_[next_], word)) return false;
  ++next_;
  return true;
}

}  // namespace shale::server
