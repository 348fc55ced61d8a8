// What engine_bench asks of a store, so that one set of workloads drives them all: an implementation per
// file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/engine_bench/key_space.h"

namespace shale::bench {

// Ends the program with its message: a store that fails has nothing to be measured.
class BenchError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What all stores get alike.
struct StoreSettings {
  std::string folder;                // exists and is empty
  std::uint64_t memtable_bytes = 0;  // of all memtables together, those waiting for their flush included
  std::uint64_t cache_bytes = 0;     // of all read caches together
  bool compressed = false;           // the store's fast compression: LZ4, or Snappy where there is no LZ4
  std::uint32_t block_bytes = 4096;
  std::uint32_t filter_bits_per_key = 10;
  std::uint32_t background_threads = 2;
  std::map<std::string, std::string> overrides;  // options of this store alone, in its own words
};

// Cumulative since the store was opened.
struct StoreCounters {
  std::uint64_t log_bytes = 0;         // written to the write-ahead log
  std::uint64_t background_bytes = 0;  // written otherwise: by flushes, compactions, checkpoints
};

// Put, get and scan may be called by two threads at once, one of which writes; put_synced by many. All calls
// throw BenchError.
class StoreAdapter {
 public:
  virtual ~StoreAdapter() = default;  // closes the store

  // Returns when the write would survive the process; a store that slows its writers down does it here.
  virtual void put(std::string_view key, std::string_view value) = 0;
  // Returns when the write would survive the machine.
  virtual void put_synced(std::string_view key, std::string_view value) = 0;
  // Copies the value, as whoever sends it somewhere has to. False if there is no such key.
  virtual bool get(std::string_view key, std::string& value) = 0;
  // Shows the first `count` entries from `first` on, or as many as there are.
  virtual void scan(std::string_view first, std::size_t count, ScanCheck& check) = 0;

  // Whether the store says that background work is under way or due. False if it cannot tell.
  virtual bool busy() = 0;
  // Whether a checkpoint is being written at the moment; cheap, asked after every operation.
  virtual bool is_writing_checkpoint() const { return false; }
  virtual StoreCounters counters() = 0;
  // Whether a file belongs to the write-ahead log, not to the data.
  virtual bool is_log_file(const std::string& path_in_folder) const = 0;
  // Every setting that is not the store's own default, for the report.
  virtual std::string settings() const = 0;
};

std::unique_ptr<StoreAdapter> open_shale(const StoreSettings& settings);
std::unique_ptr<StoreAdapter> open_shale_btree(const StoreSettings& settings);
std::unique_ptr<StoreAdapter> open_lmdb(const StoreSettings& settings);
std::unique_ptr<StoreAdapter> open_rocksdb(const StoreSettings& settings);
std::unique_ptr<StoreAdapter> open_leveldb(const StoreSettings& settings);
#ifdef SHALE_BENCH_WIREDTIGER
std::unique_ptr<StoreAdapter> open_wiredtiger(const StoreSettings& settings);
#endif
// Not a store: answers what the checks want to hear and does nothing. What it costs is what the driver itself
// adds to everyone's figures.
std::unique_ptr<StoreAdapter> open_nothing(const StoreSettings& settings);

// Applies settings.overrides: each name must be in `setters`.
using OptionSetters = std::map<std::string, std::function<void(const std::string& value)>>;
void apply_overrides(const StoreSettings& settings, const OptionSetters& setters);
// "64m" is 64 MiB; k, m, g or none. Throws BenchError.
std::uint64_t parse_bytes(const std::string& text);

}  // namespace shale::bench
