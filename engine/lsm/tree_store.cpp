#include "engine/lsm/tree_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "engine/lsm/tree.h"
#include "engine/lsm/value_usage.h"

namespace shale::engine::lsm {
namespace {

constexpr BytesView kTableSuffix = ".table";
constexpr BytesView kValueSuffix = ".values";
constexpr BytesView kTemporarySuffix = ".tmp";

}  // namespace

std::string TreeStore::table_name(std::uint64_t number) {
  return fmt::format("{:08}{}", number, kTableSuffix);
}

std::string TreeStore::value_file_name(std::uint64_t number) {
  return fmt::format("{:08}{}", number, kValueSuffix);
}

std::optional<std::uint64_t> TreeStore::table_number(const std::string& name) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), number);
  if (read.ec != std::errc{} || name != table_name(number)) return {};
  return number;
}

TreeStore::TreeStore(FileSystem& files, Background& background, const TreeStoreOptions& options)
    : files_(files),
      background_(background),
      options_(options),
      block_cache_(options.block_cache_bytes),
      memtables_(options.memtable_bytes),
      record_cache_bytes_(options.record_cache_bytes),
      work_meter_(background, options.idle_work_bytes_per_second) {}

std::string TreeStore::table_path(std::uint64_t number) const {
  return options_.folder + "/" + table_name(number);
}

std::string TreeStore::value_path(std::uint64_t number) const {
  return options_.folder + "/" + value_file_name(number);
}

Result<std::unique_ptr<TreeStore>> TreeStore::open(FileSystem& files, Background& background,
                                                   const TreeStoreOptions& options) {
  std::unique_ptr<TreeStore> store{new TreeStore(files, background, options)};
  auto manifest = Manifest::open(files, options.folder);
  if (!manifest) return manifest.error();
  store->manifest_ = std::move(*manifest);
  if (auto removed = store->remove_strays(); !removed) return removed.error();
  if (auto opened = store->open_tables(); !opened) return opened.error();
  return store;
}

// Files that were written but never reached the manifest, or left it before they were removed.
Status TreeStore::remove_strays() {
  std::set<std::string> known;
  for (const auto& [tree, state] : manifest_->opened_trees()) {
    for (const auto& [number, slices] : state.tables) {
      known.insert(table_name(number));
      for (const SliceDescriptor& slice : slices) {
        for (const ValueFileUse& use : slice.value_files) known.insert(value_file_name(use.file));
      }
    }
  }
  const auto names = files_.list(options_.folder);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const bool is_ours = name.ends_with(kTableSuffix) || name.ends_with(kValueSuffix);
    const bool is_stray = name.ends_with(kTemporarySuffix) || (is_ours && !known.contains(name));
    if (!is_stray) continue;
    if (auto removed = files_.remove(options_.folder + "/" + name); !removed) return removed;
  }
  return {};
}

// Several trees may have slices of one table, since a split: the file is opened once.
Status TreeStore::open_tables() {
  std::map<std::uint64_t, ValueUsage> values;  // by table
  for (const auto& [tree, state] : manifest_->opened_trees()) {
    for (const auto& [number, slices] : state.tables) {
      for (const SliceDescriptor& slice : slices) values[number].add(slice.value_files);
    }
  }
  std::uint64_t highest = 0;
  std::map<std::uint64_t, std::shared_ptr<const TableFile>> files;
  for (const auto& [number, used] : values) {
    const std::vector<ValueFileUse> uses = used.all();
    if (!uses.empty()) highest = std::max(highest, uses.back().file);
    const auto file = files[number] = open_table(number, uses);
    const auto& table = file->table();
    if (!table && table.error().kind == ErrorKind::unsupported) return table.error();
    if (!table && options_.on_damage) options_.on_damage(table.error().message);
  }
  std::set<std::uint64_t> named;
  for (const auto& [tree, state] : manifest_->opened_trees()) {
    std::vector<TableRef>& tables = opened_[tree];
    for (const auto& [number, slices] : state.tables) {
      if (!named.insert(number).second) files[number]->share();
      for (const SliceDescriptor& slice : slices) {
        tables.push_back(std::make_shared<const LiveTable>(files[number], slice));
        highest = std::max({highest, number, slice.run});
      }
    }
  }
  next_number_ = highest + 1;
  return {};
}

