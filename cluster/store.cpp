#include "cluster/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <map>

#include "cluster/backups.h"
#include "cluster/change_history.h"
#include "cluster/expirer.h"
#include "cluster/folder_format.h"
#include "cluster/large_value_sweep.h"
#include "cluster/layout_change.h"
#include "cluster/log_records.h"
#include "cluster/reshaper.h"
#include "cluster/transaction.h"
#include "engine/encoding.h"
#include "engine/large/large_value_store.h"

namespace shale::cluster {
namespace {

// Answers the engines' questions about records: whose they are, and whether they may go.
class StoreKeyPolicy final : public engine::KeyPolicy {
 public:
  StoreKeyPolicy(Placement placement, const DatabaseTable& databases,
                 std::int64_t (*value_expiry_ms)(BytesView))
      : placement_(placement), databases_(databases), value_expiry_ms_(value_expiry_ms) {}

  std::uint32_t count_class(BytesView position) const override { return placement_.database_of(position); }
  bool is_live_class(std::uint32_t count_class) const override {
    return databases_.is_live(count_class) || count_class == ExpiryCalendar::kClass;
  }
  std::int64_t obsolete_from_ms(BytesView, BytesView value) const override {
    return value_expiry_ms_ == nullptr ? kNeverObsolete : value_expiry_ms_(value);
  }

 private:
  const Placement placement_;
  const DatabaseTable& databases_;
  std::int64_t (*value_expiry_ms_)(BytesView);
};

// Lets background threads of the engines wait for the log's sync thread.
class StoreLogBarrier final : public engine::LogBarrier {
 public:
  explicit StoreLogBarrier(const std::unique_ptr<engine::Log>& log) : log_(log) {}

  engine::Status wait_until_durable(engine::Lsn lsn) override {
    std::unique_lock lock{mutex_};
    // While the log is being replayed it is not there yet; open_log has made durable what it replays.
    if (!ready_ || lsn == 0) return {};
    lock.unlock();
    auto promise = std::make_shared<std::promise<engine::Status>>();
    auto durable = promise->get_future();
    log_->when_synced(lsn, [promise](engine::Status status) { promise->set_value(std::move(status)); });
    return durable.get();
  }
  void set_ready() {
    std::lock_guard lock{mutex_};
    ready_ = true;
  }

