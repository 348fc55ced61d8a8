// What reads, scans and builds of one sorted table cost: 1M records of 28-byte keys (uniform token, then a
// key) and 100-byte values, files in memory, so that no disk is measured. Keys are looked up in random order.
// find_cached is nearly all cache misses, so whatever else runs on the machine changes it by factors: compare
// two builds only in alternation, on an idle machine.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/lsm/table.h"
#include "engine/lsm/table_builder.h"
#include "engine/lsm/table_cursor.h"
#include "engine/lsm/table_scanner.h"

namespace shale::engine::lsm {
namespace {

constexpr std::size_t kRecords = 1'000'000;
constexpr std::size_t kKeyBytes = 28;
constexpr std::size_t kValueBytes = 100;

// One file, held in memory.
class BenchFile final : public File {
 public:
  explicit BenchFile(std::shared_ptr<Bytes> bytes) : bytes_(std::move(bytes)) {}
  Status read_at(std::uint64_t offset, std::span<char> into) const override {
    bytes_->copy(into.data(), into.size(), offset);
    return {};
  }
  std::size_t read_resident(std::uint64_t, std::span<char>) const override { return 0; }
  void announce_read(std::uint64_t, std::uint64_t) const override {}
  Status write_at(std::uint64_t offset, BytesView bytes) override {
    if (bytes_->size() < offset + bytes.size()) bytes_->resize(offset + bytes.size());
    bytes.copy(bytes_->data() + offset, bytes.size());
    return {};
  }
  Status sync() override { return {}; }
  Result<std::uint64_t> size() const override { return bytes_->size(); }
  Status truncate(std::uint64_t) override { return Error{ErrorKind::unsupported, {}}; }
  void drop_cache(std::uint64_t, std::uint64_t) override {}

 private:
  std::shared_ptr<Bytes> bytes_;
};

class BenchFiles final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> create(const std::string&) override {
    bytes_ = std::make_shared<Bytes>();
    bytes_->reserve(kRecords * 200);
    return open({});
  }
  Result<std::unique_ptr<File>> open(const std::string&) override {
    return std::unique_ptr<File>{std::make_unique<BenchFile>(bytes_)};
  }
  Result<std::unique_ptr<File>> open_writable(const std::string& path) override { return open(path); }
  Result<std::unique_ptr<MappedFile>> create_mapped(const std::string&, std::uint64_t) override {
    return unused();
  }
  Result<std::unique_ptr<MappedFile>> open_mapped(const std::string&) override { return unused(); }
  Result<bool> exists(const std::string&) override { return unused(); }
  Result<std::vector<std::string>> list(const std::string&) override { return unused(); }
  Result<std::vector<std::string>> list_folders(const std::string&) override { return unused(); }
  Status create_folder(const std::string&) override { return unused(); }
  Status rename(const std::string&, const std::string&) override { return unused(); }
  Status link(const std::string&, const std::string&) override { return unused(); }
  Status remove(const std::string&) override { return unused(); }
  Status remove_folder(const std::string&) override { return unused(); }
  Status sync_folder(const std::string&) override { return unused(); }
  Result<std::unique_ptr<FolderLock>> lock(const std::string&) override { return unused(); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return unused(); }