std::shared_ptr<const TableFile> TreeStore::open_table(std::uint64_t number,
                                                       const std::vector<ValueFileUse>& value_files) {
  return hold(number, Table::open(files_, table_path(number), number, block_cache_), value_files);
}

std::shared_ptr<const TableFile> TreeStore::hold(std::uint64_t number,
                                                 Result<std::shared_ptr<const Table>> table,
                                                 const std::vector<ValueFileUse>& value_files) {
  std::vector<ValueFileRef> values;
  values.reserve(value_files.size());
  for (const ValueFileUse& use : value_files) values.push_back(value_file(use.file));
  auto remove = [this](std::uint64_t discarded_number, std::shared_ptr<const Table> discarded) {
    // The last reader may hold a shard's lock; unlinking may wait for the disk.
    background_.submit(Priority::deep_compaction,
                       [this, discarded_number, discarded = std::move(discarded)]() mutable {
                         if (discarded) discarded->drop_cached_blocks();
                         remove_table_file(discarded_number);
                         discarded.reset();
                       });
  };
  return std::make_shared<const TableFile>(number, std::move(table), std::move(remove), std::move(values));
}

ValueFileRef TreeStore::value_file(std::uint64_t number) {
  const std::lock_guard lock{value_files_mutex_};
  std::weak_ptr<const LiveValueFile>& known = value_files_[number];
  if (ValueFileRef live = known.lock()) return live;
  auto opened = ValueFile::open(files_, value_path(number), number, block_cache_);
  std::shared_ptr<const ValueFile> file =
      opened ? std::move(*opened)
             : ValueFile::unreadable(value_path(number), number, block_cache_, opened.error());
  auto remove = [this](std::shared_ptr<const ValueFile> discarded) {
    // As for tables: not here, where a shard's lock may be held.
    background_.submit(Priority::deep_compaction, [this, discarded = std::move(discarded)]() mutable {
      discarded->drop_cached_values();
      remove_value_file(discarded->number());
      discarded.reset();
    });
  };
  auto live = std::make_shared<const LiveValueFile>(std::move(file), std::move(remove));
  known = live;
  return live;
}

std::shared_ptr<Engine> TreeStore::open_tree(std::uint32_t id, std::mutex& owner) {
  const auto known = manifest_->opened_trees().find(id);
  const Lsn persisted_lsn = known == manifest_->opened_trees().end() ? 0 : known->second.persisted_lsn;
  auto version = std::make_shared<const Version>(opened_[id]);
  opened_.erase(id);
  return std::make_shared<Tree>(*this, id, owner, persisted_lsn, std::move(version));
}

Status TreeStore::drop_trees_except(const std::set<std::uint32_t>& ids) {
  for (const auto& [id, state] : manifest_->opened_trees()) {
    if (ids.contains(id)) continue;
    if (auto forgotten = forget(id, opened_[id]); !forgotten) return forgotten;
    opened_.erase(id);
  }
  return {};
}

Status TreeStore::drop_tree(Engine& engine) {
  auto& tree = static_cast<Tree&>(engine);
  std::vector<TableRef> tables;
  tree.leave_tables(tables);
  return forget(tree.id(), tables);
}

Result<std::shared_ptr<Tree>> TreeStore::make_tree(std::uint32_t id, std::mutex& owner, const NewTree& made,
                                                   const std::vector<TableRef>& tables) {
  VersionEdit edit;
  edit.tree = id;
  edit.persisted_lsn = made.persisted_lsn;
  for (const TableRef& slice : tables) edit.added.push_back(slice->slice());
  if (auto logged = manifest_->append(edit); !logged) return logged.error();
  std::set<const TableFile*> files;
  for (const TableRef& slice : tables) {
    if (files.insert(slice->file().get()).second) slice->file()->share();
  }
  auto tree =
      std::make_shared<Tree>(*this, id, owner, made.persisted_lsn, std::make_shared<const Version>(tables));
  const std::lock_guard lock{owner};
  tree->stop_work();
  tree->set_shape(made.shape, "as before the split or merge");
  return tree;
}

