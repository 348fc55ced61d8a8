// The text of rules: what may stand in names and patterns, and how words become rules.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shale::server::acl {

// Names of users and patterns have no blanks, line ends or zero bytes, so that rules can be written on a
// line.
bool has_blanks(std::string_view text);

// A selector may be given as several words: "(+get", "~a*)" are one rule. nullopt if a parenthesis is not
// closed: `unmatched` is the word that opens it.
std::optional<std::vector<std::string>> merge_selectors(std::span<const std::string_view> words,
                                                        std::string_view& unmatched);

}  // namespace shale::server::acl
