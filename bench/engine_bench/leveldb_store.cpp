// LevelDB as its users have it: its own defaults, except for what all stores get alike. It has one background
// thread, no LZ4 (compressed means Snappy), does not check checksums when it reads, and maps its tables into
// memory: without compression its reads bypass its block cache and use as much page cache as there is.
#include <fmt/format.h>
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/options.h>

#include <atomic>
#include <sstream>

#include "bench/engine_bench/store_adapter.h"

namespace shale::bench {
namespace {

void check(const leveldb::Status& status) {
  if (!status.ok()) throw BenchError("leveldb: " + status.ToString());
}

leveldb::Slice slice_of(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view_of(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

// What a put of one key adds to the log: leveldb does not count it (its doc/log_format.md and
// db/write_batch.cc). Lengths below 128 take a byte, those of our larger values two.
std::uint64_t log_bytes_of(std::size_t key_bytes, std::size_t value_bytes) {
  constexpr std::uint64_t kRecordHeader = 7;
  constexpr std::uint64_t kBatchHeader = 12;
  constexpr std::uint64_t kTag = 1;
  return kRecordHeader + kBatchHeader + kTag + 1 + key_bytes + (value_bytes < 128 ? 1 : 2) + value_bytes;
}

class LeveldbAdapter final : public StoreAdapter {
 public:
  explicit LeveldbAdapter(const StoreSettings& settings)
      : cache_(leveldb::NewLRUCache(settings.cache_bytes)),
        filter_(leveldb::NewBloomFilterPolicy(static_cast<int>(settings.filter_bits_per_key))) {
    options_.create_if_missing = true;
    options_.write_buffer_size = settings.memtable_bytes / 2;
    options_.block_cache = cache_.get();
    options_.block_size = settings.block_bytes;
    options_.filter_policy = filter_.get();
    options_.compression = settings.compressed ? leveldb::kSnappyCompression : leveldb::kNoCompression;
    const auto bytes = [](auto& option) {
      return [&option](const std::string& text) {
        option = static_cast<std::remove_reference_t<decltype(option)>>(parse_bytes(text));
      };
    };
    apply_overrides(settings, {{"write_buffer_size", bytes(options_.write_buffer_size)},
                               {"max_file_size", bytes(options_.max_file_size)},
                               {"max_open_files", bytes(options_.max_open_files)},
                               {"block_size", bytes(options_.block_size)}});
    settings_ = fmt::format(
        "write_buffer_size={} (one more may be waiting) block_cache={} block_size={} bloom={} compression={} "
        "max_file_size={} max_open_files={}; 1 background thread, WAL on, sync=false",
        options_.write_buffer_size, settings.cache_bytes, options_.block_size, settings.filter_bits_per_key,
        settings.compressed ? "snappy" : "none", options_.max_file_size, options_.max_open_files);
    leveldb::DB* opened = nullptr;
    check(leveldb::DB::Open(options_, settings.folder, &opened));
    database_.reset(opened);
  }

  void put(std::string_view key, std::string_view value) override {
    check(database_->Put(write_options_, slice_of(key), slice_of(value)));
    log_bytes_.fetch_add(log_bytes_of(key.size(), value.size()), std::memory_order_relaxed);
  }

  void put_synced(std::string_view key, std::string_view value) override {
    leveldb::WriteOptions options;
    options.sync = true;
    check(database_->Put(options, slice_of(key), slice_of(value)));
    log_bytes_.fetch_add(log_bytes_of(key.size(), value.size()), std::memory_order_relaxed);
  }

  bool get(std::string_view key, std::string& value) override {
    const auto status = database_->Get(read_options_, slice_of(key), &value);
    if (status.IsNotFound()) return false;
    check(status);
    return true;
  }

  void scan(std::string_view first, std::size_t count, ScanCheck& check_entry) override {
    const std::unique_ptr<leveldb::Iterator> iterator{database_->NewIterator(read_options_)};
    for (iterator->Seek(slice_of(first)); iterator->Valid(); iterator->Next()) {
      check_entry.see(view_of(iterator->key()), view_of(iterator->value()));
      if (--count == 0) return;
    }
    check(iterator->status());
  }

  bool busy() override { return false; }  // it does not tell; the driver watches the process

  // Whole MiB per level: that is how "leveldb.stats" prints them.
  StoreCounters counters() override {
    std::string text;
    if (!database_->GetProperty("leveldb.stats", &text)) throw BenchError("leveldb: no leveldb.stats");
    std::istringstream lines{text};
    double written_mib = 0;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream columns{line};
      double level = 0;
      double files = 0;
      double size = 0;
      double seconds = 0;
      double read = 0;
      double written = 0;
      if (columns >> level >> files >> size >> seconds >> read >> written) written_mib += written;
    }
    return {log_bytes_.load(std::memory_order_relaxed),
            static_cast<std::uint64_t>(written_mib * static_cast<double>(1u << 20))};
  }

  bool is_log_file(const std::string& path_in_folder) const override {
    return path_in_folder.ends_with(".log");
  }
  std::string settings() const override { return settings_; }

 private:
  const std::unique_ptr<leveldb::Cache> cache_;
  const std::unique_ptr<const leveldb::FilterPolicy> filter_;
  leveldb::Options options_;
  const leveldb::WriteOptions write_options_;
  const leveldb::ReadOptions read_options_;
  std::string settings_;
  std::atomic<std::uint64_t> log_bytes_ = 0;
  std::unique_ptr<leveldb::DB> database_;
};

}  // namespace

std::unique_ptr<StoreAdapter> open_leveldb(const StoreSettings& settings) {
  return std::make_unique<LeveldbAdapter>(settings);
}

}  // namespace shale::bench