void TreeStore::forget_new(Tree& tree) { static_cast<void>(drop_tree(tree).has_value()); }

Status TreeStore::forget(std::uint32_t id, const std::vector<TableRef>& tables) {
  VersionEdit edit;
  edit.tree = id;
  edit.drops_tree = true;
  if (auto logged = manifest_->append(edit); !logged) return logged;
  discard_each(tables);
  return {};
}

Result<TreeSnapshots> TreeStore::snapshot(const std::set<std::uint32_t>& ids) {
  std::vector<std::shared_ptr<Tree>> trees;
  {
    const std::lock_guard lock{mutex_};
    for (Tree* const tree : trees_) {
      if (ids.contains(tree->id())) trees.push_back(tree->weak_from_this().lock());
    }
  }
  TreeSnapshots snapshots;
  for (const auto& tree : trees) {
    if (!tree) continue;  // it is just going
    const std::lock_guard lock{tree->owner()};
    snapshots.emplace(tree->id(), tree->snapshot());
  }
  for (const std::uint32_t id : ids) {
    if (snapshots.contains(id)) continue;
    return Error{ErrorKind::stopped, fmt::format("{}: tree {} is not open", options_.folder, id)};
  }
  return snapshots;
}

void TreeStore::set_memory(std::uint64_t memtable_bytes, std::uint64_t block_cache_bytes,
                           std::uint64_t record_cache_bytes) {
  memtables_.set_total_bytes(memtable_bytes);
  block_cache_.set_capacity(block_cache_bytes);
  record_cache_bytes_.store(record_cache_bytes, std::memory_order_relaxed);
}

std::uint64_t TreeStore::table_bytes() const {
  if (options_.table_bytes != 0) return options_.table_bytes;
  return std::clamp<std::uint64_t>(options_.memtable_bytes / 8, 512u << 10, 16u << 20);
}

std::uint64_t TreeStore::compaction_job_bytes() const {
  if (options_.compaction_job_bytes != 0) return options_.compaction_job_bytes;
  return std::clamp<std::uint64_t>(4 * table_bytes(), 4u << 20, 32u << 20);
}

Compression TreeStore::compression_of(std::uint32_t level) const {
  return level == 0 ? Compression::none : options_.compression;
}

// Bits are worth most where they are fewest: a level an eighth as large may have an eighth of the false
// positives for an eighth of the price. (Dayan, Athanassoulis, Idreos, "Monkey", SIGMOD 2017.) Three bits and
// a half bring that down to a fifth in a blocked filter, and beyond sixteen bits there is little to gain.
// With an eighth of the data above it, half a bit less for the last level pays for them.
double TreeStore::filter_bits_of(std::uint32_t level) const {
  if (options_.filter_bits_per_key <= 0) return 0;
  const std::uint32_t above_last = level == 0 ? 2 : std::min(Version::kLastLevel - level, 2u);
  return std::max(1.0, options_.filter_bits_per_key - 0.5 + 3.5 * above_last);
}

bool TreeStore::may_move(std::uint32_t from_level, std::uint32_t to_level) const {
  return compression_of(from_level) == compression_of(to_level);
}

void TreeStore::add_tree(Tree& tree) {
  const std::lock_guard lock{mutex_};
  trees_.push_back(&tree);
}

void TreeStore::remove_tree(Tree& tree) {
  failed_flushes_.forget(tree);
  const std::lock_guard lock{mutex_};
  std::erase(trees_, &tree);
}

void TreeStore::relieve_memtables() {
  if (relief_running_.exchange(true)) return;
  background_.submit(Priority::flush, [this] {
    relief_running_ = false;
    Tree* largest = nullptr;
    std::shared_ptr<Tree> kept;
    {
      const std::lock_guard lock{mutex_};
      for (Tree* tree : trees_) {
        if (largest == nullptr || tree->active_bytes() > largest->active_bytes()) largest = tree;
      }
      if (largest != nullptr) kept = largest->weak_from_this().lock();  // null: it is just going
    }
    if (kept) kept->relieve();
  });
}