 private:
  const std::unique_ptr<engine::Log>& log_;
  std::mutex mutex_;
  bool ready_ = false;
};

}  // namespace

Store::Store(engine::FileSystem& files, engine::Background& background, engine::Clock& clock,
             const StoreOptions& options)
    : files_(files), background_(background), clock_(clock), options_(options) {}

Store::~Store() = default;

engine::Result<std::unique_ptr<Store>> Store::open(engine::FileSystem& files, engine::Background& background,
                                                   engine::Clock& clock, const StoreOptions& options,
                                                   StoreRecovery& recovery) {
  std::unique_ptr<Store> store{new Store(files, background, clock, options)};
  if (auto recovered = store->recover(recovery); !recovered) {
    background.stop();  // replay may have begun flushes of the trees that go now
    return recovered.error();
  }
  if (options.maintenance_interval.count() > 0) {
    store->maintenance_ =
        std::jthread([raw = store.get()](const std::stop_token& stop) { raw->maintenance_loop(stop); });
    store->expiry_ =
        std::jthread([raw = store.get()](const std::stop_token& stop) { raw->expirer_->run(stop); });
  }
  return store;
}

engine::Status Store::recover(StoreRecovery& recovery) {
  if (auto prepared = prepare_folder(recovery); !prepared) return prepared;
  if (auto loaded = load_catalog(recovery.created); !loaded) return loaded;
  if (auto opened = open_large_values(); !opened) return opened;
  if (auto opened = open_engines(); !opened) return opened;
  if (auto opened = open_calendar(); !opened) return opened;
  const engine::LogOptions log_options{options_.log_segment_bytes, options_.sync_mode};
  auto log = engine::open_log(
      files_, options_.folder + "/log", log_options, log_needed_from_,
      [&](engine::Lsn lsn, engine::RecordKind kind, BytesView payload) {
        return replay(lsn, kind, payload, recovery);
      },
      recovery.log);
  if (!log) return log.error();
  log_ = std::move(*log);
  static_cast<StoreLogBarrier&>(*barrier_).set_ready();
  load_history();
  reshaper_ = std::make_unique<Reshaper>(*this);
  open_backups();
  return check_log_covers_tables();
}

// Nothing that is stored depends on it: a damaged one is named, and does not stop the start.
void Store::load_history() {
  history_ = std::make_unique<ChangeHistory>(files_, options_.folder + "/history");
  const auto loaded = history_->load();
  if (!loaded && options_.on_damage) options_.on_damage(loaded.error().message);
}

void Store::open_backups() {
  const std::string folder =
      options_.backup_folder.empty() ? options_.folder + "/backups" : options_.backup_folder;
  backups_ = std::make_unique<Backups>(*this, files_, folder, options_.backups_kept);
  backups_->open();
}

// Tables are written after the log is durable up to what they hold. A log that ends before that has lost its
// end to the disk; new records would get numbers that the next start takes for persisted, and skips.
engine::Status Store::check_log_covers_tables() const {
  const auto check = [this](engine::Lsn persisted, const std::string& owner) -> engine::Status {
    if (persisted <= log_->appended_lsn()) return {};
    return engine::corruption(
        fmt::format("{}/log: ends with record {}, but {} has persisted record {}: its end is damaged",
                    options_.folder, log_->appended_lsn(), owner, persisted));
  };
  for (const auto& shard : shards()) {
    std::lock_guard lock{shard->mutex};  // replay may have begun flushes, which go on
    auto covered =
        check(shard->engine->persisted_lsn(), fmt::format("shard {}", static_cast<std::uint32_t>(shard->id)));
    if (!covered) return covered;
  }
  return check(expirer_->calendar().persisted_lsn(), "the expiry calendar");
}

// FORMAT is written last when a folder is made: a folder without it was never served, and if it holds
// anything but what an interrupted creation leaves behind, it is not ours.
engine::Status Store::prepare_folder(StoreRecovery& recovery) {
  const std::string format_path = options_.folder + "/FORMAT";
  if (auto made = files_.create_folder(options_.folder); !made) return made.error();
  const auto has_format = files_.exists(format_path);
  if (!has_format) return has_format.error();
  if (!*has_format) {
    const auto names = files_.list(options_.folder);
    if (!names) return names.error();
    const auto foreign = std::find_if(names->begin(), names->end(), [](const std::string& name) {
      return name != "LOCK" && name != "lost+found" && !name.starts_with("FORMAT") &&
             !name.starts_with("catalog");
    });
    if (foreign != names->end()) {
      return engine::Error{
          engine::ErrorKind::unsupported,
          fmt::format("{}: not a Shale data folder, and not empty (it holds {})", options_.folder, *foreign)};
    }
  }
  auto lock = files_.lock(options_.folder + "/LOCK");
  if (!lock) return lock.error();
  folder_lock_ = std::move(*lock);
  recovery.created = !*has_format;
  if (recovery.created) return {};
  const auto contents = engine::read_file(files_, format_path);
  if (!contents) return contents.error();
  const auto version = check_folder_format(*contents, format_path);
  return version ? engine::Status{} : engine::Status{version.error()};
}

void Store::create_layout() {
  placement_ = Placement{options_.sharding};
  databases_.start(options_.sharding);
  std::vector<Boundary> boundaries = placement_.is_ring() ? make_ring(options_.shards, options_.virtual_nodes)
                                                          : make_ranges(options_.split_points);
  next_shard_ = placement_.is_ring() ? options_.shards : static_cast<std::uint32_t>(boundaries.size());
  next_tree_ = next_shard_;
  std::vector<std::shared_ptr<Shard>> shards;
  for (std::uint32_t id = 0; id < next_shard_; ++id) {
    shards.push_back(std::make_shared<Shard>(ShardId{id}));
    shards.back()->set_tree({ShardId{id}, options_.engine, id}, nullptr);
  }
  layout_ = std::make_shared<Layout>(ShardMap{1, std::move(boundaries)}, std::move(shards));
}

engine::Status Store::load_catalog(bool created) {
  const std::string path = options_.folder + "/catalog";
  if (created) {
    create_layout();
    if (auto written = write_catalog(1); !written) return written.error();
    return engine::replace_file(files_, options_.folder + "/FORMAT", folder_format(kFolderFormatOfNew));
  }
  const auto bytes = engine::read_file(files_, path);
  if (!bytes) return bytes.error();
  auto state = CatalogState::decode(*bytes, path);
  if (!state) return state.error();
  placement_ = Placement{state->sharding};
  databases_.start(state->sharding, state->databases);
  databases_lsn_ = state->databases_lsn;
  log_needed_from_ = state->log_needed_from;
  next_shard_ = state->next_shard;
  next_tree_ = state->next_tree;
  std::vector<std::shared_ptr<Shard>> shards;
  for (const ShardRecord& record : state->shards) {
    shards.push_back(std::make_shared<Shard>(record.id));
    shards.back()->set_tree(record, nullptr);
  }
  layout_ =
      std::make_shared<Layout>(ShardMap{state->map_version, std::move(state->boundaries)}, std::move(shards));
  return {};
}

// From its first large value on, a folder is of a format that earlier builds refuse.
engine::Status Store::open_large_values() {
  const std::string format_path = options_.folder + "/FORMAT";
  const auto before_first = [this, format_path]() -> engine::Status {
    const auto contents = engine::read_file(files_, format_path);
    if (!contents) return contents.error();
    const auto version = check_folder_format(*contents, format_path);
    if (!version) return version.error();
    if (*version >= kFolderFormatWithLargeValues) return {};
    return engine::replace_file(files_, format_path, folder_format(kFolderFormatWithLargeValues));
  };
  auto opened =
      engine::LargeValueStore::open(files_, background_, clock_, options_.folder + "/large", before_first);
  if (!opened) return opened.error();
  large_values_ = std::move(*opened);
  large_value_sweep_ = std::make_unique<LargeValueSweep>(*this);
  return {};
}

std::optional<engine::LargeValueReference> Store::large_value_in(BytesView stored) const {
  using Reference = engine::LargeValueReference;
  if (options_.value_is_large == nullptr || !options_.value_is_large(stored)) return {};
  if (stored.size() < Reference::kEncodedBytes) return {};
  return Reference::decode(std::span{stored}.last<Reference::kEncodedBytes>());
}

engine::Status Store::open_engines() {
  policy_ = std::make_unique<StoreKeyPolicy>(placement_, databases_, options_.value_expiry_ms);
  barrier_ = std::make_unique<StoreLogBarrier>(log_);
  auto trees = Trees::open({files_, background_, clock_, options_, *policy_, *barrier_}, shard_records());
  if (!trees) return trees.error();
  trees_ = std::move(*trees);
  for (const auto& shard : shards()) {
    auto tree = trees_->open_tree(shard->kind, shard->tree, shard->mutex);
    if (!tree) return tree.error();
    shard->engine = std::move(*tree);
  }
  return {};
}

engine::Status Store::open_calendar() {
  expirer_ = std::make_unique<Expirer>(*this);
  ExpiryCalendar& calendar = expirer_->calendar();
  auto tree = trees_->open_tree(EngineKind::lsm, ExpiryCalendar::kTree, calendar.mutex());
  if (!tree) return tree.error();
  return calendar.open(std::move(*tree));
}

// With the lock of the position's shard.
void Store::replay_expiry(const LoggedWrite& write, engine::Lsn lsn) {
  if (write.operation != WriteOperation::put || options_.value_expiry_ms == nullptr) return;
  const std::int64_t due_ms = options_.value_expiry_ms(write.value);
  if (due_ms == engine::KeyPolicy::kNeverObsolete) return;
  const bool applies = lsn > layout_->owner(write.position).engine->persisted_lsn();
  expirer_->replay(lsn, due_ms, write.position, applies);
}

engine::Status Store::replay(engine::Lsn lsn, engine::RecordKind kind, BytesView payload,
                             StoreRecovery& recovery) {
  const auto changes = take_identity_changes(static_cast<LogRecord>(kind), payload);
  if (!changes) {
    return engine::Error{changes.error().kind,
                         fmt::format("log record {}: {}", lsn, changes.error().message)};
  }
  if (!changes->empty() && lsn > databases_lsn_) apply(*changes, lsn);
  return replay_batch(lsn, payload, recovery);
}

// A record is applied to a shard whole or not at all: were a flush or a checkpoint to begin half-way, it
// would call the record persisted. Both begin under the shard's lock, so the locks are kept until all is
// applied; before that, each shard is asked whether it has room.
engine::Status Store::replay_batch(engine::Lsn lsn, BytesView payload, StoreRecovery& recovery) {
  const std::size_t bytes = payload.size();
  std::vector<LoggedWrite> writes;
  std::map<ShardId, Shard*> behind;  // those that have not persisted the record, in the order of locking
  while (!payload.empty()) {
    const auto write = take_write(placement_, payload);
    if (!write) return write.error();
    // Emptied since. Of key ranges the map does not know any more whose it was.
    if (!databases_.is_live(placement_.database_of(write->position))) continue;
    Shard& owner = layout_->owner(write->position);
    std::lock_guard lock{owner.mutex};
    replay_expiry(*write, lsn);
    if (lsn <= owner.engine->persisted_lsn()) continue;
    writes.push_back(*write);
    behind.emplace(owner.id, &owner);
  }
  for (const auto& [id, owner] : behind) {
    if (auto admitted = wait_for_admission(*owner, bytes); !admitted) return admitted;
  }
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const auto& [id, owner] : behind) locks.emplace_back(owner->mutex);
  for (const LoggedWrite& write : writes) {
    Shard& owner = layout_->owner(write.position);
    const engine::HashedKey key{write.position};
    if (write.operation == WriteOperation::put) {
      owner.engine->put(key, write.value, lsn);
    } else {
      owner.engine->erase(key, lsn);
    }
  }
  expirer_->end_replayed_record(lsn);
  recovery.records_applied += !writes.empty();
  return {};
}

