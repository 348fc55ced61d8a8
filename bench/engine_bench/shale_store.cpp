// One tree, LSM or B+, and the log, driven as the server drives them: a write is admitted, appended to the
// log and put under one lock; a read that is not resident runs its Loads and is made again; a thread trims
// the log. (cluster/transaction.cpp, cluster/store.cpp)
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "bench/engine_bench/store_adapter.h"
#include "engine/btree/tree.h"
#include "engine/btree/tree_store.h"
#include "engine/encoding.h"
#include "engine/engine.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/log/log.h"
#include "engine/log/segment_format.h"
#include "engine/lsm/tree_store.h"

namespace shale::bench {
namespace {

using namespace std::chrono_literals;
using engine::ErrorKind;

constexpr engine::RecordKind kPutRecord = 1;
constexpr auto kBusyPause = 1ms;  // as the server pauses a connection
constexpr auto kShortestPause =
    1000us;  // delays owed are paid when they have come to this (src/connection.cpp)
constexpr auto kMaintenanceInterval = 100ms;
constexpr unsigned kReadThreads = 1;  // idle: the reader runs its Loads itself

template <class Value>
Value checked(engine::Result<Value> result) {
  if (!result) throw BenchError("shale: " + result.error().message);
  return std::move(*result);
}
void check(const engine::Status& status) {
  if (!status) throw BenchError("shale: " + status.error().message);
}

// Nothing expires and nothing is dropped.
class KeepAll final : public engine::KeyPolicy {
 public:
  std::uint32_t count_class(std::string_view) const override { return 0; }
  bool is_live_class(std::uint32_t) const override { return true; }
  std::int64_t obsolete_from_ms(std::string_view, std::string_view) const override { return kNeverObsolete; }
};

class WaitForLog final : public engine::LogBarrier {
 public:
  void use(engine::Log& log) { log_ = &log; }
  engine::Status wait_until_durable(engine::Lsn lsn) override {
    if (lsn == 0) return {};
    auto promise = std::make_shared<std::promise<engine::Status>>();
    auto durable = promise->get_future();
    log_->when_synced(lsn, [promise](engine::Status status) { promise->set_value(std::move(status)); });
    return durable.get();
  }

 private:
  engine::Log* log_ = nullptr;
};

engine::lsm::Compression parse_compression(const std::string& name) {
  if (name == "none") return engine::lsm::Compression::none;
  if (name == "lz4") return engine::lsm::Compression::lz4;
  if (name == "zstd") return engine::lsm::Compression::zstd;
  throw BenchError("compression is none, lz4 or zstd, not '" + name + "'");
}

engine::lsm::CompactionMode parse_compaction(const std::string& name) {
  if (name == "adaptive") return engine::lsm::CompactionMode::adaptive;
  if (name == "leveled") return engine::lsm::CompactionMode::leveled;
  if (name == "tiered") return engine::lsm::CompactionMode::tiered;
  throw BenchError("compaction is adaptive, leveled or tiered, not '" + name + "'");
}

engine::SyncMode parse_sync_mode(const std::string& name) {
  if (name == "always") return engine::SyncMode::always;
  if (name == "every_second") return engine::SyncMode::every_second;
  if (name == "never") return engine::SyncMode::never;
  throw BenchError("sync_mode is always, every_second or never, not '" + name + "'");
}

class ShaleAdapter final : public StoreAdapter {
 public:
  enum class Kind : std::uint8_t { lsm, btree };

