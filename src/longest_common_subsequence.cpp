#include "src/longest_common_subsequence.h"

#include <algorithm>
#include <utility>

namespace shale::server {

LongestCommonSubsequence::LongestCommonSubsequence(Bytes a, Bytes b, bool length_only)
    : a_(std::move(a)), b_(std::move(b)), keeps_path_(!length_only) {}

bool LongestCommonSubsequence::advance(std::uint64_t steps) {
  if (lengths_.empty()) {  // not in the constructor: it is much memory, and the background's to touch
    lengths_.resize(b_.size() + 1, 0);
    if (keeps_path_) drops_a_.resize(a_.size() * b_.size());
  }
  while (rows_done_ < a_.size()) {
    if (steps == 0) return false;
    steps -= std::min<std::uint64_t>(steps, b_.size() + 1);
    const char letter = a_[rows_done_];
    std::uint32_t diagonal = 0;  // of the row before and the column before
    for (std::size_t j = 1; j <= b_.size(); ++j) {
      const std::uint32_t above = lengths_[j];  // without this letter of a
      const std::uint32_t before = lengths_[j - 1];
      if (!drops_a_.empty()) drops_a_[rows_done_ * b_.size() + j - 1] = above > before;
      lengths_[j] = letter == b_[j - 1] ? diagonal + 1 : std::max(above, before);
      diagonal = above;
    }
    ++rows_done_;
  }
  return true;
}

std::vector<LongestCommonSubsequence::Match> LongestCommonSubsequence::matches() const {
  std::vector<Match> found;
  bool extends = false;  // the last match ends where we are
  for (std::size_t i = a_.size(), j = b_.size(); i > 0 && j > 0;) {
    if (a_[i - 1] != b_[j - 1]) {
      --(drops_a(i, j) ? i : j);
      extends = false;
      continue;
    }
    --i;
    --j;
    if (extends) {
      found.back().a_first = i;
      found.back().b_first = j;
    } else {
      found.push_back({i, i, j, j});
      extends = true;
    }
  }
  return found;
}

LongestCommonSubsequence::Bytes LongestCommonSubsequence::subsequence() const {
  Bytes bytes;
  const auto found = matches();
  for (auto match = found.rbegin(); match != found.rend(); ++match)
    bytes.append(a_, match->a_first, match->length());
  return bytes;
}

}  // namespace shale::server
