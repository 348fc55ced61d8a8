// The keys and values of all workloads, and how a reader tells that it was given the right ones.
//
// Key number i is 16 hexadecimal digits of a permutation of the 64-bit numbers applied to i: keys are unique,
// and in the order of their numbers they are in random order. A value begins and ends with eight bytes
// computed from its key; between them one half is random bytes and the other zeros, so that a value
// compresses to about half.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace shale::bench {

// A permutation of the 64-bit numbers whose results look random (the finaliser of SplitMix64).
constexpr std::uint64_t scramble(std::uint64_t number) {
  number += 0x9e37'79b9'7f4a'7c15;
  number = (number ^ number >> 30) * 0xbf58'476d'1ce4'e5b9;
  number = (number ^ number >> 27) * 0x94d0'49bb'1331'11eb;
  return number ^ number >> 31;
}

// Deterministic and cheap; not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return scramble(state_++); }
  // Uniform in [0, bound), as far as 32 bits can tell. Requires 0 < bound <= 2^32.
  std::uint64_t below(std::uint64_t bound) { return (next() >> 32) * bound >> 32; }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // in [0, 1)

 private:
  std::uint64_t state_;
};

inline constexpr std::size_t kKeyBytes = 16;
inline constexpr std::size_t kCheckBytes = 8;
inline constexpr std::size_t kValueBytesMin = 2 * kCheckBytes;

// The key of a number, held in place.
class Key {
 public:
  explicit Key(std::uint64_t number) {
    const std::uint64_t place = scramble(number);
    write_hexadecimal(static_cast<std::uint32_t>(place >> 32), digits_);
    write_hexadecimal(static_cast<std::uint32_t>(place), digits_ + 8);
  }
  std::string_view view() const { return {digits_, kKeyBytes}; }

 private:
  // Eight digits at once: spread the nibbles over the bytes of a word, then turn each into its digit.
  static void write_hexadecimal(std::uint32_t number, char* into) {
    std::uint64_t spread = number;
    spread = (spread & 0xffff) << 32 | spread >> 16;
    spread = (spread & 0x0000'00ff'0000'00ff) << 16 | (spread & 0x0000'ff00'0000'ff00) >> 8;
    spread = (spread & 0x000f'000f'000f'000f) << 8 | (spread & 0x00f0'00f0'00f0'00f0) >> 4;
    const std::uint64_t letters = (spread + 0x0606'0606'0606'0606) >> 4 & 0x0101'0101'0101'0101;
    spread += 0x3030'3030'3030'3030 + letters * ('a' - '0' - 10);
    std::memcpy(into, &spread, sizeof spread);
  }

  char digits_[kKeyBytes];
};
static_assert(std::endian::native == std::endian::little);

// What a key's values begin and end with. Requires a key of kKeyBytes.
inline std::uint64_t check_of(std::string_view key) {
  std::uint64_t high;
  std::uint64_t low;
  std::memcpy(&high, key.data(), sizeof high);
  std::memcpy(&low, key.data() + sizeof high, sizeof low);
  return (high ^ std::rotl(low, 23)) * 0x9fb2'1c65'1e98'df25;
}

inline bool value_belongs_to(std::string_view key, std::string_view value, std::size_t value_bytes) {
  if (key.size() != kKeyBytes || value.size() != value_bytes) return false;
  const std::uint64_t check = check_of(key);
  return std::memcmp(value.data(), &check, kCheckBytes) == 0 &&
         std::memcmp(value.data() + value_bytes - kCheckBytes, &check, kCheckBytes) == 0;
}

// Makes values of one size. Not thread-safe.
class ValueMaker {
 public:
  // Requires value_bytes >= kValueBytesMin.
  ValueMaker(std::size_t value_bytes, std::uint64_t seed);
  // Valid until the next call.
  std::string_view make(std::string_view key) {
    const std::uint64_t check = check_of(key);
    std::memcpy(value_.data(), &check, kCheckBytes);
    std::memcpy(value_.data() + kCheckBytes, noise_.data() + random_.below(noise_.size() - noisy_bytes_),
                noisy_bytes_);
    std::memcpy(value_.data() + value_.size() - kCheckBytes, &check, kCheckBytes);
    return value_;
  }

 private:
  Random random_;
  std::string noise_;
  std::size_t noisy_bytes_;
  std::string value_;
};

// Counts what a scan shows and whether it is right: ascending keys, from the first one asked for, each with a
// value of its own.
class ScanCheck {
 public:
  explicit ScanCheck(std::size_t value_bytes) : value_bytes_(value_bytes) {}

  void begin(std::string_view first) {
    last_.assign(first);
    first_of_scan_ = true;
  }
  void see(std::string_view key, std::string_view value) {
    const int order = key.compare(last_);
    wrong_ += order < 0 || (order == 0 && !first_of_scan_) || !value_belongs_to(key, value, value_bytes_);
    first_of_scan_ = false;
    last_.assign(key);
    ++seen_;
  }

  // Where to go on: the least key behind the one seen last. Requires that one has been seen.
  void put_next_key(std::string& into) const {
    into.assign(last_);
    into.push_back('\0');
  }

  std::uint64_t seen() const { return seen_; }
  std::uint64_t wrong() const { return wrong_; }

 private:
  std::size_t value_bytes_;
  std::string last_;
  bool first_of_scan_ = true;
  std::uint64_t seen_ = 0;
  std::uint64_t wrong_ = 0;
};

// Ranks 0, 1, 2 ... with probabilities in proportion to 1 / (rank + 1)^0.99, as YCSB draws them (Gray et al.,
// "Quickly generating billion-record synthetic databases", 1994).
class ZipfRanks {
 public:
  // Takes time in proportion to `count`, which must be at least 2.
  explicit ZipfRanks(std::uint64_t count);
  std::uint64_t next(Random& random) const;

 private:
  std::uint64_t count_;
  double zeta_;
  double eta_;
};

}  // namespace shale::bench