  ShaleAdapter(const StoreSettings& settings, Kind kind) : kind_(kind) {
    choose_options(settings);
    background_ = engine::make_thread_background(kReadThreads, background_threads_);
    if (kind_ == Kind::btree) {
      btrees_ = checked(engine::btree::TreeStore::open(*files_, *background_, btree_options_));
      tree_ = btrees_->open_tree(1, mutex_);
    } else {
      trees_ = checked(engine::lsm::TreeStore::open(*files_, *background_, options_));
      tree_ = trees_->open_tree(1, mutex_);
    }
    engine::LogRecovery recovery;
    const auto replay = [](engine::Lsn, engine::RecordKind, std::string_view) { return engine::Status{}; };
    log_ = checked(engine::open_log(*files_, settings.folder + "/log", log_options_, 1, replay, recovery));
    barrier_.use(*log_);
    maintenance_ = std::jthread([this](const std::stop_token& stop) { maintenance_loop(stop); });
  }
  ~ShaleAdapter() override {
    maintenance_.request_stop();
    maintenance_.join();
    background_->stop();
    tree_.reset();
    trees_.reset();
    btrees_.reset();
  }

  void put(std::string_view key, std::string_view value) override { append_and_put(key, value); }

  void put_synced(std::string_view key, std::string_view value) override {
    check(barrier_.wait_until_durable(append_and_put(key, value)));
  }

  bool get(std::string_view key, std::string& value) override {
    engine::ReadContext& context = this_threads_context();
    const engine::HashedKey hashed{key};
    for (;;) {
      {
        std::lock_guard lock{mutex_};
        context.pins.clear();
        const auto found = tree_->get(hashed, context);
        if (found) {
          const bool present = found->has_value();
          if (present) value.assign(**found);
          context.clear();
          return present;
        }
        if (found.error().kind != ErrorKind::not_resident) check(found.error());
      }
      run_loads(context);
    }
  }

  void scan(std::string_view first, std::size_t count, ScanCheck& check_entry) override {
    engine::ReadContext& context = this_threads_context();
    std::string from{first};
    while (!scan_resident(from, count, check_entry, context)) {
      run_loads(context);
      context.pins.clear();
    }
    context.clear();
  }

  bool busy() override {
    std::lock_guard lock{mutex_};
    const auto stats = tree_->stats();
    if (stats.btree) return stats.btree->checkpoint_running;
    return stats.immutable_memtable_bytes > 0 || stats.debt_bytes > 0;
  }

  bool is_writing_checkpoint() const override {
    return kind_ == Kind::btree && static_cast<const engine::btree::Tree&>(*tree_).is_writing_checkpoint();
  }

  StoreCounters counters() override {
    std::lock_guard lock{mutex_};
    return {log_bytes_, tree_->stats().disk_bytes_written};
  }

  bool is_log_file(const std::string& path_in_folder) const override {
    return path_in_folder.starts_with("log/");
  }

  std::string settings() const override {
    if (kind_ == Kind::btree) {
      return fmt::format(
          "changes_bytes={} pool_bytes={} node_bytes={} log: sync_mode={} segment_bytes={}; work threads={}; "
          "1 tree",
          btree_options_.changes_bytes, btree_options_.pool_bytes, btree_options_.node_bytes,
          static_cast<int>(log_options_.sync_mode), log_options_.segment_bytes, background_threads_);
    }
    return fmt::format(
        "memtable_bytes={} (active and sealed) block_cache_bytes={} record_cache_bytes={} block_bytes={} "
        "filter_bits_per_key={} compression={} compaction={} log: sync_mode={} segment_bytes={}; work "
        "threads={}; 1 tree",
        options_.memtable_bytes, options_.block_cache_bytes, options_.record_cache_bytes,
        options_.block_bytes, options_.filter_bits_per_key, static_cast<int>(options_.compression),
        static_cast<int>(options_.compaction_mode), static_cast<int>(log_options_.sync_mode),
        log_options_.segment_bytes, background_threads_);
  }

