// Redis's glob patterns: KEYS, SCAN MATCH, CONFIG GET, COMMAND LIST FILTERBY PATTERN.
#pragma once

#include <string_view>

namespace shale::server {

//   *        any bytes, also none
//   ?        one byte
//   [abc]    one of these; [^abc] none of these; [a-z] (or [z-a]) a range; a missing ] is taken as read
//   \x       x itself, also between brackets
//
// Time is at most pattern times text, whatever the pattern (a Redis before 6.2.8 took exponential time for
// runs of stars); no recursion, no allocation.
bool glob_matches(std::string_view pattern, std::string_view text, bool ignore_case = false);

// Whether the pattern is "*": everything matches.
inline bool glob_matches_all(std::string_view pattern) { return pattern == "*"; }

}  // namespace shale::server
