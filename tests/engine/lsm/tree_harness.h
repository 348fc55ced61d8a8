// A tree on a temporary folder with everything it needs, driven as its owner would: lock, admit, apply, load,
// retry.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/lsm/tree_store.h"
#include "tests/engine/test_policy.h"

namespace shale::engine::lsm {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "shale-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class TreeHarness {
 public:
  explicit TreeHarness(TreeStoreOptions options = {}) : options_(std::move(options)) {
    options_.folder = folder_.path() + "/lsm";
    options_.policy = &policy;
    options_.barrier = &barrier_;
    options_.clock = clock_.get();
    open();
  }
  ~TreeHarness() { close(); }

  void open() {
    background_ = make_thread_background(2, 2);
    auto store = TreeStore::open(*files_, *background_, options_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    tree_ = store_->open_tree(1, mutex_);
  }
  void close() {
    background_->stop();
    tree_.reset();
    store_.reset();
    background_.reset();
  }
  // Everything that was not flushed is gone, as after a kill without a log.
  void reopen() {
    close();
    open();
  }

  void put(BytesView key, BytesView value) {
    std::unique_lock lock{mutex_};
    admit(lock, key.size() + value.size());
    tree_->put(HashedKey{key}, value, ++lsn_);
  }
  void erase(BytesView key) {
    std::unique_lock lock{mutex_};
    admit(lock, key.size());
    tree_->erase(HashedKey{key}, ++lsn_);
  }
  std::optional<Bytes> get(BytesView key) {
    ReadContext context;
    for (;;) {
      {
        std::lock_guard lock{mutex_};
        context.pins.clear();
        const auto found = tree_->get(HashedKey{key}, context);
        if (found) return *found ? std::optional<Bytes>{**found} : std::nullopt;
        if (found.error().kind != ErrorKind::not_resident) {
          ADD_FAILURE() << found.error().message;
          return {};
        }
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // All keys from `from` on.
  std::map<Bytes, Bytes> scan(BytesView from = {}) {
    ReadContext context;
    for (;;) {
      {
        std::lock_guard lock{mutex_};
        std::map<Bytes, Bytes> found;
        if (walk(from, context, found)) return found;
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // Flushes what is in memory and waits until it is on disk.
  void flush() {
    for (;;) {
      {
        std::lock_guard lock{mutex_};
        if (!tree_->oldest_unpersisted_lsn()) return;
        tree_->flush();
      }
      std::this_thread::yield();
    }
  }
  // Waits until no compaction is due. After a reopening the first one is begun by a tick.
  void settle() {
    while (stats().debt_bytes > 0) {
      {
        std::lock_guard lock{mutex_};
        tree_->tick();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  EngineStats stats() {
    std::lock_guard lock{mutex_};
    return tree_->stats();
  }
  std::int64_t key_count(char count_class) {
    std::lock_guard lock{mutex_};
    return tree_->key_count(static_cast<std::uint8_t>(count_class));
  }
  Engine& tree() { return *tree_; }
  std::mutex& mutex() { return mutex_; }
  Lsn lsn() const { return lsn_; }
  const std::string& folder() const { return options_.folder; }

  TestPolicy policy;

 private:
  void admit(std::unique_lock<std::mutex>& lock, std::size_t bytes) {
    for (auto admitted = tree_->admit_write(bytes); !admitted; admitted = tree_->admit_write(bytes)) {
      ASSERT_EQ(admitted.error().kind, ErrorKind::busy) << admitted.error().message;
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds{200});
      lock.lock();
    }
  }
  bool walk(BytesView from, ReadContext& context, std::map<Bytes, Bytes>& found) {
    const auto cursor = tree_->cursor({}, context);
    Status moved = cursor->seek(from);
    bool has_all_values = true;
    while (moved && cursor->valid()) {
      const auto value = cursor->value();
      if (value) {
        found.emplace(cursor->key(), *value);
      } else if (value.error().kind == ErrorKind::not_resident) {
        has_all_values = false;  // goes on, so that all that lack are loaded at once
      } else {
        ADD_FAILURE() << value.error().message;
      }
      moved = cursor->next();
    }
    if (!moved && moved.error().kind != ErrorKind::not_resident) ADD_FAILURE() << moved.error().message;
    return moved.has_value() && has_all_values;
  }

  TemporaryFolder folder_;
  TreeStoreOptions options_;
  NoBarrier barrier_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::unique_ptr<Background> background_;
  std::mutex mutex_;
  std::unique_ptr<TreeStore> store_;
  std::shared_ptr<Engine> tree_;
  Lsn lsn_ = 0;
};

// Small enough that a test reaches several levels in a second.
inline TreeStoreOptions small_tree() {
  TreeStoreOptions options;
  options.memtable_bytes = 768u << 10;
  options.block_cache_bytes = 1u << 20;
  options.record_cache_bytes = 64u << 10;
  options.block_bytes = 1024;
  return options;
}

}  // namespace shale::engine::lsm
