// What tests of disks that fail write to a store, drawn from a seed, and what must be there afterwards.
//
// Every record n writes "marker" = n together with keys of other shards. So what a restart must find is
// plain: with marker n, the whole store as it was after record n, every record whole. Before a record there
// may be another that has no marker (a database is emptied, or two are swapped): with marker n, both states
// of what follows it are right.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/bytes.h"
#include "engine/log/log.h"

namespace shale::cluster {

using engine::Bytes;
using engine::BytesView;

struct DatabaseKey {
  unsigned database = 0;
  Bytes name;
  auto operator<=>(const DatabaseKey&) const = default;
};
using Contents = std::map<DatabaseKey, Bytes>;

enum class Prelude : std::uint8_t {
  none,
  flush,
  swap
};  // a record by itself, before the one with the marker
enum class Emptied : std::uint8_t { nothing, keys, everything };  // by the same record that writes

struct WorkloadRecord {
  Prelude prelude{};
  Emptied emptied{};
  bool first_is_large = false;  // the first of `puts` is a large value
  std::vector<std::pair<DatabaseKey, Bytes>> puts;
  DatabaseKey erased;
};

class StoreWorkload {
 public:
  static constexpr int kKeys = 24;
  static constexpr unsigned kKeysDatabase = 0;
  static constexpr unsigned kSwappedDatabase = 2;
  static constexpr char kExpiringBegin = 'T';  // of values that expire, in a far future

  StoreWorkload(std::uint64_t seed, int records) {
    std::mt19937_64 random{seed};
    for (int record = 0; record < records; ++record) records_.push_back(draw(record, random));
  }

  const std::vector<WorkloadRecord>& records() const { return records_; }

  static DatabaseKey marker() { return {1, "marker"}; }
  static std::vector<DatabaseKey> all_keys() {
    std::vector<DatabaseKey> keys{marker()};
    for (int number = 0; number < kKeys; ++number) {
      keys.push_back({kKeysDatabase, key_name(number)});
      keys.push_back({kSwappedDatabase, key_name(number)});
    }
    return keys;
  }

  void apply_prelude(int record, Contents& contents) const {
    Contents after;
    const Prelude prelude = at(record).prelude;
    for (auto& [key, value] : contents) {
      unsigned database = key.database;
      if (prelude == Prelude::flush && database == kKeysDatabase) continue;
      if (prelude == Prelude::swap && database != marker().database)
        database = kKeysDatabase + kSwappedDatabase - database;
      after[{database, key.name}] = std::move(value);
    }
    contents = std::move(after);
  }
  void apply(int record, Contents& contents) const {
    const WorkloadRecord& writes = at(record);
    if (writes.emptied == Emptied::everything) contents.clear();
    if (writes.emptied == Emptied::keys) {
      std::erase_if(contents, [](const auto& entry) { return entry.first.database == kKeysDatabase; });
    }
    contents[marker()] = std::to_string(record);
    for (const auto& [key, value] : writes.puts) contents[key] = value;
    contents.erase(writes.erased);
  }

 private:
  using Random = std::mt19937_64;

  const WorkloadRecord& at(int record) const { return records_[static_cast<std::size_t>(record)]; }
  static Bytes key_name(std::uint64_t number) { return fmt::format("key-{:02}", number); }
  static DatabaseKey draw_key(Random& random) {
    return {random() % 6 == 0 ? kSwappedDatabase : kKeysDatabase, key_name(random() % kKeys)};
  }
  // Some short, some long enough for a value file, some for pages of their own.
  static std::size_t draw_bytes(Random& random) {
    const auto kind = random() % 20;
    if (kind == 0) return 5000 + random() % 4000;
    return kind < 8 ? 600 + random() % 1500 : 20 + random() % 300;
  }
  static Bytes draw_value(int record, std::size_t index, Random& random) {
    const char begin = random() % 8 == 0 ? kExpiringBegin : 'v';
    Bytes value = fmt::format("{}{:06}.{}:", begin, record, index);
    value.resize(draw_bytes(random), static_cast<char>('a' + random() % 26));
    return value;
  }

  static WorkloadRecord draw(int number, Random& random) {
    WorkloadRecord record;
    const auto kind = random() % 48;
    if (kind == 0) record.prelude = Prelude::flush;
    if (kind == 1) record.prelude = Prelude::swap;
    if (kind == 2) record.emptied = Emptied::keys;
    if (kind == 3) record.emptied = Emptied::everything;
    record.first_is_large = kind >= 42;
    const std::size_t puts = 1 + random() % 4;
    while (record.puts.size() < puts) {
      record.puts.emplace_back(draw_key(random), draw_value(number, record.puts.size(), random));
    }
    if (record.first_is_large) {
      record.puts.resize(1);
      record.puts.front().second.resize(3000, 'L');
    }
    do {
      record.erased = draw_key(random);
    } while (record.erased == record.puts.front().first);
    return record;
  }

  std::vector<WorkloadRecord> records_;
};

// Which records of a workload were committed, in the order of the log, and what that makes.
class WorkloadHistory {
 public:
  explicit WorkloadHistory(const StoreWorkload& workload) : workload_(workload) {}

  void add(int record, bool is_prelude, engine::Lsn lsn) { commits_.push_back({record, is_prelude, lsn}); }
  std::size_t size() const { return commits_.size(); }
  // As it must be once all of them have been applied.
  Contents contents() const {
    Contents contents;
    for (const Commit& commit : commits_) apply(commit, contents);
    return contents;
  }

  // What is wrong with `found` as that of a store which must have all records up to `durable`; empty if
  // nothing.
  std::string judge(const Contents& found, engine::Lsn durable) const {
    const auto marker = found.find(StoreWorkload::marker());
    const std::string recovered = marker == found.end() ? "none" : marker->second;
    Contents expected;
    std::string nearest = "no state that has been";
    for (std::size_t count = 0;; ++count) {
      const auto place = expected.find(StoreWorkload::marker());
      if ((place == expected.end() ? "none" : place->second) == recovered) {
        nearest = difference(found, expected);
        const bool has_all = count == commits_.size() || commits_[count].lsn > durable;
        if (nearest.empty() && has_all) return {};
        if (nearest.empty()) nearest = fmt::format("record {} was durable and is gone", commits_[count].lsn);
      }
      if (count == commits_.size()) break;
      apply(commits_[count], expected);
    }
    return fmt::format("with marker {}: {}", recovered, nearest);
  }

  // The first key whose value is another.
  static std::string difference(const Contents& found, const Contents& expected) {
    const auto named = [](const DatabaseKey& key) {
      return fmt::format("{} of database {}", key.name, key.database);
    };
    for (const auto& [key, value] : expected) {
      const auto place = found.find(key);
      if (place == found.end()) return named(key) + " is missing";
      if (place->second != value)
        return fmt::format("{} is {:.20} instead of {:.20}", named(key), place->second, value);
    }
    for (const auto& [key, value] : found) {
      if (!expected.contains(key)) return fmt::format("{} is {:.20} instead of nothing", named(key), value);
    }
    return {};
  }

 private:
  struct Commit {
    int record;
    bool is_prelude;
    engine::Lsn lsn;
  };
  void apply(const Commit& commit, Contents& contents) const {
    if (commit.is_prelude) {
      workload_.apply_prelude(commit.record, contents);
    } else {
      workload_.apply(commit.record, contents);
    }
  }

  const StoreWorkload& workload_;
  std::vector<Commit> commits_;
};

}  // namespace shale::cluster
