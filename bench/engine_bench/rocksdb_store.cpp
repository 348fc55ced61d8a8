// RocksDB as its users have it: its own defaults, except for what all stores get alike.
#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include <cstdlib>

#include "bench/engine_bench/store_adapter.h"

namespace shale::bench {
namespace {

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw BenchError("rocksdb: " + status.ToString());
}

rocksdb::Slice slice_of(std::string_view text) { return {text.data(), text.size()}; }

class RocksdbAdapter final : public StoreAdapter {
 public:
  explicit RocksdbAdapter(const StoreSettings& settings) {
    rocksdb::Options options = choose_options(settings);
    settings_ = fmt::format(
        "write_buffer_size={} max_write_buffer_number={} block_cache={} (LRU) block_size={} bloom={} "
        "compression={} max_background_jobs={} WAL on, sync=false; index and filters outside the block cache",
        options.write_buffer_size, options.max_write_buffer_number, settings.cache_bytes,
        settings.block_bytes, settings.filter_bits_per_key, settings.compressed ? "lz4" : "none",
        options.max_background_jobs);
    for (const auto& [name, value] : settings.overrides) {
      const rocksdb::Options base = options;
      const std::string assignment = fmt::format("{}={}", name, value);
      check(rocksdb::GetOptionsFromString(base, assignment, &options));
      settings_ += ' ' + assignment;
    }
    rocksdb::DB* opened = nullptr;
    check(rocksdb::DB::Open(options, settings.folder, &opened));
    database_.reset(opened);
  }

  void put(std::string_view key, std::string_view value) override {
    check(database_->Put(write_options_, slice_of(key), slice_of(value)));
  }

  void put_synced(std::string_view key, std::string_view value) override {
    rocksdb::WriteOptions options;
    options.sync = true;
    check(database_->Put(options, slice_of(key), slice_of(value)));
  }

  bool get(std::string_view key, std::string& value) override {
    thread_local rocksdb::PinnableSlice pinned;
    const auto status =
        database_->Get(read_options_, database_->DefaultColumnFamily(), slice_of(key), &pinned);
    if (status.IsNotFound()) return false;
    check(status);
    value.assign(pinned.data(), pinned.size());
    pinned.Reset();
    return true;
  }

  void scan(std::string_view first, std::size_t count, ScanCheck& check_entry) override {
    const std::unique_ptr<rocksdb::Iterator> iterator{database_->NewIterator(read_options_)};
    for (iterator->Seek(slice_of(first)); iterator->Valid(); iterator->Next()) {
      check_entry.see(iterator->key().ToStringView(), iterator->value().ToStringView());
      if (--count == 0) return;
    }
    check(iterator->status());
  }

  bool busy() override {
    using Properties = rocksdb::DB::Properties;
    for (const std::string& name : {Properties::kNumRunningFlushes, Properties::kNumRunningCompactions,
                                    Properties::kMemTableFlushPending, Properties::kCompactionPending}) {
      std::uint64_t value = 0;
      if (database_->GetIntProperty(name, &value) && value > 0) return true;
    }
    return false;
  }

  // From the statistics that RocksDB keeps anyway; options.statistics would slow it down.
  StoreCounters counters() override {
    StoreCounters counters;
    std::map<std::string, std::string> levels;
    std::map<std::string, std::string> whole;
    if (!database_->GetMapProperty(rocksdb::DB::Properties::kCFStats, &levels) ||
        !database_->GetMapProperty(rocksdb::DB::Properties::kDBStats, &whole)) {
      throw BenchError("rocksdb: does not tell its statistics");
    }
    counters.background_bytes = static_cast<std::uint64_t>(
        std::strtod(levels["compaction.Sum.WriteGB"].c_str(), nullptr) * static_cast<double>(1u << 30));
    counters.log_bytes = std::strtoull(whole["db.wal_bytes_written"].c_str(), nullptr, 10);
    return counters;
  }

  bool is_log_file(const std::string& path_in_folder) const override {
    return path_in_folder.ends_with(".log");
  }
  std::string settings() const override { return settings_; }

 private:
  static rocksdb::Options choose_options(const StoreSettings& settings) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = settings.memtable_bytes / 3;
    options.max_write_buffer_number = 3;
    options.max_background_jobs = static_cast<int>(settings.background_threads);
    options.compression = settings.compressed ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(settings.cache_bytes);
    table.block_size = settings.block_bytes;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(settings.filter_bits_per_key));
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return options;
  }

  const rocksdb::WriteOptions write_options_;
  const rocksdb::ReadOptions read_options_;
  std::string settings_;
  std::unique_ptr<rocksdb::DB> database_;
};

}  // namespace

std::unique_ptr<StoreAdapter> open_rocksdb(const StoreSettings& settings) {
  return std::make_unique<RocksdbAdapter>(settings);
}

}  // namespace shale::bench
