// A large value's file, to be read. Holding one keeps the file.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "engine/engine.h"
#include "engine/io/file_system.h"
#include "engine/large/large_value_format.h"
#include "engine/result.h"

namespace shale::engine {

// Shared by all who read the value; thread-safe. The file is opened when somebody wants to read it, and
// closed with the last of them.
class LargeValue {
 public:
  LargeValue(FileSystem& files, std::string path, std::uint64_t id)
      : files_(files), path_(std::move(path)), id_(id) {}
  LargeValue(const LargeValue&) = delete;
  LargeValue& operator=(const LargeValue&) = delete;

  std::uint64_t id() const { return id_; }
  const std::string& path() const { return path_; }

  // Opens the file and reads what stands behind the value; waits for the disk. Once is enough. Errors: io,
  // corruption, unsupported; they stay until the value is forgotten.
  Status open();
  // What open() has said, or that of a chunk which was found damaged since; nothing as long as nobody has
  // called it. Does not wait.
  std::optional<Status> state() const;
  // Whether this is the file that `reference` means. Call it when open() has succeeded. Error: corruption.
  Status check(const LargeValueReference& reference) const;
  const LargeValueTrailer& trailer() const { return trailer_; }  // when open() has succeeded
  std::uint64_t file_bytes() const { return file_bytes_; }       // likewise

  // Reads and checks one chunk; waits for the disk. `into` is as long as the chunk is. Call it when open()
  // has succeeded. Errors: io, corruption.
  Status read_chunk(std::uint64_t number, std::span<char> into) const;
  std::size_t chunk_bytes(std::uint64_t number) const;
  // Tells the kernel that nothing of the file will be read again soon.
  void drop_page_cache() const { file_->drop_cache(0, file_bytes_); }

 private:
  Status read_trailer();
  Error damaged(std::uint64_t offset, std::string_view what) const;

  FileSystem& files_;
  const std::string path_;
  const std::uint64_t id_;
  std::mutex opening_;
  std::unique_ptr<File> file_;  // these three do not change once opened_
  LargeValueTrailer trailer_;
  std::uint64_t file_bytes_ = 0;
  std::atomic<bool> opened_ = false;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::optional<Error> error_;
};

// Opens one in the background.
class LargeValueOpening final : public Load {
 public:
  explicit LargeValueOpening(std::shared_ptr<LargeValue> value) : value_(std::move(value)) {}
  void run() override { static_cast<void>(value_->open().has_value()); }  // state() tells

 private:
  const std::shared_ptr<LargeValue> value_;
};

// Checks the whole file; waits for the disk. Errors: what is wrong first.
Status verify_large_value(LargeValue& value);

}  // namespace shale::engine