 private:
  void choose_options(const StoreSettings& settings) {
    options_.folder = settings.folder + "/lsm";
    options_.memtable_bytes = settings.memtable_bytes;
    options_.block_cache_bytes = settings.cache_bytes / 2;  // as the server divides it
    options_.record_cache_bytes = settings.cache_bytes / 2;
    options_.block_bytes = settings.block_bytes;
    options_.filter_bits_per_key = settings.filter_bits_per_key;
    options_.compression =
        settings.compressed ? engine::lsm::Compression::lz4 : engine::lsm::Compression::none;
    options_.policy = &policy_;
    options_.barrier = &barrier_;
    options_.clock = clock_.get();
    btree_options_.folder = settings.folder + "/btree";
    btree_options_.changes_bytes = settings.memtable_bytes;
    btree_options_.pool_bytes = settings.cache_bytes;
    btree_options_.idle_work_bytes_per_second = 32u << 20;  // the server's default
    btree_options_.policy = &policy_;
    btree_options_.barrier = &barrier_;
    btree_options_.clock = clock_.get();
    // As the server divides its memory: two or three segments are mapped at a time.
    const std::uint64_t segment_bytes = std::bit_floor((settings.memtable_bytes + settings.cache_bytes) / 16);
    log_options_ = {std::clamp<std::uint64_t>(segment_bytes, 2u << 20, 16u << 20),
                    engine::SyncMode::every_second};
    background_threads_ = settings.background_threads;
    apply_overrides(settings, kind_ == Kind::btree ? btree_setters() : setters());
  }

  OptionSetters btree_setters() {
    const auto bytes = [](auto& option) {
      return [&option](const std::string& text) {
        option = static_cast<std::remove_reference_t<decltype(option)>>(parse_bytes(text));
      };
    };
    return {
        {"changes_bytes", bytes(btree_options_.changes_bytes)},
        {"pool_bytes", bytes(btree_options_.pool_bytes)},
        {"node_bytes", bytes(btree_options_.node_bytes)},
        {"record_cache_percent", bytes(btree_options_.record_cache_percent)},
        {"idle_work_bytes_per_second", bytes(btree_options_.idle_work_bytes_per_second)},
        {"sync_mode", [this](const std::string& text) { log_options_.sync_mode = parse_sync_mode(text); }},
        {"background_threads", bytes(background_threads_)},
    };
  }

  // What --set shale.NAME=VALUE may change.
  OptionSetters setters() {
    const auto bytes = [](auto& option) {
      return [&option](const std::string& text) {
        option = static_cast<std::remove_reference_t<decltype(option)>>(parse_bytes(text));
      };
    };
    return {
        {"memtable_bytes", bytes(options_.memtable_bytes)},
        {"block_cache_bytes", bytes(options_.block_cache_bytes)},
        {"record_cache_bytes", bytes(options_.record_cache_bytes)},
        {"block_bytes", bytes(options_.block_bytes)},
        {"filter_bits_per_key",
         [this](const std::string& text) { options_.filter_bits_per_key = std::stod(text); }},
        {"compression", [this](const std::string& text) { options_.compression = parse_compression(text); }},
        {"log_segment_bytes", bytes(log_options_.segment_bytes)},
        {"compaction",
         [this](const std::string& text) { options_.compaction_mode = parse_compaction(text); }},
        {"sync_mode", [this](const std::string& text) { log_options_.sync_mode = parse_sync_mode(text); }},
        {"background_threads", bytes(background_threads_)},
    };
  }

  static engine::ReadContext& this_threads_context() {
    thread_local engine::ReadContext context;
    return context;
  }

  // As src/range_read.cpp does.
  static void run_loads(const engine::ReadContext& context) {
    if (context.missing.size() > 1) {
      for (const auto& load : context.missing) load->announce();
    }
    for (const auto& load : context.missing) load->run();
  }

  engine::Lsn append_and_put(std::string_view key, std::string_view value) {
    thread_local engine::Bytes payload;
    thread_local std::chrono::microseconds owed_delay{0};
    payload.clear();
    engine::append_varint(payload, key.size());
    payload += key;
    engine::append_varint(payload, value.size());
    payload += value;
    const engine::HashedKey hashed{key};
    std::optional<engine::Lsn> lsn;
    while (!(lsn = try_put(hashed, value, payload, owed_delay))) std::this_thread::sleep_for(kBusyPause);
    if (owed_delay >= kShortestPause) std::this_thread::sleep_for(std::exchange(owed_delay, 0us));
    return *lsn;
  }

