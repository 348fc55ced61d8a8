// What a memtable and a record cache charge per operation at one million entries: keys of 16 to 28 bytes that
// begin with a random token, values of 100 bytes. Each workload reports a checksum of what it read, and
// std::unordered_map does the same work for comparison. Times include neither the making of the keys nor,
// except where it is said, their hashing, which the server does once per command.
//
//   memtable: insert, overwrite, find (one by one; in batches of 16 with prefetch), scan, seek, destroy
//   cache_find: as find. cache_churn: reads of four times as many keys as fit, each miss offered to the
//   cache. Argument: the shape of the keys (0 random token, 1 common prefix, 2 ascending)
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/lsm/memtable.h"
#include "engine/lsm/record_cache.h"

namespace {

using shale::engine::BytesView;
using shale::engine::HashedKey;
using shale::engine::lsm::EntryType;
using shale::engine::lsm::Memtable;
using shale::engine::lsm::RecordCache;

constexpr std::size_t kKeyCount = 1'000'000;
constexpr std::size_t kBatch = 16;
constexpr std::size_t kValueBytes = 100;
constexpr std::size_t kChunkBytes = std::size_t{2} << 20;

enum class KeyShape : std::int64_t { token, common_prefix, ascending };

// Keys that lie in memory in the order in which they are used, as if they came from a socket.
class KeySequence {
 public:
  explicit KeySequence(const std::vector<std::string>& keys) {
    for (const std::string& key : keys) bytes_ += key;
    std::size_t begin = 0;
    for (const std::string& key : keys) {
      keys_.emplace_back(BytesView{bytes_}.substr(begin, key.size()));
      begin += key.size();
    }
  }
  KeySequence(const KeySequence&) = delete;
  KeySequence& operator=(const KeySequence&) = delete;

  auto begin() const { return keys_.begin(); }
  auto end() const { return keys_.end(); }
  const HashedKey* batch(std::size_t first) const { return &keys_[first]; }

 private:
  std::string bytes_;
  std::vector<HashedKey> keys_;
};

std::vector<std::string> make_keys(KeyShape shape, std::mt19937_64& random) {
  std::vector<std::string> keys(kKeyCount);
  std::uint64_t next = 0;
  for (std::string& key : keys) {
    if (shape == KeyShape::token) {
      key.resize(8);
      for (char& byte : key) byte = static_cast<char>(random());
      key += "user:" + std::to_string(random() % 1'000'000'000'000'000);
      key.resize(16 + random() % 13, '0');
    } else {
      const std::string text = std::to_string(next++);
      key = "user:profile:" + std::string(12 - text.size(), '0') + text;
    }
  }
  if (shape == KeyShape::common_prefix) std::shuffle(keys.begin(), keys.end(), random);
  return keys;
}

struct Keys {
  KeySequence in_order;
  KeySequence shuffled;
};

const Keys& keys_of(KeyShape shape) {
  static std::unordered_map<std::int64_t, std::unique_ptr<Keys>> made;
  auto& keys = made[static_cast<std::int64_t>(shape)];
  if (!keys) {
    std::mt19937_64 random{42};
    const std::vector<std::string> in_order = make_keys(shape, random);
    std::vector<std::string> shuffled = in_order;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    keys.reset(new Keys{KeySequence{in_order}, KeySequence{shuffled}});
  }
  return *keys;
}

KeyShape shape_of(const benchmark::State& state) { return static_cast<KeyShape>(state.range(0)); }

const std::string& value() {
  static const std::string value(kValueBytes, 'v');
  return value;
}

std::unique_ptr<Memtable> filled(const Keys& keys) {
  auto memtable = std::make_unique<Memtable>(kChunkBytes);
  for (const HashedKey& key : keys.in_order) memtable->put(key, value(), EntryType::value, 1);
  return memtable;
}

Memtable& filled_once(KeyShape shape) {
  static std::unordered_map<std::int64_t, std::unique_ptr<Memtable>> made;
  auto& memtable = made[static_cast<std::int64_t>(shape)];
  if (!memtable) memtable = filled(keys_of(shape));
  return *memtable;
}

// One iteration is kKeyCount operations; the counter shows the time of one.
void report(benchmark::State& state, std::uint64_t checksum) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kKeyCount));
  state.counters["per_op"] =
      benchmark::Counter(static_cast<double>(kKeyCount),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["checksum"] = static_cast<double>(checksum % 1'000'000);
}

