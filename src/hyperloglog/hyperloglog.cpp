#include "src/hyperloglog/hyperloglog.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/hyperloglog/sparse_runs.h"

namespace shale::hyperloglog {
namespace {

constexpr std::string_view kMagic = "HYLL";
constexpr std::size_t kEncodingOffset = 4;
constexpr std::size_t kEstimateOffset = 8;
constexpr std::size_t kHeaderBytes = 16;
constexpr unsigned kRegisterBits = 6;
constexpr unsigned kRegisterMax = (1U << kRegisterBits) - 1;
constexpr std::size_t kDenseBytes = kHeaderBytes + kRegisterCount * kRegisterBits / 8;

constexpr unsigned kIndexBits = 14;
static_assert(kRegisterCount == 1U << kIndexBits);
constexpr unsigned kRankBits = 64 - kIndexBits;  // of the hash, beside the index

// MurmurHash64A on a little-endian machine.
std::uint64_t murmur_hash(BytesView bytes) {
  constexpr std::uint64_t kSeed = 0xadc83b19;
  constexpr std::uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr unsigned kShift = 47;
  const auto scramble = [](std::uint64_t word) {
    word *= kMultiplier;
    word ^= word >> kShift;
    return word * kMultiplier;
  };
  std::uint64_t hash = kSeed ^ (bytes.size() * kMultiplier);
  for (; bytes.size() >= sizeof hash; bytes.remove_prefix(sizeof hash)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    hash = (hash ^ scramble(word)) * kMultiplier;
  }
  if (!bytes.empty()) {
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data(), bytes.size());
    hash = (hash ^ rest) * kMultiplier;
  }
  hash ^= hash >> kShift;
  hash *= kMultiplier;
  return hash ^ hash >> kShift;
}

// Two bytes hold a register, except for the last.
unsigned dense_register(BytesView value, std::size_t index) {
  const std::size_t bit = index * kRegisterBits;
  const std::size_t byte = kHeaderBytes + bit / 8;
  unsigned pair = static_cast<unsigned char>(value[byte]);
  if (byte + 1 < value.size())
    pair |= static_cast<unsigned>(static_cast<unsigned char>(value[byte + 1])) << 8;
  return pair >> bit % 8 & kRegisterMax;
}

void set_dense_register(Bytes& value, std::size_t index, unsigned count) {
  const std::size_t bit = index * kRegisterBits;
  const std::size_t byte = kHeaderBytes + bit / 8;
  const unsigned mask = kRegisterMax << bit % 8;
  const unsigned set = count << bit % 8;
  value[byte] = static_cast<char>((static_cast<unsigned char>(value[byte]) & ~mask) | (set & 0xffU));
  if (mask >> 8 == 0) return;
  value[byte + 1] =
      static_cast<char>((static_cast<unsigned char>(value[byte + 1]) & ~(mask >> 8)) | set >> 8);
}

// Calls visit(first register, run) for the runs of a sparse value in order. False if they are not
// kRegisterCount registers in all.
template <class Visit>
bool for_each_run(BytesView value, Visit visit) {
  std::size_t first = 0;
  for (std::size_t at = kHeaderBytes; at < value.size();) {
    const Run run = run_at(value, at);
    if (run.length == 0 || first + run.length > kRegisterCount) return false;
    visit(first, run);
    first += run.length;
    at += run.bytes;
  }
  return first == kRegisterCount;
}

// After a change near `at`, the neighbours that have become equal are one run. As far as Redis looks, so that
// the bytes are the same.
void join_equal_runs(Bytes& value, std::size_t at) {
  constexpr int kRunsLookedAt = 5;
  for (int left = kRunsLookedAt; left > 0 && at < value.size(); --left) {
    const Run run = run_at(value, at);
    const bool has_next = run.is_value() && at + 1 < value.size();
    const Run next = has_next ? run_at(value, at + 1) : Run{};
    if (next.value == run.value && run.is_value() && run.length + next.length <= kValueLengthMax) {
      Bytes joined;
      append_values(run.value, run.length + next.length, joined);
      value.replace(at, 2, joined);
    } else {
      at += run.bytes;
    }
  }
}

// What becomes of a run whose register number `within` gets another value.
Bytes divided(const Run& run, std::size_t within, unsigned count) {
  Bytes runs;
  const std::size_t behind = run.length - within - 1;
  if (run.is_value()) {
    append_values(run.value, within, runs);
    append_values(count, 1, runs);
    append_values(run.value, behind, runs);
  } else {
    append_zeros(within, runs);
    append_values(count, 1, runs);
    append_zeros(behind, runs);
  }
  return runs;
}

Change raise_dense(Bytes& value, std::size_t index, unsigned count) {
  if (dense_register(value, index) >= count) return Change::none;
  set_dense_register(value, index, count);
  return Change::made;
}

Change raise_in_dense_copy(Bytes& value, std::size_t index, unsigned count) {
  return make_dense(value) ? raise_dense(value, index, count) : Change::corrupt;
}

Change raise_sparse(Bytes& value, std::size_t index, unsigned count, std::size_t sparse_bytes_max) {
  if (count > kRunValueMax) return raise_in_dense_copy(value, index, count);
  std::size_t first = 0;
  std::size_t at = kHeaderBytes;
  std::size_t before = at;  // the run before
  Run run;
  for (; at < value.size(); at += run.bytes) {
    run = run_at(value, at);
    if (run.length == 0) return Change::corrupt;
    if (index < first + run.length) break;
    before = at;
    first += run.length;
  }
  if (at >= value.size()) return Change::corrupt;
  if (run.value >= count) return Change::none;
  const Bytes runs = divided(run, index - first, count);
  if (runs.size() > run.bytes && value.size() + runs.size() - run.bytes > sparse_bytes_max) {
    return raise_in_dense_copy(value, index, count);
  }
  value.replace(at, run.bytes, runs);
  join_equal_runs(value, before);
  drop_estimate(value);
  return Change::made;
}

// Ertl's functions of the share of registers that are 0, and of those that are not full.
double sigma(double share) {
  if (share == 1) return std::numeric_limits<double>::infinity();
  double sum = share;
  double weight = 1;
  for (double before = -1; before != sum;) {
    share *= share;
    before = sum;
    sum += share * weight;
    weight += weight;
  }
  return sum;
}

double tau(double share) {
  if (share == 0 || share == 1) return 0;
  double sum = 1 - share;
  double weight = 1;
  for (double before = -1; before != sum;) {
    share = std::sqrt(share);
    before = sum;
    weight *= 0.5;
    sum -= (1 - share) * (1 - share) * weight;
  }
  return sum / 3;
}

}  // namespace

