// The longest common subsequence of two strings, and which ranges of them it is made of. Knows bytes only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/bytes.h"

namespace shale::server {

// Time is the product of the lengths. Done row by row, so that it may be spread over several calls. Memory:
// four bytes for each byte of `b`, and, if more than the length is wanted, a bit for each pair of bytes.
class LongestCommonSubsequence {
 public:
  using Bytes = engine::Bytes;

  LongestCommonSubsequence(Bytes a, Bytes b, bool length_only);

  // About as many steps of the product; true when all are done.
  bool advance(std::uint64_t steps);

  // The rest is for when it is done.

  std::size_t length() const { return lengths_.back(); }

  // Bytes that both strings have one after the other, at these places (both ends included).
  struct Match {
    std::size_t a_first, a_last;
    std::size_t b_first, b_last;
    std::size_t length() const { return a_last - a_first + 1; }
  };
  // From the end of the strings to their beginning. Not with length_only.
  std::vector<Match> matches() const;
  Bytes subsequence() const;  // likewise

 private:
  // Whether the first i of a and j of b have more in common without the last of b than without that of a.
  bool drops_a(std::size_t i, std::size_t j) const { return drops_a_[(i - 1) * b_.size() + j - 1]; }

  const Bytes a_;
  const Bytes b_;
  const bool keeps_path_;
  std::size_t rows_done_ = 0;           // of a_
  std::vector<std::uint32_t> lengths_;  // [j]: of the first rows_done_ of a_ and the first j of b_
  std::vector<bool> drops_a_;           // by row and column; empty with length_only
};

}  // namespace shale::server