void insert(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  std::uint64_t checksum = 0;
  std::size_t memory_bytes = 0;
  for (auto _ : state) {
    auto memtable = filled(keys);
    state.PauseTiming();
    checksum = memtable->live_bytes();
    memory_bytes = memtable->memory_bytes();
    memtable.reset();
    state.ResumeTiming();
  }
  report(state, checksum);
  state.counters["memory_bytes_per_record"] = static_cast<double>(memory_bytes) / kKeyCount;
}
BENCHMARK(insert)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

void insert_prefetched(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    auto memtable = std::make_unique<Memtable>(kChunkBytes);
    for (std::size_t i = 0; i < kKeyCount; i += kBatch) {
      const HashedKey* batch = keys.in_order.batch(i);
      for (std::size_t j = 0; j < kBatch; ++j) memtable->prefetch_index(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) memtable->prefetch_order(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) memtable->put(batch[j], value(), EntryType::value, 1);
    }
    state.PauseTiming();
    checksum = memtable->live_bytes();
    memtable.reset();
    state.ResumeTiming();
  }
  report(state, checksum);
}
BENCHMARK(insert_prefetched)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

// The longest single put while a memtable fills: what growth and fresh memory cost at worst.
void insert_longest(benchmark::State& state) {
  const Keys& keys = keys_of(KeyShape::token);
  std::vector<double> times_us(kKeyCount);
  for (auto _ : state) {
    Memtable memtable{kChunkBytes};
    for (std::size_t i = 0; i < kKeyCount; ++i) {
      const auto start = std::chrono::steady_clock::now();
      memtable.put(keys.in_order.batch(i)[0], value(), EntryType::value, 1);
      times_us[i] =
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    }
  }
  std::sort(times_us.begin(), times_us.end());
  state.counters["p99_us"] = times_us[kKeyCount / 100 * 99];
  state.counters["p999_us"] = times_us[kKeyCount / 1000 * 999];
  state.counters["p9999_us"] = times_us[kKeyCount / 10000 * 9999];
  state.counters["max_us"] = times_us.back();
}
BENCHMARK(insert_longest)->Unit(benchmark::kMillisecond);

void overwrite(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  Memtable& memtable = filled_once(shape_of(state));
  for (auto _ : state) {
    for (const HashedKey& key : keys.shuffled) memtable.put(key, value(), EntryType::value, 0);
  }
  report(state, memtable.live_bytes());
}
BENCHMARK(overwrite)->DenseRange(0, 0)->Unit(benchmark::kMillisecond);

void overwrite_prefetched(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  Memtable& memtable = filled_once(shape_of(state));
  for (auto _ : state) {
    for (std::size_t i = 0; i < kKeyCount; i += kBatch) {
      const HashedKey* batch = keys.shuffled.batch(i);
      for (std::size_t j = 0; j < kBatch; ++j) memtable.prefetch_index(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) memtable.prefetch_record(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) memtable.put(batch[j], value(), EntryType::value, 0);
    }
  }
  report(state, memtable.live_bytes());
}
BENCHMARK(overwrite_prefetched)->DenseRange(0, 0)->Unit(benchmark::kMillisecond);

std::uint64_t look_at(const std::optional<shale::engine::lsm::Entry>& entry) {
  return entry->value.size() + static_cast<unsigned char>(entry->value.back());
}

void find(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  const Memtable& memtable = filled_once(shape_of(state));
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    for (const HashedKey& key : keys.shuffled) checksum += look_at(memtable.find(key));
  }
  report(state, checksum);
}
BENCHMARK(find)->DenseRange(0, 0)->Unit(benchmark::kMillisecond);

void find_prefetched(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  const Memtable& memtable = filled_once(shape_of(state));
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    for (std::size_t i = 0; i < kKeyCount; i += kBatch) {
      const HashedKey* batch = keys.shuffled.batch(i);
      for (std::size_t j = 0; j < kBatch; ++j) memtable.prefetch_index(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) memtable.prefetch_record(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) checksum += look_at(memtable.find(batch[j]));
    }
  }
  report(state, checksum);
}
BENCHMARK(find_prefetched)->DenseRange(0, 0)->Unit(benchmark::kMillisecond);

void find_absent(benchmark::State& state) {
  const Keys& keys = keys_of(KeyShape::common_prefix);
  const Memtable& memtable = filled_once(KeyShape::token);
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    for (const HashedKey& key : keys.shuffled) checksum += memtable.find(key).has_value() ? 1 : 0;
  }
  report(state, checksum);
}
BENCHMARK(find_absent)->Unit(benchmark::kMillisecond);