Bytes make_empty() {
  Bytes value(kMagic);
  value.push_back(static_cast<char>(Encoding::sparse));
  value.resize(kHeaderBytes, '\0');
  append_zeros(kRegisterCount, value);
  return value;
}

bool is_valid(BytesView value) {
  if (value.size() < kHeaderBytes || !value.starts_with(kMagic)) return false;
  const auto stored = static_cast<unsigned char>(value[kEncodingOffset]);
  if (stored > static_cast<unsigned char>(Encoding::sparse)) return false;
  return encoding(value) == Encoding::sparse || value.size() == kDenseBytes;
}

Encoding encoding(BytesView value) { return static_cast<Encoding>(value[kEncodingOffset]); }

Change add(Bytes& value, BytesView element, std::size_t sparse_bytes_max) {
  const std::uint64_t hash = murmur_hash(element);
  // A one above all bits of the rest ends the count of zeros.
  const std::uint64_t rest = hash >> kIndexBits | std::uint64_t{1} << kRankBits;
  const auto count = static_cast<std::uint8_t>(std::countr_zero(rest) + 1);
  return raise(value, hash & (kRegisterCount - 1), count, sparse_bytes_max);
}

Change raise(Bytes& value, std::size_t index, std::uint8_t count, std::size_t sparse_bytes_max) {
  return encoding(value) == Encoding::dense ? raise_dense(value, index, count)
                                            : raise_sparse(value, index, count, sparse_bytes_max);
}

bool make_dense(Bytes& value) {
  if (encoding(value) == Encoding::dense) return true;
  Bytes dense = value.substr(0, kHeaderBytes);
  dense[kEncodingOffset] = static_cast<char>(Encoding::dense);
  dense.resize(kDenseBytes, '\0');
  const bool sound = for_each_run(value, [&](std::size_t first, const Run& run) {
    if (!run.is_value()) return;
    for (std::size_t index = first; index < first + run.length; ++index)
      set_dense_register(dense, index, run.value);
  });
  if (sound) value.swap(dense);
  return sound;
}

bool merge(Registers& into, BytesView value) {
  const auto raise_to = [&](std::size_t index, unsigned count) {
    if (count > into[index]) into[index] = static_cast<std::uint8_t>(count);
  };
  if (encoding(value) == Encoding::dense) {
    for (std::size_t index = 0; index < kRegisterCount; ++index)
      raise_to(index, dense_register(value, index));
    return true;
  }
  return for_each_run(value, [&](std::size_t first, const Run& run) {
    if (!run.is_value()) return;
    for (std::size_t index = first; index < first + run.length; ++index) raise_to(index, run.value);
  });
}

std::uint64_t estimate(const Registers& registers) {
  constexpr double kCount = kRegisterCount;
  constexpr double kAlpha = 0.721347520444481703680;  // 1 / (2 ln 2)
  std::array<unsigned, kRegisterMax + 1> having{};    // registers, by their value
  for (const std::uint8_t value : registers) ++having[value];
  double sum = kCount * tau((kCount - having[kRankBits + 1]) / kCount);
  for (unsigned value = kRankBits; value >= 1; --value) sum = (sum + having[value]) * 0.5;
  sum += kCount * sigma(having[0] / kCount);
  return static_cast<std::uint64_t>(std::llroundl(kAlpha * kCount * kCount / sum));
}

namespace {
constexpr std::uint64_t kOutOfDate = std::uint64_t{1} << 63;
}

std::optional<std::uint64_t> kept_estimate(BytesView value) {
  std::uint64_t kept = 0;
  std::memcpy(&kept, value.data() + kEstimateOffset, sizeof kept);
  return (kept & kOutOfDate) == 0 ? std::optional{kept} : std::nullopt;
}

void keep_estimate(Bytes& value, std::uint64_t estimate) {
  std::memcpy(value.data() + kEstimateOffset, &estimate, sizeof estimate);
}

void drop_estimate(Bytes& value) {
  char& highest = value[kEstimateOffset + sizeof kOutOfDate - 1];
  highest = static_cast<char>(static_cast<unsigned char>(highest) | 0x80U);
}

std::string describe_runs(BytesView value) {
  std::string text;
  for (std::size_t at = kHeaderBytes; at < value.size();) {
    const Run run = run_at(value, at);
    if (run.length == 0) break;
    if (!text.empty()) text += ' ';
    text += run.is_value() ? fmt::format("v:{},{}", run.value, run.length)
                           : fmt::format("{}:{}", run.bytes == 1 ? 'z' : 'Z', run.length);
    at += run.bytes;
  }
  return text;
}

}  // namespace shale::hyperloglog
