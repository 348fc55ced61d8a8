#include "src/glob.h"

#include <cctype>
#include <cstddef>
#include <utility>

namespace shale::server {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

// Bytes compare as C's char does on this machine, which decides what a range from ASCII to beyond it holds.
int folded(char byte, bool ignore_case) {
  return ignore_case ? std::tolower(static_cast<unsigned char>(byte)) : static_cast<signed char>(byte);
}

// One element of a pattern, which takes exactly one byte: where the next element begins, or kNone if `byte`
// does not fit.
class Element {
 public:
  Element(std::string_view pattern, bool ignore_case) : pattern_(pattern), ignore_case_(ignore_case) {}

  std::size_t match(std::size_t at, char byte) const {
    switch (pattern_[at]) {
      case '?': return at + 1;
      case '[': return match_class(at + 1, byte);
      case '\\':
        if (at + 1 < pattern_.size()) ++at;
        break;
      default: break;
    }
    return same(pattern_[at], byte) ? at + 1 : kNone;
  }

 private:
  bool same(char a, char b) const { return folded(a, ignore_case_) == folded(b, ignore_case_); }

  bool in_range(char from, char to, char byte) const {
    // The ends are ordered as they are written, before case is folded.
    if (static_cast<signed char>(from) > static_cast<signed char>(to)) std::swap(from, to);
    const int value = folded(byte, ignore_case_);
    return value >= folded(from, ignore_case_) && value <= folded(to, ignore_case_);
  }

  std::size_t match_class(std::size_t at, char byte) const {
    const bool negated = at < pattern_.size() && pattern_[at] == '^';
    if (negated) ++at;
    bool found = false;
    while (at < pattern_.size() && pattern_[at] != ']') {
      const std::size_t left = pattern_.size() - at;
      if (pattern_[at] == '\\' && left >= 2) {
        found |= pattern_[at + 1] == byte;  // an escaped byte is compared as it is, also if case is ignored
        at += 2;
      } else if (left >= 3 && pattern_[at + 1] == '-') {
        found |= in_range(pattern_[at], pattern_[at + 2], byte);
        at += 3;
      } else {
        found |= same(pattern_[at], byte);
        ++at;
      }
    }
    if (at < pattern_.size()) ++at;  // the bracket, unless it is missing
    return found != negated ? at : kNone;
  }

  std::string_view pattern_;
  bool ignore_case_;
};

}  // namespace

// Every element but the star takes one byte, so after a mismatch only the last star has to be tried with one
// byte more: what earlier stars took can stay as it is.
bool glob_matches(std::string_view pattern, std::string_view text, bool ignore_case) {
  const Element element(pattern, ignore_case);
  std::size_t at = 0;
  std::size_t after_star = kNone;
  std::size_t star_end = 0;  // where in `text` the last star ends
  for (std::size_t index = 0; index < text.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      after_star = ++at;
      star_end = index;
      continue;
    }
    const std::size_t next = at < pattern.size() ? element.match(at, text[index]) : kNone;
    if (next != kNone) {
      at = next;
      ++index;
    } else if (after_star != kNone) {
      at = after_star;
      index = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == kNone;
}

}  // namespace shale::server
