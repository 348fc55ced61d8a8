#include "src/acl/text.h"

#include <algorithm>

namespace shale::server::acl {

bool has_blanks(std::string_view text) {
  using namespace std::string_view_literals;
  return text.find_first_of(" \t\n\v\f\r\0"sv) != std::string_view::npos;
}

std::optional<std::vector<std::string>> merge_selectors(std::span<const std::string_view> words,
                                                        std::string_view& unmatched) {
  std::vector<std::string> rules;
  bool open = false;
  for (const std::string_view word : words) {
    if (open) {
      rules.back() += ' ';
      rules.back() += word;
      open = !word.ends_with(')');
      continue;
    }
    open = word.starts_with('(') && !word.ends_with(')');
    if (open) unmatched = word;
    rules.emplace_back(word);
  }
  if (open) return std::nullopt;
  return rules;
}

}  // namespace shale::server::acl
