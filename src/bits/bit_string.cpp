#include "src/bits/bit_string.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace shale::bits {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr unsigned kByteBits = 8;

std::uint64_t word_at(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Four sums, so that no addition waits for the one before it.
[[gnu::always_inline]] inline std::uint64_t count_words(const char* bytes, std::size_t words) {
  std::uint64_t sums[4] = {};
  std::size_t word = 0;
  for (; word + 4 <= words; word += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane)
      sums[lane] += static_cast<unsigned>(std::popcount(word_at(bytes + (word + lane) * kWordBytes)));
  }
  for (; word < words; ++word)
    sums[0] += static_cast<unsigned>(std::popcount(word_at(bytes + word * kWordBytes)));
  return sums[0] + sums[1] + sums[2] + sums[3];
}

std::uint64_t count_words_plainly(const char* bytes, std::size_t words) { return count_words(bytes, words); }

#if defined(__x86_64__)
// The instruction is no part of the x86-64 that everything else is compiled for: without it a word takes some
// twelve others.
[[gnu::target("popcnt")]] std::uint64_t count_words_by_instruction(const char* bytes, std::size_t words) {
  std::uint64_t sums[4] = {};
  std::size_t word = 0;
  for (; word + 4 <= words; word += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane)
      sums[lane] += static_cast<unsigned>(__builtin_popcountll(word_at(bytes + (word + lane) * kWordBytes)));
  }
  for (; word < words; ++word)
    sums[0] += static_cast<unsigned>(__builtin_popcountll(word_at(bytes + word * kWordBytes)));
  return sums[0] + sums[1] + sums[2] + sums[3];
}

const auto count_words_best =
    __builtin_cpu_supports("popcnt") ? count_words_by_instruction : count_words_plainly;
#else
const auto count_words_best = count_words_plainly;
#endif

// The bits of one byte that lie in the range.
unsigned char bits_within(std::int64_t byte, BitRange range) {
  const std::int64_t begin = byte * kByteBits;
  unsigned mask = 0xff;
  if (range.first > begin) mask &= 0xffU >> (range.first - begin);
  if (range.last < begin + 7) mask &= 0xffU << (begin + 7 - range.last);
  return static_cast<unsigned char>(mask);
}

}  // namespace

std::uint64_t count_ones(BytesView bytes) {
  const std::size_t words = bytes.size() / kWordBytes;
  std::uint64_t count = count_words_best(bytes.data(), words);
  for (const char byte : bytes.substr(words * kWordBytes))
    count += static_cast<unsigned>(std::popcount(static_cast<unsigned char>(byte)));
  return count;
}

std::uint64_t count_ones(BytesView bytes, BitRange range) {
  if (range.empty()) return 0;
  const std::int64_t first_byte = range.first / kByteBits;
  const std::int64_t last_byte = range.last / kByteBits;
  const auto outside = [&](std::int64_t byte) {
    const auto value = static_cast<unsigned char>(bytes[static_cast<std::size_t>(byte)]);
    return static_cast<unsigned>(
        std::popcount(static_cast<unsigned char>(value & ~bits_within(byte, range))));
  };
  const auto begin = static_cast<std::size_t>(first_byte);
  std::uint64_t count = count_ones(bytes.substr(begin, static_cast<std::size_t>(last_byte) - begin + 1));
  count -= outside(first_byte);
  if (last_byte != first_byte) count -= outside(last_byte);
  return count;
}