engine::Status Store::wait_for_admission(Shard& owner, std::size_t bytes) {
  for (;;) {
    {
      std::lock_guard lock{owner.mutex};
      auto admitted = owner.engine->admit_write(bytes);
      if (admitted || admitted.error().kind != engine::ErrorKind::busy) return admitted;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});  // a flush is making room
  }
}

std::shared_ptr<const Layout> Store::layout() const {
  std::lock_guard lock{layout_mutex_};
  return layout_;
}

std::optional<unsigned> Store::database_of(DatabaseId id) const {
  for (unsigned database = 0; database < kDatabaseCount; ++database) {
    if (database_id(database) == id) return database;
  }
  return {};
}

// Shards that come and go while it is counted could be counted twice, or not at all.
std::int64_t Store::key_count(unsigned database) {
  for (;;) {
    const std::uint64_t counted_in = epoch();
    const DatabaseId id = database_id(database);
    std::int64_t count = 0;
    for (const auto& shard : shards()) {
      std::lock_guard lock{shard->mutex};
      if (shard->engine) count += shard->engine->key_count(id);
    }
    if (counted_in == epoch()) return std::max<std::int64_t>(count, 0);
  }
}

engine::Result<engine::Lsn> Store::flush_database(unsigned database) { return flush_databases(database, 1); }

