// WiredTiger's B-tree as its users have it: its own defaults for pages, its log on and not synced per write,
// a checkpoint a minute or when the log has grown by as much as the store has memory. All of the memory is
// its cache, which holds changed and clean pages alike. One session and one cursor a thread.
#include <fmt/format.h>
#include <wiredtiger.h>

#include "bench/engine_bench/store_adapter.h"

namespace shale::bench {
namespace {

constexpr const char* kTable = "table:bench";
constexpr unsigned kCheckpointSeconds = 60;

void check(int code) {
  if (code != 0) throw BenchError(std::string{"wiredtiger: "} + wiredtiger_strerror(code));
}

WT_ITEM item_of(std::string_view text) {
  WT_ITEM item{};
  item.data = text.data();
  item.size = text.size();
  return item;
}
std::string_view view_of(const WT_ITEM& item) { return {static_cast<const char*>(item.data), item.size}; }

class WiredtigerAdapter final : public StoreAdapter {
 public:
  explicit WiredtigerAdapter(const StoreSettings& settings) {
    const std::uint64_t memory = settings.memtable_bytes + settings.cache_bytes;
    std::string table = fmt::format("key_format=u,value_format=u,block_compressor={}",
                                    settings.compressed ? "snappy" : "none");
    settings_ = fmt::format(
        "create,cache_size={},log=(enabled=true),transaction_sync=(enabled=false),"
        "checkpoint=(wait={},log_size={}),eviction=(threads_min=1,threads_max={}),statistics=(fast)",
        memory, kCheckpointSeconds, memory, settings.background_threads);
    apply_overrides(settings, {{"open", [this](const std::string& text) { settings_ += ',' + text; }},
                               {"table", [&table](const std::string& text) { table += ',' + text; }}});
    check(wiredtiger_open(settings.folder.c_str(), nullptr, settings_.c_str(), &connection_));
    check(connection_->open_session(connection_, nullptr, nullptr, &statistics_session_));
    check(statistics_session_->create(statistics_session_, kTable, table.c_str()));
    settings_ += "; table " + table;
  }
  ~WiredtigerAdapter() override { connection_->close(connection_, nullptr); }

  void put(std::string_view key, std::string_view value) override {
    insert(this_threads().cursor, key, value);
  }

  void put_synced(std::string_view key, std::string_view value) override {
    const Access& access = this_threads();
    check(access.session->begin_transaction(access.session, "sync=true"));
    insert(access.cursor, key, value);
    check(access.session->commit_transaction(access.session, nullptr));
  }

  bool get(std::string_view key, std::string& value) override {
    WT_CURSOR* const cursor = this_threads().cursor;
    WT_ITEM item = item_of(key);
    cursor->set_key(cursor, &item);
    const int code = cursor->search(cursor);
    if (code == 0) {
      check(cursor->get_value(cursor, &item));
      value.assign(view_of(item));
    } else if (code != WT_NOTFOUND) {
      check(code);
    }
    check(cursor->reset(cursor));
    return code == 0;
  }

  void scan(std::string_view first, std::size_t count, ScanCheck& check_entry) override {
    WT_CURSOR* const cursor = this_threads().cursor;
    for (int code = seek(cursor, first); code != WT_NOTFOUND; code = cursor->next(cursor)) {
      check(code);
      WT_ITEM key{};
      WT_ITEM value{};
      check(cursor->get_key(cursor, &key));
      check(cursor->get_value(cursor, &value));
      check_entry.see(view_of(key), view_of(value));
      if (--count == 0) break;
    }
    check(cursor->reset(cursor));
  }

  bool busy() override { return statistic(WT_STAT_CONN_TXN_CHECKPOINT_RUNNING) != 0; }
  StoreCounters counters() override {
    return {statistic(WT_STAT_CONN_LOG_BYTES_WRITTEN), statistic(WT_STAT_CONN_BLOCK_BYTE_WRITE)};
  }
  bool is_log_file(const std::string& path_in_folder) const override {
    return path_in_folder.starts_with("WiredTigerLog") || path_in_folder.starts_with("WiredTigerPreplog");
  }
  std::string settings() const override { return settings_; }

 private:
  struct Access {
    WT_SESSION* session = nullptr;
    WT_CURSOR* cursor = nullptr;
  };

  // Belongs to the connection, which closes it.
  const Access& this_threads() {
    thread_local Access access;
    if (access.session == nullptr) {
      check(connection_->open_session(connection_, nullptr, nullptr, &access.session));
      check(access.session->open_cursor(access.session, kTable, nullptr, "overwrite=true", &access.cursor));
    }
    return access;
  }

  static void insert(WT_CURSOR* cursor, std::string_view key, std::string_view value) {
    const WT_ITEM key_item = item_of(key);
    const WT_ITEM value_item = item_of(value);
    int code = WT_ROLLBACK;  // the cache was full, or two met at one key: its users try again
    while (code == WT_ROLLBACK) {
      cursor->set_key(cursor, &key_item);
      cursor->set_value(cursor, &value_item);
      code = cursor->insert(cursor);
    }
    check(code);
  }

  // To the first key >= `first`.
  static int seek(WT_CURSOR* cursor, std::string_view first) {
    if (first.empty()) return cursor->next(cursor);
    const WT_ITEM item = item_of(first);
    cursor->set_key(cursor, &item);
    int side = 0;
    const int code = cursor->search_near(cursor, &side);
    return code == 0 && side < 0 ? cursor->next(cursor) : code;
  }

  std::uint64_t statistic(int which) {
    WT_CURSOR* cursor = nullptr;
    check(statistics_session_->open_cursor(statistics_session_, "statistics:", nullptr, "statistics=(fast)",
                                           &cursor));
    const char* name = nullptr;
    const char* shown = nullptr;
    std::int64_t value = 0;
    cursor->set_key(cursor, which);
    check(cursor->search(cursor));
    check(cursor->get_value(cursor, &name, &shown, &value));
    check(cursor->close(cursor));
    return static_cast<std::uint64_t>(value);
  }

  std::string settings_;
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* statistics_session_ = nullptr;  // of the thread that asks for counters
};

}  // namespace

std::unique_ptr<StoreAdapter> open_wiredtiger(const StoreSettings& settings) {
  return std::make_unique<WiredtigerAdapter>(settings);
}

}  // namespace shale::bench
