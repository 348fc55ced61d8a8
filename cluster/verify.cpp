#include "cluster/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "cluster/catalog.h"
#include "cluster/change_history.h"
#include "cluster/expiry_calendar.h"
#include "cluster/folder_format.h"
#include "cluster/log_records.h"
#include "cluster/position.h"
#include "cluster/verify_large_values.h"
#include "engine/btree/verify.h"
#include "engine/encoding.h"
#include "engine/log/recovery.h"
#include "engine/lsm/verify.h"

namespace shale::cluster {
namespace {

using engine::Finding;
using engine::Lsn;

class FolderVerifier {
 public:
  FolderVerifier(engine::FileSystem& files, const std::string& folder, engine::Verification& verification,
                 bool (*value_is_large)(BytesView))
      : files_(files),
        folder_(folder),
        verification_(verification),
        large_values_(files, folder + "/large", value_is_large, verification) {}

  void run() {
    if (!open()) return;
    const auto catalog = read_catalog();
    if (catalog) placement_ = Placement{catalog->sharding};
    verify_history();
    const auto has_log = files_.exists(folder_ + "/log");
    const auto has_trees = files_.exists(folder_ + "/lsm");
    if (has_log && !*has_log && has_trees && !*has_trees) {
      return verification_.remark(folder_ + ": was made, and has never served");
    }
    std::map<std::uint32_t, Lsn> persisted = engine::lsm::verify_trees(
        files_, folder_ + "/lsm", database_of(), verification_,
        [this](const engine::lsm::VerifiedEntry& entry) { large_values_.see(entry); });
    if (catalog) {
      trees_.emplace();
      for (const ShardRecord& shard : catalog->shards) trees_->insert(shard.tree);
    }
    persisted.merge(verify_btrees(
        verification_, [this](const engine::lsm::VerifiedEntry& entry) { large_values_.see(entry); }));
    large_values_.check_files();
    if (large_values_.misses_files()) look_again();
    if (!catalog) {
      verification_.add(Finding::unchecked, folder_ + "/log: not checked: only the catalog says from where");
      return;
    }
    verify_shards(*catalog, persisted);
    databases_ = catalog->databases;
    databases_lsn_ = catalog->databases_lsn;
    verify_log(*catalog, persisted);
    large_values_.report(*placement_, databases_);
  }

 private:
  // For the counts of keys; none if only the catalog would have said how positions are made.
  engine::lsm::CountClassOf database_of() const {
    if (!placement_) return {};
    // No database for what is too short for a position: then the counts do not agree.
    return [placement = *placement_](BytesView position) {
      return position.size() < placement.prefix_bytes() ? UINT32_MAX : placement.database_of(position);
    };
  }

  // What is wrong with the tables has been said.
  void look_again() {
    engine::Verification silent{[](Finding, const std::string&) {}};
    engine::lsm::verify_trees(
        files_, folder_ + "/lsm", database_of(), silent,
        [this](const engine::lsm::VerifiedEntry& entry) { large_values_.see_again(entry); });
    verify_btrees(silent,
                  [this](const engine::lsm::VerifiedEntry& entry) { large_values_.see_again(entry); });
  }

  // The page file of the B+ trees, if there is one: a key is there once.
  std::map<std::uint32_t, Lsn> verify_btrees(engine::Verification& verification,
                                             const engine::lsm::EntryVisitor& visit) {
    const auto has_pages = files_.exists(folder_ + "/btree/pages");
    if (has_pages && !*has_pages) return {};
    return engine::btree::verify_trees(
        files_, folder_ + "/btree", database_of(), verification,
        [&](BytesView key, BytesView value) {
          visit({key, value, false, 0, 0});
        },
        trees_);
  }

  // Whether there is something to check, and nobody who changes it meanwhile.
  bool open() {
    const std::string format_path = folder_ + "/FORMAT";
    const auto has_format = files_.exists(format_path);
    if (!has_format || !*has_format) {
      verification_.add(Finding::unchecked,
                        has_format ? folder_ + ": is no Shale data folder (it has no file FORMAT)"
                                   : has_format.error().message);
      return false;
    }
    // A server makes the lock before all else: where there is none, nobody has the folder open.
    const auto has_lock = files_.exists(folder_ + "/LOCK");
    if (has_lock && *has_lock) {
      auto lock = files_.lock(folder_ + "/LOCK");
      if (!lock) {
        verification_.add(Finding::unchecked,
                          lock.error().kind == engine::ErrorKind::locked
                              ? folder_ + ": a server is using this folder; stop it, or check a copy"
                              : lock.error().message);
        return false;
      }
      lock_ = std::move(*lock);
    }
    const auto format = engine::read_file(files_, format_path);
    const auto known =
        format ? check_folder_format(*format, format_path) : engine::Result<unsigned>{format.error()};
    if (!known) {
      verification_.add(known.error());
      return false;
    }
    verification_.count_file(format->size());
    return true;
  }

