#include "engine/btree/tree_store.h"

#include <algorithm>

#include "engine/btree/index_loader.h"
#include "engine/btree/tree.h"

namespace shale::engine::btree {

Result<std::unique_ptr<TreeStore>> TreeStore::open(FileSystem& files, Background& background,
                                                   const TreeStoreOptions& options,
                                                   const std::optional<std::set<std::uint32_t>>& trees) {
  std::unique_ptr<TreeStore> store{new TreeStore(files, background, options)};
  if (auto loaded = store->load(trees); !loaded) return loaded.error();
  return store;
}

Status TreeStore::load(const std::optional<std::set<std::uint32_t>>& trees) {
  auto file = PageFile::open(files_, options_.folder, options_.on_damage);
  if (!file) return file.error();
  file_ = std::move(*file);
  if (options_.deletion_age_max.count() != 0) file_->wipe_released();
  if (trees) file_->keep_only(*trees);
  for (const auto& [id, state] : file_->directory()) {
    if (!state.root.exists()) continue;
    auto root = load_index(*file_, state.root, *options_.policy);
    if (!root) return root.error();
    loaded_.emplace(id, std::move(*root));
  }
  return file_->finish_opening();
}

std::shared_ptr<Engine> TreeStore::open_tree(std::uint32_t id, std::mutex& owner) {
  Directory directory = file_->directory();
  InnerNode::Ref root = std::move(loaded_[id]);
  loaded_.erase(id);
  return std::make_shared<Tree>(*this, id, owner, directory[id], std::move(root));
}

Status TreeStore::drop_tree(Engine& engine) {
  auto& tree = static_cast<Tree&>(engine);
  if (auto dropped = file_->drop(tree.id()); !dropped) return dropped;
  for (const PageAddress& page : tree.take_pages()) file_->release(page.offset, page.bytes);
  file_->cut_tail();
  return {};
}

void TreeStore::set_memory(std::uint64_t changes_bytes, std::uint64_t pool_bytes) {
  changes_bytes_max_.store(changes_bytes, std::memory_order_relaxed);
  pool_.set_shares(pool_bytes, changes_bytes);
  if (pool_.is_exceeded()) relieve_pool();
}

void TreeStore::add_tree(Tree& tree) {
  const std::lock_guard lock{mutex_};
  trees_.push_back(&tree);
}

void TreeStore::remove_tree(Tree& tree) {
  failed_checkpoints_.forget(tree);
  const std::lock_guard lock{mutex_};
  std::erase(trees_, &tree);
}

double TreeStore::pressure() const {
  const auto budget = static_cast<double>(changes_bytes_max());
  return std::max(0.0, static_cast<double>(changed_bytes()) / budget - 0.75) * 4;
}

std::chrono::microseconds TreeStore::write_pause(std::uint64_t bytes) {
  const double behind = pressure();
  if (behind <= 0) return std::chrono::microseconds{0};
  const std::lock_guard lock{mutex_};
  return throttle_.pause_for(bytes, behind, now());
}

void TreeStore::note_drained(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  throttle_.note_drained(bytes, pressure(), now());
}

// Null if there is none, or if it is just going.
template <class Measure>
std::shared_ptr<Tree> TreeStore::largest(Measure measure) const {
  const std::lock_guard lock{mutex_};
  const auto most = std::ranges::max_element(trees_, {}, [&](const Tree* tree) { return measure(*tree); });
  return most == trees_.end() ? nullptr : (*most)->weak_from_this().lock();
}

void TreeStore::relieve_changes() {
  if (changes_relief_running_.exchange(true)) return;
  background_.submit(Priority::flush, [this] {
    changes_relief_running_ = false;
    const auto tree = largest([](const Tree& candidate) { return candidate.changed_bytes(); });
    if (tree != nullptr && wants_checkpoint()) tree->relieve_changes();
  });
}

void TreeStore::relieve_pool() {
  if (pool_relief_running_.exchange(true)) return;
  background_.submit(Priority::flush, [this] {
    pool_relief_running_ = false;
    const auto tree = largest([](const Tree& candidate) { return candidate.pool_bytes(); });
    if (tree != nullptr) tree->relieve_pool();
  });
}

// What nodes and checkpoints need is not the records' to take.
std::uint64_t TreeStore::record_cache_bytes() const {
  const std::uint64_t reserved = MemoryUse::bytes(MemoryKind::nodes) + 2 * sync_bytes();
  const std::uint64_t share = pool_.share_bytes();
  const std::uint64_t all = (share - std::min(share, reserved)) * options_.record_cache_percent / 100;
  const std::lock_guard lock{mutex_};
  return all / std::max<std::size_t>(1, trees_.size());
}

void TreeStore::wipe_when_due() {
  constexpr std::int64_t kParts = 16;  // two of them are the longest that something stays
  const std::int64_t age_max_ms = options_.deletion_age_max.count();
  const std::int64_t now_ms = options_.clock->unix_ms();
  if (age_max_ms == 0 || now_ms < next_wipe_ms_ || wipe_running_.exchange(true)) return;
  next_wipe_ms_ = now_ms + age_max_ms / kParts;
  background_.submit(Priority::deep_compaction, [this] {
    static_cast<void>(
        file_->wipe().has_value());  // what failed is tried again, or the file is of no more use
    wipe_running_ = false;
  });
}

std::uint64_t TreeStore::pool_share() const {
  const std::lock_guard lock{mutex_};
  return pool_.capacity_bytes() / std::max<std::size_t>(1, trees_.size());
}

}  // namespace shale::engine::btree