 private:
  static Error unused() { return {ErrorKind::unsupported, {}}; }
  std::shared_ptr<Bytes> bytes_;
};

Bytes key_of(std::uint64_t number) {
  std::uint64_t token = XXH3_64bits(&number, sizeof number);
  Bytes key(reinterpret_cast<const char*>(&token), sizeof token);
  key += "0:user:";
  std::string digits = std::to_string(number);
  key.append(kKeyBytes - key.size() - digits.size(), '0');
  return key + digits;
}

struct Records {
  std::vector<Bytes> present;  // sorted
  std::vector<Bytes> absent;
  std::vector<Bytes> values;
};

const Records& records() {
  static const Records made = [] {
    Records all;
    for (std::uint64_t number = 0; number != kRecords; ++number) {
      all.present.push_back(key_of(number));
      all.absent.push_back(key_of(number + kRecords));
    }
    std::ranges::sort(all.present);
    std::mt19937_64 random{1};
    for (int i = 0; i != 1000; ++i) {
      Bytes value;
      while (value.size() < kValueBytes) value += "field" + std::to_string(random() % 1000) + "=";
      value.resize(kValueBytes);
      all.values.push_back(std::move(value));
    }
    return all;
  }();
  return made;
}

TableProperties build(BenchFiles& files, Compression compression, std::uint32_t block_bytes) {
  const Records& all = records();
  TableBuilder builder{files.create("bench").value(),
                       {.table_number = 1, .block_bytes = block_bytes, .compression = compression}};
  for (std::size_t i = 0; i != kRecords; ++i) {
    builder.add({all.present[i], all.values[i % all.values.size()], {EntryType::value, 1}}).value();
  }
  return builder.finish().value();
}

constexpr double kRawBytes = static_cast<double>(kRecords * (kKeyBytes + kValueBytes));

struct Opened {
  BenchFiles files;
  BlockCache cache{std::uint64_t{4} << 30};
  std::shared_ptr<Table> table;
};

Opened& opened(Compression compression, std::uint32_t block_bytes) {
  static std::map<std::pair<Compression, std::uint32_t>, std::unique_ptr<Opened>> all;
  auto& one = all[{compression, block_bytes}];
  if (one == nullptr) {
    one = std::make_unique<Opened>();
    build(one->files, compression, block_bytes);
    one->table = Table::open(one->files, "bench", 1, one->cache).value();
  }
  return *one;
}

// In random order, from a copy that lies in that order, so that the benchmark's own misses do not count.
std::vector<HashedKey> shuffled(const std::vector<Bytes>& keys, Bytes& storage) {
  std::vector<std::uint32_t> order(keys.size());
  for (std::uint32_t i = 0; i != order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937_64{2});
  storage.clear();
  storage.reserve(keys.size() * kKeyBytes);
  for (const std::uint32_t i : order) storage += keys[i];
  std::vector<HashedKey> hashed;
  for (std::size_t i = 0; i != keys.size(); ++i) {
    hashed.emplace_back(BytesView{storage}.substr(i * kKeyBytes, kKeyBytes));
  }
  return hashed;
}

void find_cached(benchmark::State& state) {
  Opened& one = opened(Compression::none, static_cast<std::uint32_t>(state.range(0)));
  Bytes storage;
  const std::vector<HashedKey> keys = shuffled(records().present, storage);
  ReadContext context;
  for (const HashedKey& key : keys) {
    if (one.table->find(key, context)) continue;
    for (const auto& load : context.missing) load->run();
    context.clear();
  }
  context.clear();
  std::size_t next = 0;
  std::uint64_t found = 0;
  for (auto _ : state) {
    const HashedKey& key = keys[next];
    next = next + 1 == keys.size() ? 0 : next + 1;
    if (!one.table->may_contain(key.hash)) continue;
    const auto entry = one.table->find(key, context);
    found += static_cast<unsigned char>((*entry)->value.front()) != 0 ? 1 : 0;
    context.clear();
  }
  if (found != static_cast<std::uint64_t>(state.iterations())) state.SkipWithError("not all were found");
}
BENCHMARK(find_cached)->ArgName("block_bytes")->Arg(1024)->Arg(2048)->Arg(4096)->Arg(8192)->Arg(16384);

// The filter alone. One probe does not wait for the one before, so their cache misses overlap, as in a
// pipelined batch: this is throughput, not the latency of a single probe.
void find_absent(benchmark::State& state) {
  Opened& one = opened(Compression::none, 4096);
  Bytes storage;
  const std::vector<HashedKey> keys = shuffled(records().absent, storage);
  std::size_t next = 0;
  std::uint64_t passed = 0;
  for (auto _ : state) {
    passed += one.table->may_contain(keys[next].hash) ? 1 : 0;
    next = next + 1 == keys.size() ? 0 : next + 1;
  }
  state.counters["false_positives"] = static_cast<double>(passed) / static_cast<double>(state.iterations());
}
BENCHMARK(find_absent);

void cache_hit(benchmark::State& state) {
  std::vector<BlockId> ids;
  BlockCache cache{std::uint64_t{1} << 30};
  for (std::uint64_t i = 0; i != static_cast<std::uint64_t>(state.range(0)); ++i) {
    ids.push_back({1, i * 4096});
    cache.insert(ids.back(), Block::allocate(4096));
  }
  std::shuffle(ids.begin(), ids.end(), std::mt19937_64{3});
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.find(ids[next], BlockCache::Access::point));
    next = next + 1 == ids.size() ? 0 : next + 1;
  }
}
BENCHMARK(cache_hit)->ArgName("blocks")->Arg(100)->Arg(33000);

void scan(benchmark::State& state) {
  Opened& one = opened(static_cast<Compression>(state.range(0)), 4096);
  for (auto _ : state) {
    TableScanner scanner{one.table};
    std::uint64_t entries = 0;
    scanner.seek_first().value();
    for (; scanner.valid(); scanner.next().value()) ++entries;
    if (entries != kRecords) state.SkipWithError("not all were scanned");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(kRawBytes) * state.iterations());
}
BENCHMARK(scan)->ArgName("compression")->Arg(0)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

void seek_and_walk(benchmark::State& state) {
  Opened& one = opened(Compression::none, 4096);
  Bytes storage;
  const std::vector<HashedKey> keys = shuffled(records().present, storage);
  ReadContext context;
  for (const HashedKey& key : keys) {
    if (!one.table->find(key, context)) context.missing.back()->run();
    context.clear();
  }
  std::size_t next = 0;
  for (auto _ : state) {
    TableCursor cursor{*one.table, {}, context};
    cursor.seek(keys[next].bytes).value();
    for (std::int64_t i = 0; i != state.range(0) && cursor.valid(); ++i) cursor.next().value();
    next = next + 1 == keys.size() ? 0 : next + 1;
  }
}
BENCHMARK(seek_and_walk)->ArgName("nexts")->Arg(0)->Arg(10)->Arg(100);

void build_table(benchmark::State& state) {
  BenchFiles files;
  TableProperties properties;
  for (auto _ : state) properties = build(files, static_cast<Compression>(state.range(0)), 4096);
  state.SetBytesProcessed(static_cast<std::int64_t>(kRawBytes) * state.iterations());
  state.counters["file_per_raw"] = static_cast<double>(properties.file_bytes) / kRawBytes;
}
BENCHMARK(build_table)->ArgName("compression")->Arg(0)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shale::engine::lsm

BENCHMARK_MAIN();
