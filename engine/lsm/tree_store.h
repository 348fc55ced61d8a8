// What all LSM trees of a process share: the folder of table files, the manifest, the block cache, background
// threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "engine/failed_flushes.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/lsm/block_cache.h"
#include "engine/lsm/compression.h"
#include "engine/lsm/manifest.h"
#include "engine/lsm/memtable_budget.h"
#include "engine/lsm/shape.h"
#include "engine/lsm/table_builder.h"
#include "engine/lsm/tree_snapshot.h"
#include "engine/lsm/value_file_writer.h"
#include "engine/lsm/version.h"
#include "engine/lsm/work_meter.h"
#include "engine/lsm/write_throttle.h"

namespace shale::engine::lsm {

class Tree;

// How compaction chooses its shape (shape.h): by what it measures, or always the same.
enum class CompactionMode : std::uint8_t { adaptive, leveled, tiered };

struct TreeStoreOptions {
  std::string folder;
  // Of all trees together: active memtables and those waiting for their flush (memtable_budget.h).
  std::uint64_t memtable_bytes = 32u << 20;
  std::uint64_t block_cache_bytes = 32u << 20;  // of all trees together
  std::uint64_t record_cache_bytes = 4u << 20;  // of one tree
  std::uint32_t block_bytes = 4096;
  double filter_bits_per_key = 10;  // on average: young levels get more, the last one a little less
  Compression compression = Compression::lz4;  // below level 0, whose tables are soon rewritten
  // Called with a line that names the file whenever a table is found damaged, from any thread; may be empty.
  std::function<void(const std::string& line)> on_damage;
  // At what size tables are cut, and about how much one compaction reads; 0: as the memtables' size asks for.
  std::uint64_t table_bytes = 0;
  std::uint64_t compaction_job_bytes = 0;
  // Values from this size on are written to value files, where they make up a good part of a flush; 0: never.
  std::uint32_t value_separation_bytes = 4096;
  CompactionMode compaction_mode = CompactionMode::adaptive;
  // How long what is deleted or has expired may take space, while the store is open; 0: for ever.
  std::chrono::milliseconds deletion_age_max{0};
  // Of compaction while nobody writes (work_meter.h); 0: compaction is not metered.
  std::uint64_t idle_work_bytes_per_second = 0;
  const KeyPolicy* policy = nullptr;  // required; outlives the store, as do
  LogBarrier* barrier = nullptr;      // required
  const Clock* clock = nullptr;       // required
};

// Thread-safe. The Background must be stopped before this is destroyed, and all trees must be gone.
class TreeStore {
 public:
  // Opens every table that the manifest names, and removes files that it does not. Waits for the disk. A
  // table that is damaged or missing does not stop the others: reads of its keys say what is wrong with it.
  // Errors: io, no_space, corruption (of the manifest), unsupported.
  static Result<std::unique_ptr<TreeStore>> open(FileSystem& files, Background& background,
                                                 const TreeStoreOptions& options);

  // The tree of that number as the manifest has it, or an empty one. `owner` is the mutex under which all its
  // calls will be made; it must outlive the tree.
  std::shared_ptr<Engine> open_tree(std::uint32_t id, std::mutex& owner);
  // At start, before any other: forgets the trees that are not among `ids`, and removes what only they had.
  Status drop_trees_except(const std::set<std::uint32_t>& ids);
  // Forgets a tree of this store whose work has stopped (Engine::work_stopped), and removes what only it has.
  // Waits for the disk; without the owner's mutex. Nobody may write to it any more; reads that have begun
  // come to their end.
  Status drop_tree(Engine& tree);

  // A tree that has not been there, durably, of tables that other trees have. Its work is stopped
  // (Engine::stop_work).
  struct NewTree {
    Lsn persisted_lsn = 0;
    Shape shape;
  };
  Result<std::shared_ptr<Tree>> make_tree(std::uint32_t id, std::mutex& owner, const NewTree& made,
                                          const std::vector<TableRef>& tables);
  // Undoes that, as far as the disk allows; a tree that no catalog names goes at the next start.
  void forget_new(Tree& tree);

  // What the trees of these numbers have made durable: each as it is at a moment of its own. Takes their
  // owners' mutexes, one after the other. Error{stopped}: one of them is not there.
  Result<TreeSnapshots> snapshot(const std::set<std::uint32_t>& ids);

  // A table's file in the folder, and the number in such a name, if it is one.
  static std::string table_name(std::uint64_t number);
  static std::optional<std::uint64_t> table_number(const std::string& name);
  static std::string value_file_name(std::uint64_t number);

