// A large value that is being written, before any key refers to it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/io/file_system.h"
#include "engine/large/large_value_format.h"
#include "engine/result.h"

namespace shale::engine {

class LargeValueStore;

// The file is made by the first append(), and goes with the object unless the value has been committed
// (LargeValueStore::commit). append() and finish() wait for the disk and are called by one thread at a time.
class StagedLargeValue {
 public:
  // `value_bytes`, at least 1: what will be appended in all. Made by LargeValueStore::stage.
  StagedLargeValue(LargeValueStore& store, std::uint64_t id, std::uint64_t value_bytes);
  ~StagedLargeValue();
  StagedLargeValue(const StagedLargeValue&) = delete;
  StagedLargeValue& operator=(const StagedLargeValue&) = delete;

  std::uint64_t value_bytes() const { return value_bytes_; }

  // Appends bytes of the value. After an error the file is gone, and all further calls return that error.
  Status append(BytesView bytes);
  // When all has been appended: makes the value durable, as one of `key`. Called again with another key of
  // the same length, it becomes that key's.
  Status finish(BytesView key);
  // Reads bytes that have been appended.
  Status read(std::uint64_t offset, std::span<char> into) const;

  // Thread-safe; do not wait.
  bool is_finished_for(BytesView key) const;
  Status status() const;                  // success, or the error that ended it
  LargeValueReference reference() const;  // once finished

 private:
  friend class LargeValueStore;

  Status create();
  Status write(BytesView bytes);
  Status write_trailer(BytesView key);
  Status give_up(Status failed);

  std::optional<LargeChunkHash> chunk_;  // being appended; first, since it lies on a cache line
  LargeValueStore& store_;
  const std::uint64_t value_bytes_;
  LargeValueTrailer trailer_;  // of what has been appended so far
  std::unique_ptr<File> file_;
  std::uint64_t written_bytes_ = 0;
  std::uint64_t synced_bytes_ = 0;
  bool named_ = false;      // the file has its final name
  bool committed_ = false;  // a key refers to it

  mutable std::mutex mutex_;  // guards what follows
  std::optional<Error> error_;
  std::optional<Bytes> finished_for_;
};

// Finishes one in the background.
class LargeValueFinish final : public Load {
 public:
  LargeValueFinish(std::shared_ptr<StagedLargeValue> staged, BytesView key)
      : staged_(std::move(staged)), key_(key) {}
  void run() override { static_cast<void>(staged_->finish(key_).has_value()); }  // status() tells

 private:
  const std::shared_ptr<StagedLargeValue> staged_;
  const Bytes key_;
};

}  // namespace shale::engine