  // Nothing if the engine or the log must catch up first.
  std::optional<engine::Lsn> try_put(const engine::HashedKey& key, std::string_view value,
                                     std::string_view payload, std::chrono::microseconds& owed_delay) {
    std::lock_guard lock{mutex_};
    if (const auto admitted = tree_->admit_write(payload.size()); !admitted) {
      if (admitted.error().kind == ErrorKind::busy) return {};
      check(admitted);
    }
    const auto lsn = log_->append(kPutRecord, payload);
    if (!lsn) {
      if (lsn.error().kind == ErrorKind::busy) return {};
      check(lsn.error());
    }
    log_bytes_ += engine::record_span(payload.size());
    owed_delay = tree_->write_delay(payload.size());
    tree_->put(key, value, *lsn);
    return *lsn;
  }

  // Shows entries from `from` on, and moves `from` and `count` to what is left. False if a block has to be
  // loaded first.
  bool scan_resident(std::string& from, std::size_t& count, ScanCheck& check_entry,
                     engine::ReadContext& context) {
    std::lock_guard lock{mutex_};
    const auto cursor = tree_->cursor({}, context);
    engine::Status moved = cursor->seek(from);
    bool any = false;
    while (moved && cursor->valid()) {
      const auto value = cursor->value();
      if (!value) {
        if (any) check_entry.put_next_key(from);
        moved = value.error();
        break;
      }
      any = true;
      check_entry.see(cursor->key(), *value);
      if (--count == 0) return true;
      moved = cursor->next();
      if (!moved) check_entry.put_next_key(from);
    }
    if (moved) return true;
    if (moved.error().kind != ErrorKind::not_resident) check(moved.error());
    return false;
  }

  void maintenance_loop(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock{mutex};
    while (!stop.stop_requested()) {
      {
        std::lock_guard tree_lock{mutex_};
        tree_->tick();
      }
      trim_log();
      wake.wait_for(lock, stop, kMaintenanceInterval, [] { return false; });
    }
  }

  void trim_log() {
    engine::Lsn needed_from = log_->appended_lsn() + 1;
    {
      std::lock_guard lock{mutex_};
      if (const auto oldest = tree_->oldest_unpersisted_lsn()) needed_from = std::min(needed_from, *oldest);
    }
    if (!log_->can_trim(needed_from)) return;
    if (!barrier_.wait_until_durable(needed_from - 1)) return;  // writers meet the error too, and report it
    static_cast<void>(log_->trim(needed_from).has_value());
  }

  const Kind kind_;
  KeepAll policy_;
  WaitForLog barrier_;
  engine::lsm::TreeStoreOptions options_;
  engine::btree::TreeStoreOptions btree_options_;
  engine::LogOptions log_options_;
  std::uint32_t background_threads_ = 0;

  std::unique_ptr<engine::FileSystem> files_ = engine::make_posix_file_system();
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Log> log_;
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<engine::lsm::TreeStore> trees_;  // one of the two
  std::unique_ptr<engine::btree::TreeStore> btrees_;
  std::mutex mutex_;  // guards tree_ and log_bytes_
  std::shared_ptr<engine::Engine> tree_;
  std::uint64_t log_bytes_ = 0;  // with headers, which LogStats leaves out
  std::jthread maintenance_;
};

}  // namespace

std::unique_ptr<StoreAdapter> open_shale(const StoreSettings& settings) {
  return std::make_unique<ShaleAdapter>(settings, ShaleAdapter::Kind::lsm);
}

std::unique_ptr<StoreAdapter> open_shale_btree(const StoreSettings& settings) {
  return std::make_unique<ShaleAdapter>(settings, ShaleAdapter::Kind::btree);
}

}  // namespace shale::bench
