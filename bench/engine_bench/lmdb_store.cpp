// LMDB as its users have it where they want speed: one environment, one commit per put, MDB_NOSYNC: as the
// others survive a process that dies and may lose the machine's last second, so does it, except that it may
// then lose the file with it. From the first synced put on it is LMDB as it is by default (its users call it
// safe): every commit is synced, and writers take turns.
//
// It has no cache of its own: it reads the file through a map, and uses as much page cache as there is. Data
// larger than memory wants --set lmdb.readahead=no (MDB_NORDAHEAD).
#include <fmt/format.h>
#include <lmdb.h>

#include <mutex>

#include "bench/engine_bench/process_usage.h"
#include "bench/engine_bench/store_adapter.h"

namespace shale::bench {
namespace {

constexpr std::size_t kMapBytes = std::size_t{64} << 30;

void check(int code) {
  if (code != MDB_SUCCESS) throw BenchError(std::string{"lmdb: "} + mdb_strerror(code));
}

MDB_val value_of(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view view_of(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

class LmdbAdapter final : public StoreAdapter {
 public:
  explicit LmdbAdapter(const StoreSettings& settings) {
    apply_overrides(settings, {{"readahead", [this](const std::string& text) {
                                  if (text == "no") flags_ |= MDB_NORDAHEAD;
                                }}});
    check(mdb_env_create(&environment_));
    check(mdb_env_set_mapsize(environment_, kMapBytes));
    check(mdb_env_open(environment_, settings.folder.c_str(), flags_, 0644));
    MDB_txn* transaction = nullptr;
    check(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    check(mdb_dbi_open(transaction, nullptr, 0, &database_));
    check(mdb_txn_commit(transaction));
  }
  ~LmdbAdapter() override { mdb_env_close(environment_); }

  void put(std::string_view key, std::string_view value) override {
    MDB_txn* transaction = nullptr;
    check(mdb_txn_begin(environment_, nullptr, 0, &transaction));
    MDB_val stored_key = value_of(key);
    MDB_val stored_value = value_of(value);
    check(mdb_put(transaction, database_, &stored_key, &stored_value, 0));
    check(mdb_txn_commit(transaction));
  }

  void put_synced(std::string_view key, std::string_view value) override {
    std::call_once(synced_, [this] {
      check(mdb_env_sync(environment_, 1));
      check(mdb_env_set_flags(environment_, MDB_NOSYNC, 0));
    });
    put(key, value);
  }

  bool get(std::string_view key, std::string& value) override {
    const Snapshot snapshot{*this};
    MDB_val stored_key = value_of(key);
    MDB_val found{};
    const int code = mdb_get(snapshot.transaction, database_, &stored_key, &found);
    if (code == MDB_NOTFOUND) return false;
    check(code);
    value.assign(view_of(found));
    return true;
  }

  void scan(std::string_view first, std::size_t count, ScanCheck& check_entry) override {
    const Snapshot snapshot{*this};
    MDB_cursor* cursor = nullptr;
    check(mdb_cursor_open(snapshot.transaction, database_, &cursor));
    MDB_val key = value_of(first);
    MDB_val value{};
    int code = mdb_cursor_get(cursor, &key, &value, first.empty() ? MDB_FIRST : MDB_SET_RANGE);
    for (; code == MDB_SUCCESS; code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
      check_entry.see(view_of(key), view_of(value));
      if (--count == 0) break;
    }
    mdb_cursor_close(cursor);
    if (code != MDB_NOTFOUND) check(code);
  }

  bool busy() override { return false; }
  // It keeps none, but writes its pages, and nothing else, with write calls.
  StoreCounters counters() override { return {0, process_write_call_bytes()}; }
  bool is_log_file(const std::string&) const override { return false; }
  std::string settings() const override {
    return fmt::format("MDB_NOSYNC until the first synced put{}, one commit per put, map of {} bytes",
                       (flags_ & MDB_NORDAHEAD) != 0 ? ", MDB_NORDAHEAD" : "", kMapBytes);
  }

 private:
  // A thread's read transaction, taken up again for each read as LMDB advises.
  struct Snapshot {
    explicit Snapshot(LmdbAdapter& store) : transaction(store.this_threads_reader()) {}
    ~Snapshot() { mdb_txn_reset(transaction); }
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    MDB_txn* const transaction;
  };

  MDB_txn* this_threads_reader() {
    thread_local MDB_txn* reader = nullptr;
    if (reader == nullptr) {
      check(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader));
    } else {
      check(mdb_txn_renew(reader));
    }
    return reader;
  }

  unsigned flags_ = MDB_NOSYNC;
  std::once_flag synced_;
  MDB_env* environment_ = nullptr;
  MDB_dbi database_ = 0;
};

}  // namespace

std::unique_ptr<StoreAdapter> open_lmdb(const StoreSettings& settings) {
  return std::make_unique<LmdbAdapter>(settings);
}

}  // namespace shale::bench