std::optional<std::uint64_t> find_bit(BytesView bytes, bool wanted) {
  const std::uint64_t skipped = wanted ? 0 : UINT64_MAX;
  std::size_t at = 0;
  while (at + kWordBytes <= bytes.size() && word_at(bytes.data() + at) == skipped) at += kWordBytes;
  for (; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    const auto marked = static_cast<unsigned char>(wanted ? byte : ~byte);
    if (marked != 0) return at * kByteBits + static_cast<unsigned>(std::countl_zero(marked));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> find_bit(BytesView bytes, BitRange range, bool wanted) {
  if (range.empty()) return std::nullopt;
  const auto in_byte = [&](std::int64_t byte) -> std::optional<std::uint64_t> {
    const auto value = static_cast<unsigned char>(bytes[static_cast<std::size_t>(byte)]);
    const auto marked = static_cast<unsigned char>((wanted ? value : static_cast<unsigned char>(~value)) &
                                                   bits_within(byte, range));
    if (marked == 0) return std::nullopt;
    return static_cast<std::uint64_t>(byte * kByteBits + std::countl_zero(marked));
  };
  const std::int64_t first_byte = range.first / kByteBits;
  const std::int64_t last_byte = range.last / kByteBits;
  if (const auto found = in_byte(first_byte); found || first_byte == last_byte) return found;
  const auto inner = static_cast<std::size_t>(first_byte + 1);
  if (const auto found = find_bit(bytes.substr(inner, static_cast<std::size_t>(last_byte) - inner), wanted))
    return inner * kByteBits + *found;
  return in_byte(last_byte);
}

namespace {

// Word by word; what has no whole word at the end, byte by byte.
template <class Combine>
void combine_all(std::span<char> into, BytesView other, Combine combine_words) {
  std::size_t at = 0;
  for (; at + kWordBytes <= other.size(); at += kWordBytes) {
    const std::uint64_t word = combine_words(word_at(into.data() + at), word_at(other.data() + at));
    std::memcpy(into.data() + at, &word, sizeof word);
  }
  for (; at < other.size(); ++at) {
    into[at] = static_cast<char>(
        combine_words(static_cast<unsigned char>(into[at]), static_cast<unsigned char>(other[at])));
  }
}

}  // namespace

void combine(Operation operation, std::span<char> into, BytesView other) {
  assert(other.size() <= into.size());
  using Word = std::uint64_t;
  switch (operation) {
    case Operation::bit_and:
      combine_all(into, other, [](Word a, Word b) { return a & b; });
      std::ranges::fill(into.subspan(other.size()), '\0');
      return;
    case Operation::bit_or: return combine_all(into, other, [](Word a, Word b) { return a | b; });
    case Operation::bit_xor: return combine_all(into, other, [](Word a, Word b) { return a ^ b; });
    case Operation::bit_not: return invert(into);
  }
}

void invert(std::span<char> bytes) {
  combine_all(bytes, {bytes.data(), bytes.size()}, [](std::uint64_t a, std::uint64_t) { return ~a; });
}

std::uint64_t read_field(BytesView bytes, std::uint64_t offset, unsigned width) {
  std::uint64_t value = 0;
  for (unsigned taken = 0; taken < width;) {
    const std::uint64_t at = offset + taken;
    const auto within = static_cast<unsigned>(at % kByteBits);
    const unsigned count = std::min(kByteBits - within, width - taken);
    const std::uint64_t index = at / kByteBits;
    const unsigned byte = index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0;
    const unsigned part = (byte >> (kByteBits - within - count)) & ((1U << count) - 1);
    value = (value << count) | part;
    taken += count;
  }
  return value;
}

void write_field(std::span<char> bytes, std::uint64_t offset, unsigned width, std::uint64_t value) {
  for (unsigned written = 0; written < width;) {
    const std::uint64_t at = offset + written;
    const auto within = static_cast<unsigned>(at % kByteBits);
    const unsigned count = std::min(kByteBits - within, width - written);
    const unsigned shift = kByteBits - within - count;
    const unsigned mask = ((1U << count) - 1) << shift;
    const auto part = static_cast<unsigned>(value >> (width - written - count)) << shift;
    char& byte = bytes[at / kByteBits];
    byte = static_cast<char>((static_cast<unsigned char>(byte) & ~mask) | (part & mask));
    written += count;
  }
}

}  // namespace shale::bits