  std::optional<CatalogState> read_catalog() {
    const std::string path = folder_ + "/catalog";
    const auto bytes = engine::read_file(files_, path);
    if (!bytes) {
      verification_.add(bytes.error());
      return {};
    }
    auto state = CatalogState::decode(*bytes, path);
    if (!state) {
      verification_.add(state.error());
      return {};
    }
    verification_.count_file(bytes->size());
    verification_.count_records(1);
    return std::move(*state);
  }

  void verify_history() {
    const std::string path = folder_ + "/history";
    const auto exists = files_.exists(path);
    if (!exists || !*exists) return;
    const auto bytes = engine::read_file(files_, path);
    const auto events = bytes ? decode_history(*bytes, path) : bytes.error();
    if (!events) return verification_.add(events.error());
    verification_.count_file(bytes->size());
    verification_.count_records(events->size());
  }

  void verify_shards(const CatalogState& catalog, const std::map<std::uint32_t, Lsn>& persisted) {
    for (const auto& [tree, lsn] : persisted) {
      if (tree == ExpiryCalendar::kTree) continue;
      if (std::ranges::find(catalog.shards, tree, &ShardRecord::tree) != catalog.shards.end()) continue;
      verification_.remark(fmt::format(
          "{}: tree {} is of no shard: left by a change that did not come to its end", folder_, tree));
    }
  }

  void verify_log(const CatalogState& catalog, const std::map<std::uint32_t, Lsn>& persisted) {
    engine::LogRecovery found;
    const auto log = engine::recover_log(
        files_, folder_ + "/log", catalog.log_needed_from,
        [this](Lsn lsn, engine::RecordKind kind, BytesView payload) { return check(lsn, kind, payload); },
        found);
    if (!log) {
      verification_.add(log.error());
      return;
    }
    for (const engine::RecoveredSegment& segment : log->segments) {
      verification_.count_file(segment.header.size_bytes);
    }
    verification_.count_records(found.records);
    if (found.torn_bytes != 0) {
      verification_.remark(fmt::format("{}: the last {} bytes are of records that were being written",
                                       found.torn_file, found.torn_bytes));
    }
    if (!found.unreadable_note.empty()) verification_.problem(found.unreadable_note);
    // Tables are written after the log is durable up to what they hold.
    for (const auto& [tree, lsn] : persisted) {
      if (lsn < log->next_lsn) continue;
      verification_.problem(fmt::format("{}/log: ends with record {}, but shard {} has persisted record {}",
                                        folder_, log->next_lsn - 1, tree, lsn));
    }
  }

  // What is inside a record whose checksum is right.
  engine::Status check(Lsn lsn, engine::RecordKind kind, BytesView payload) {
    const auto changes = take_identity_changes(static_cast<LogRecord>(kind), payload);
    if (!changes) {
      return engine::Error{changes.error().kind,
                           fmt::format("{}/log: record {}: {}", folder_, lsn, changes.error().message)};
    }
    if (lsn > databases_lsn_) {
      for (const IdentityChange& change : *changes) note(change);
    }
    return check_writes(payload);
  }

  engine::Status check_writes(BytesView payload) {
    while (!payload.empty()) {
      const auto write = take_write(*placement_, payload);
      if (!write) return write.error();
      large_values_.see_logged(write->position, write->value, write->operation == WriteOperation::erase);
    }
    return {};
  }

  void note(const IdentityChange& change) {
    if (change.database >= databases_.size()) return;
    DatabaseId& id = databases_[change.database];
    if (change.kind == IdentityChange::Kind::renewed) {
      id = std::max(id, change.second);
    } else if (change.second < databases_.size()) {
      std::swap(id, databases_[change.second]);
    }
  }

  engine::FileSystem& files_;
  const std::string& folder_;
  engine::Verification& verification_;
  LargeValueVerifier large_values_;
  std::optional<Placement> placement_;  // once the catalog is read
  DatabaseIds databases_{};
  Lsn databases_lsn_ = 0;                         // what the catalog has of them
  std::optional<std::set<std::uint32_t>> trees_;  // that shards have
  std::unique_ptr<engine::FolderLock> lock_;
};

}  // namespace

void verify_folder(engine::FileSystem& files, const std::string& folder, engine::Verification& verification,
                   bool (*value_is_large)(BytesView)) {
  FolderVerifier{files, folder, verification, value_is_large}.run();
}

}  // namespace shale::cluster