  const TreeStoreOptions& options() const { return options_; }
  Background& background() { return background_; }
  Manifest& manifest() { return *manifest_; }
  BlockCache& block_cache() { return block_cache_; }
  MemtableBudget& memtables() { return memtables_; }
  WorkMeter& work_meter() { return work_meter_; }
  // As TreeStoreOptions has them at first; trees follow within a second.
  void set_memory(std::uint64_t memtable_bytes, std::uint64_t block_cache_bytes,
                  std::uint64_t record_cache_bytes);
  std::uint64_t record_cache_bytes() const { return record_cache_bytes_.load(std::memory_order_relaxed); }
  std::chrono::steady_clock::time_point now() const { return options_.clock->now(); }
  std::int64_t unix_ms() const { return options_.clock->unix_ms(); }

  // Has the tree with the largest active memtable flushed, in the background.
  void relieve_memtables();
  FailedFlushes& failed_flushes() { return failed_flushes_; }
  // Has the trees whose flush has met a full disk try again, in the background.
  void retry_failed_flushes();
  // A flush has made `bytes` of user data durable.
  void note_flushed(std::uint64_t bytes);
  // What a writer owes to flushes: WriteThrottle::pause_for under the pressure of the memtables.
  std::chrono::microseconds flush_pause(std::uint64_t bytes);
  // Trees that are there, by their own word.
  void add_tree(Tree& tree);
  void remove_tree(Tree& tree);

  // A table in the making: under a temporary name until close_table().
  struct NewTable {
    std::uint64_t number;
    std::unique_ptr<TableBuilder> builder;
  };
  // `tombstones_since_ms`: TableBuilderOptions.
  Result<NewTable> create_table(std::uint32_t level, std::int64_t tombstones_since_ms);
  // Finishes the file and gives it its name (durable after sync_tables()). Returns what it says of itself,
  // with its smallest and its largest key as they are.
  Result<TableProperties> close_table(NewTable table);
  // Opens a table that close_table() has finished: the slice that is all of it, and claims nothing outside
  // [not_before, not_from), where all its keys are. The value files that it refers to must be there.
  Result<TableRef> open_new_table(std::uint64_t number, std::uint32_t level, std::uint64_t run,
                                  BytesView not_before, std::optional<BytesView> not_from);
  Status sync_tables() { return files_.sync_folder(options_.folder); }
  // A value file in the making: under a temporary name until finish_value_file(), which gives it its name
  // (durable after sync_tables()) and opens it.
  struct NewValueFile {
    std::uint64_t number;
    std::unique_ptr<ValueFileWriter> writer;
  };
  Result<NewValueFile> create_value_file();
  Result<ValueFileRef> finish_value_file(NewValueFile file);
  // The value file with this number, which some table refers to; one for all who ask. Opened if nobody has
  // it; if that fails, one whose reads say why.
  ValueFileRef value_file(std::uint64_t number);
  void remove_value_file(std::uint64_t number);  // best effort, as below

  // For tables, value files and runs alike: never given twice, and higher than all before.
  std::uint64_t new_number() { return next_number_.fetch_add(1); }
  // At what size tables are cut, and about how much a compaction reads.
  std::uint64_t table_bytes() const;
  std::uint64_t compaction_job_bytes() const;
  // Whether a table written for one level is as one written for the other would be.
  bool may_move(std::uint32_t from_level, std::uint32_t to_level) const;
  void remove_table_file(std::uint64_t number);  // best effort: what is left over goes at the next start

 private:
  TreeStore(FileSystem& files, Background& background, const TreeStoreOptions& options);

  Status open_tables();
  Status remove_strays();
  // `value_files`: what the manifest says that its entries refer to.
  std::shared_ptr<const TableFile> open_table(std::uint64_t number,
                                              const std::vector<ValueFileUse>& value_files);
  Status forget(std::uint32_t id, const std::vector<TableRef>& tables);
  std::shared_ptr<const TableFile> hold(std::uint64_t number, Result<std::shared_ptr<const Table>> table,
                                        const std::vector<ValueFileUse>& value_files);
  void remove_file(const std::string& path);
  Compression compression_of(std::uint32_t level) const;
  double filter_bits_of(std::uint32_t level) const;
  std::string table_path(std::uint64_t number) const;
  std::string value_path(std::uint64_t number) const;

  FileSystem& files_;
  Background& background_;
  const TreeStoreOptions options_;
  BlockCache block_cache_;
  MemtableBudget memtables_;
  std::atomic<std::uint64_t> record_cache_bytes_;  // of one tree
  WorkMeter work_meter_;
  std::unique_ptr<Manifest> manifest_;
  std::atomic<std::uint64_t> next_number_ = 1;
  std::mutex value_files_mutex_;                                             // guards what follows
  std::map<std::uint64_t, std::weak_ptr<const LiveValueFile>> value_files_;  // by number, all that are open
  // Tables opened at start, per tree, until open_tree() takes them.
  std::map<std::uint32_t, std::vector<TableRef>> opened_;

  std::mutex mutex_;  // guards what follows; taken under trees' locks, never the other way round
  std::vector<Tree*> trees_;
  WriteThrottle flush_throttle_;
  std::atomic<bool> relief_running_ = false;
  std::atomic<bool> retry_running_ = false;
  FailedFlushes failed_flushes_;
};

}  // namespace shale::engine::lsm