void scan(benchmark::State& state) {
  const Memtable& memtable = filled_once(shape_of(state));
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    auto cursor = memtable.cursor();
    for (cursor.seek_to_first(); cursor.valid(); cursor.next()) checksum += look_at(cursor.entry());
  }
  report(state, checksum);
}
BENCHMARK(scan)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

void seek(benchmark::State& state) {
  const Keys& keys = keys_of(shape_of(state));
  const Memtable& memtable = filled_once(shape_of(state));
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    auto cursor = memtable.cursor();
    for (const HashedKey& key : keys.shuffled) {
      cursor.seek(key.bytes);
      checksum += look_at(cursor.entry());
    }
  }
  report(state, checksum);
}
BENCHMARK(seek)->DenseRange(0, 2)->Unit(benchmark::kMillisecond);

void destroy(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto memtable = filled(keys_of(KeyShape::token));
    state.ResumeTiming();
    memtable.reset();
  }
}
BENCHMARK(destroy)->Unit(benchmark::kMillisecond)->Iterations(3);

constexpr std::size_t kRecordCacheBytes = std::size_t{256} << 20;

void cache_find_prefetched(benchmark::State& state) {
  const Keys& keys = keys_of(KeyShape::token);
  RecordCache cache{kRecordCacheBytes};
  for (const HashedKey& key : keys.in_order) cache.insert(key, value());
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    for (std::size_t i = 0; i < kKeyCount; i += kBatch) {
      const HashedKey* batch = keys.shuffled.batch(i);
      for (std::size_t j = 0; j < kBatch; ++j) cache.prefetch_index(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) cache.prefetch_record(batch[j]);
      for (std::size_t j = 0; j < kBatch; ++j) checksum += cache.find(batch[j])->size();
    }
  }
  report(state, checksum);
}
BENCHMARK(cache_find_prefetched)->Unit(benchmark::kMillisecond);

void cache_churn(benchmark::State& state) {
  const Keys& keys = keys_of(KeyShape::token);
  RecordCache cache{kRecordCacheBytes / 6};
  std::mt19937_64 random{42};
  std::vector<std::size_t> reads(kKeyCount);
  for (std::size_t& read : reads) read = random() % kKeyCount;
  std::vector<double> times_us(kKeyCount);
  for (auto _ : state) {
    for (std::size_t i = 0; i < kKeyCount; ++i) {
      const HashedKey key = keys.in_order.batch(reads[i])[0];
      const auto start = std::chrono::steady_clock::now();
      if (!cache.find(key)) cache.insert(key, value());
      times_us[i] =
          std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
    }
  }
  report(state, cache.record_count());
  state.counters["hit_share"] =
      static_cast<double>(cache.hits()) / static_cast<double>(cache.hits() + cache.misses());
  state.counters["memory_share"] =
      static_cast<double>(cache.memory_bytes()) / static_cast<double>(cache.capacity_bytes());
  std::sort(times_us.begin(), times_us.end());
  state.counters["p999_us"] = times_us[kKeyCount / 1000 * 999];
  state.counters["max_us"] = times_us.back();
}
BENCHMARK(cache_churn)->Unit(benchmark::kMillisecond);

// std::unordered_map under the same hash: the plain way to do it, without any order.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(BytesView key) const { return shale::engine::hash_bytes(key); }
};
using Map = std::unordered_map<std::string, std::string, StringHash, std::equal_to<>>;

void unordered_map_insert(benchmark::State& state) {
  const Keys& keys = keys_of(KeyShape::token);
  for (auto _ : state) {
    auto map = std::make_unique<Map>();
    for (const HashedKey& key : keys.in_order) map->emplace(key.bytes, value());
    state.PauseTiming();
    map.reset();
    state.ResumeTiming();
  }
  report(state, 0);
}
BENCHMARK(unordered_map_insert)->Unit(benchmark::kMillisecond);

void unordered_map_overwrite_and_find(benchmark::State& state) {
  const Keys& keys = keys_of(KeyShape::token);
  static const auto map = [&] {
    auto made = std::make_unique<Map>();
    for (const HashedKey& key : keys.in_order) made->emplace(key.bytes, value());
    return made;
  }();
  std::uint64_t checksum = 0;
  for (auto _ : state) {
    checksum = 0;
    for (const HashedKey& key : keys.shuffled) {
      const auto found = map->find(key.bytes);
      if (state.range(0) == 1) found->second.assign(value());
      checksum += found->second.size();
    }
  }
  report(state, checksum);
}
BENCHMARK(unordered_map_overwrite_and_find)->DenseRange(0, 1)->Unit(benchmark::kMillisecond);

}  // namespace
BENCHMARK_MAIN();