engine::Result<engine::Lsn> Store::flush_all() { return flush_databases(0, kDatabaseCount); }

engine::Result<engine::Lsn> Store::swap_databases(unsigned a, unsigned b) {
  ShardLocks locks{*this};
  Transaction transaction{*this, locks};
  locks.lock_all();
  transaction.swap_databases(a, b);
  return transaction.commit();
}

engine::Result<engine::Lsn> Store::flush_databases(unsigned first, unsigned count) {
  ShardLocks locks{*this};
  Transaction transaction{*this, locks};
  locks.lock_all();
  if (auto emptied = transaction.empty_databases(first, count); !emptied) return emptied.error();
  return transaction.commit();
}

engine::Result<engine::Lsn> Store::change_identities(std::span<const IdentityChange> changes,
                                                     BytesView writes) {
  Bytes record;
  append_identity_changes(record, changes);
  record += writes;
  const auto lsn = log_->append(static_cast<engine::RecordKind>(LogRecord::identities), record);
  if (lsn) apply(changes, *lsn);
  return lsn;
}

void Store::reclaim_obsolete(engine::Lsn lsn) {
  for (const auto& shard : layout()->shards()) {
    if (!placement_.is_ring()) shard->load.forget();  // it is of positions that are no more
    shard->engine->reclaim_obsolete(lsn);
  }
  large_value_sweep_->note_flush();
}