void TreeStore::retry_failed_flushes() {
  if (retry_running_.exchange(true)) return;
  background_.submit(Priority::flush, [this] {
    retry_running_ = false;
    std::vector<std::shared_ptr<Tree>> kept;
    {
      const std::lock_guard lock{mutex_};
      for (Tree* tree : trees_) {
        if (auto alive = tree->weak_from_this().lock()) kept.push_back(std::move(alive));
      }
    }
    for (const auto& tree : kept) tree->retry_flush();
  });
}

void TreeStore::note_flushed(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  flush_throttle_.note_drained(bytes, memtables_.pressure(), now());
}

std::chrono::microseconds TreeStore::flush_pause(std::uint64_t bytes) {
  const double pressure = memtables_.pressure();
  if (pressure <= 0) return std::chrono::microseconds{0};
  const std::lock_guard lock{mutex_};
  return flush_throttle_.pause_for(bytes, pressure, now());
}

Result<TreeStore::NewTable> TreeStore::create_table(std::uint32_t level, std::int64_t tombstones_since_ms) {
  const std::uint64_t number = new_number();
  auto file = files_.create(table_path(number) + std::string{kTemporarySuffix});
  if (!file) return file.error();
  TableBuilderOptions builder_options;
  builder_options.tombstones_since_ms = tombstones_since_ms;
  builder_options.table_number = number;
  builder_options.block_bytes = options_.block_bytes;
  builder_options.filter_bits_per_key = filter_bits_of(level);
  builder_options.compression = compression_of(level);
  builder_options.policy = options_.policy;
  return NewTable{number, std::make_unique<TableBuilder>(std::move(*file), builder_options)};
}

Result<TableProperties> TreeStore::close_table(NewTable table) {
  auto properties = table.builder->finish();
  if (!properties) return properties.error();
  const std::string path = table_path(table.number);
  if (auto renamed = files_.rename(path + std::string{kTemporarySuffix}, path); !renamed)
    return renamed.error();
  return properties;
}

Result<TableRef> TreeStore::open_new_table(std::uint64_t number, std::uint32_t level, std::uint64_t run,
                                           BytesView not_before, std::optional<BytesView> not_from) {
  auto table = Table::open(files_, table_path(number), number, block_cache_);
  if (!table) return table.error();
  const TableProperties& properties = (*table)->properties();
  SliceDescriptor slice = describe(properties, level, run);
  if (slice.begin_key < not_before) slice.begin_key = not_before;
  if (not_from && slice.end_key > *not_from) slice.end_key = *not_from;
  auto file = hold(number, std::move(*table), properties.value_files);
  return TableRef{std::make_shared<const LiveTable>(std::move(file), std::move(slice))};
}

Result<TreeStore::NewValueFile> TreeStore::create_value_file() {
  const std::uint64_t number = new_number();
  auto file = files_.create(value_path(number) + std::string{kTemporarySuffix});
  if (!file) return file.error();
  return NewValueFile{number, std::make_unique<ValueFileWriter>(std::move(*file), number)};
}

Result<ValueFileRef> TreeStore::finish_value_file(NewValueFile file) {
  if (auto finished = file.writer->finish(); !finished) return finished.error();
  const std::string path = value_path(file.number);
  if (auto renamed = files_.rename(path + std::string{kTemporarySuffix}, path); !renamed)
    return renamed.error();
  ValueFileRef opened = value_file(file.number);
  if (const auto& reason = opened->file().unreadable_reason()) return *reason;
  return opened;
}

void TreeStore::remove_table_file(std::uint64_t number) { remove_file(table_path(number)); }

void TreeStore::remove_value_file(std::uint64_t number) {
  {
    const std::lock_guard lock{value_files_mutex_};
    value_files_.erase(number);
  }
  remove_file(value_path(number));
}

// The edit that was to name a new table, or to forget an old one, may be in the manifest although it could
// not be made sure: a start that finds it there needs the file. Those that it does not need are strays to it.
void TreeStore::remove_file(const std::string& path) {
  if (manifest_->in_doubt()) return;
  static_cast<void>(files_.remove(path).has_value());
  static_cast<void>(files_.remove(path + std::string{kTemporarySuffix}).has_value());
}

}  // namespace shale::engine::lsm