// The boundaries of an emptied database are taken along. What a catalog of the formats before 5 knows already
// changes nothing, since identities only grew.
void Store::apply(std::span<const IdentityChange> changes, engine::Lsn lsn) {
  const std::lock_guard lock{layout_mutex_};
  std::vector<Boundary> boundaries = layout_->map().boundaries();
  bool moved = false;
  for (const IdentityChange& change : changes) {
    if (change.database >= kDatabaseCount) continue;
    if (change.kind == IdentityChange::Kind::swapped) {
      if (change.second < kDatabaseCount) databases_.swap(change.database, change.second);
      continue;
    }
    const DatabaseId emptied = databases_.id(change.database);
    databases_.advance(change.database, change.second);
    if (!placement_.is_ring() && change.second > emptied)
      moved |= move_boundaries(boundaries, emptied, change.second);
  }
  if (moved) {
    ShardMap map{layout_->map().version() + 1, std::move(boundaries)};
    layout_ = std::make_shared<Layout>(std::move(map), layout_->shards());
  }
  databases_lsn_ = lsn;
  epoch_.fetch_add(1, std::memory_order_release);
}

engine::Lsn Store::oldest_needed_lsn() {
  // Read first: what is appended while we ask the shards is newer, and needed.
  engine::Lsn oldest = std::min(log_->appended_lsn() + 1, expirer_->calendar().log_needed_from());
  for (const auto& shard : shards()) {
    std::lock_guard lock{shard->mutex};
    if (!shard->engine) continue;  // it has gone meanwhile
    if (const auto lsn = shard->engine->oldest_unpersisted_lsn()) oldest = std::min(oldest, *lsn);
  }
  return oldest;
}

// As the shards are once `changed` is so.
std::vector<ShardRecord> Store::records_of(const std::vector<std::shared_ptr<Shard>>& shards,
                                           const std::vector<ShardRecord>& changed) {
  std::vector<ShardRecord> records;
  for (const auto& shard : shards) {
    const auto record = std::ranges::find(changed, shard->id, &ShardRecord::id);
    if (record != changed.end()) {
      records.push_back(*record);
      continue;
    }
    const std::lock_guard lock{shard->mutex};
    records.push_back({shard->id, shard->kind, shard->tree});
  }
  return records;
}

Store::DatabasesState Store::databases_state() const {
  const std::lock_guard lock{layout_mutex_};
  return {databases_.ids(), layout_, databases_lsn_};
}

engine::Status Store::write_catalog(engine::Lsn log_needed_from) {
  const DatabasesState state = databases_state();
  const ShardMap& map = state.layout->map();
  return write_catalog(log_needed_from, state, map.version(), map.boundaries(), shard_records());
}

engine::Status Store::write_catalog(engine::Lsn log_needed_from, const DatabasesState& flushed,
                                    std::uint64_t map_version, std::vector<Boundary> boundaries,
                                    std::vector<ShardRecord> shards) {
  // Else a lost machine could forget what was written before the flush, and not the flush.
  if (flushed.lsn != 0) {
    if (auto durable = barrier_->wait_until_durable(flushed.lsn); !durable) return durable;
  }
  const CatalogState state =
      catalog_of(log_needed_from, flushed, map_version, std::move(boundaries), std::move(shards));
  return engine::replace_file(files_, options_.folder + "/catalog", state.encode());
}

CatalogState Store::catalog_of(engine::Lsn log_needed_from, const DatabasesState& flushed,
                               std::uint64_t map_version, std::vector<Boundary> boundaries,
                               std::vector<ShardRecord> shards) const {
  CatalogState state;
  state.sharding = placement_.sharding();
  state.databases = flushed.databases;
  state.databases_lsn = flushed.lsn;
  state.log_needed_from = log_needed_from;
  state.map_version = map_version;
  state.boundaries = std::move(boundaries);
  state.shards = std::move(shards);
  state.next_shard = next_shard_;
  state.next_tree = next_tree_;
  return state;
}

ShardId Store::new_shard_id() {
  const std::lock_guard lock{maintenance_mutex_};
  return ShardId{next_shard_++};
}

std::uint32_t Store::new_tree_number() {
  const std::lock_guard lock{maintenance_mutex_};
  return next_tree_++;
}

// No other catalog is written between this one and the layout that it tells of. A flush may come in between:
// over a crash the log has it, and what replay makes of the catalog's map is what is published here.
engine::Status Store::change_layout(const NewLayout& next, std::chrono::microseconds& pause) {
  const std::lock_guard round{maintenance_mutex_};
  // What a copy has left out because it was deleted is gone with the old tree: the deletion must not be lost.
  if (auto durable = barrier_->wait_until_durable(log_->appended_lsn()); !durable) return durable;
  const DatabasesState state = databases_state();
  const ShardMap& map = state.layout->map();
  auto boundaries = next.divide(map);
  if (!boundaries) return boundaries.error();
  const auto take_back = [&](engine::Error error) -> engine::Status {
    catalog_in_doubt_ = !write_catalog(log_needed_from_);
    return error;
  };
  auto records = records_of(next.shards, next.changed);
  auto written = write_catalog(log_needed_from_, state, map.version() + 1, *boundaries, std::move(records));
  if (!written) return take_back(written.error());
  if (next.prepare) next.prepare();
  auto made = std::make_shared<Layout>(ShardMap{map.version() + 1, std::move(*boundaries)}, next.shards);
  const auto begin = std::chrono::steady_clock::now();
  auto published = publish(next, state.layout->map().version(), std::move(made));
  pause = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  return published ? engine::Status{} : take_back(published.error());
}

// `made` is of the map of version `made_from`.
engine::Status Store::publish(const NewLayout& next, std::uint64_t made_from,
                              std::shared_ptr<const Layout> made) {
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const auto& shard : next.locked) locks.emplace_back(shard->mutex);
  const auto now = layout();  // flushes take these locks, too
  if (now->map().version() != made_from) {
    auto boundaries = next.divide(now->map());
    if (!boundaries) return boundaries.error();
    ShardMap map{now->map().version() + 1, std::move(*boundaries)};
    made = std::make_shared<Layout>(std::move(map), next.shards);
  }
  next.swap();
  for (const auto& shard : next.locked) shard->hot_keys.forget(clock_.now());  // some are another's now
  {
    const std::lock_guard lock{layout_mutex_};
    layout_ = std::move(made);
  }
  epoch_.fetch_add(1, std::memory_order_release);
  return {};
}

void Store::keep(std::shared_ptr<Shard> retired) {
  const std::lock_guard lock{maintenance_mutex_};
  retired_.push_back(std::move(retired));
}

void Store::flush_oldest_shard() {
  std::shared_ptr<Shard> holder;
  engine::Lsn oldest = 0;
  for (const auto& shard : shards()) {
    std::lock_guard lock{shard->mutex};
    const auto lsn = shard->engine ? shard->engine->oldest_unpersisted_lsn() : std::nullopt;
    if (lsn && (holder == nullptr || *lsn < oldest)) {
      holder = shard;
      oldest = *lsn;
    }
  }
  if (const engine::Lsn hints = expirer_->calendar().log_needed_from(); holder == nullptr || hints < oldest) {
    return expirer_->try_flush();
  }
  std::lock_guard lock{holder->mutex};
  if (holder->engine) holder->engine->flush();
}

engine::Status Store::maintain_large_values() {
  large_value_sweep_->round();
  if (!large_values_kept_.expired()) return {};
  return large_values_->remove_dead([this](engine::Lsn lsn) { return barrier_->wait_until_durable(lsn); });
}

engine::Status Store::maintain() {
  std::lock_guard round{maintenance_mutex_};
  const auto now = clock_.now();
  for (const auto& shard : shards()) {
    std::lock_guard lock{shard->mutex};
    if (shard->engine) shard->engine->tick();
    shard->hot_keys.advance(now);
  }
  expirer_->try_cover();
  expirer_->calendar().tick();
  const auto log_kept_from =
      log_kept_from_.lock();  // what is flushed for the log's sake gives nothing back then
  if (log_kept_from == nullptr && log_->stats().bytes_kept > options_.log_bytes_max) flush_oldest_shard();
  if (auto removed = maintain_large_values(); !removed) return removed;
  // Identities and map changed before this point are in the catalog that follows, whatever is changed
  // meanwhile.
  engine::Lsn needed_from = oldest_needed_lsn();
  if (log_kept_from) needed_from = std::min(needed_from, *log_kept_from);
  if (needed_from == log_needed_from_ || !log_->can_trim(needed_from)) return {};
  if (auto durable = barrier_->wait_until_durable(needed_from - 1); !durable) return durable;
  if (auto written = write_catalog(needed_from); !written) return written.error();
  catalog_in_doubt_ = false;
  log_needed_from_ = needed_from;
  return log_->trim(needed_from);
}

void Store::maintenance_loop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock{mutex};
  while (!stop.stop_requested()) {
    // An error here costs log space, not data; what caused it is met, and reported, by the writers too.
    static_cast<void>(maintain().has_value());
    wake.wait_for(lock, stop, options_.maintenance_interval, [] { return false; });
  }
}

}  // namespace shale::cluster
