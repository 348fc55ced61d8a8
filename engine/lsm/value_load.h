// A value on its way from its value file, and how the reads that want it find each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "engine/engine.h"
#include "engine/lsm/block.h"
#include "engine/result.h"

namespace shale::engine::lsm {

class ValueFile;

// Several commands may hold one and run it; the first to come reads, the others wait for it.
class ValueLoad final : public Load {
 public:
  ValueLoad(std::shared_ptr<const ValueFile> file, std::uint64_t offset, std::uint64_t record_bytes);
  ~ValueLoad() override;

  void run() override;

  // The record, or what went wrong with it; nothing as long as run() is not through.
  std::optional<Result<BlockHandle>> outcome() const;

 private:
  Result<BlockHandle> read() const;

  const std::shared_ptr<const ValueFile> file_;
  const std::uint64_t offset_;
  const std::uint64_t record_bytes_;
  std::mutex running_;  // held by the one that reads
  std::atomic<bool> is_done_ = false;
  Result<BlockHandle> outcome_{BlockHandle{}};  // not changed once is_done_
};

// The loads of one value file that somebody keeps. Thread-safe.
class ValueLoadRegistry {
 public:
  // The load of the record at `offset`, or null.
  std::shared_ptr<ValueLoad> find(std::uint64_t offset) const;
  // The same, made if there is none.
  std::shared_ptr<ValueLoad> find_or_make(const ValueFile& file, std::uint64_t offset,
                                          std::uint64_t record_bytes);

 private:
  friend class ValueLoad;
  void forget_expired(std::uint64_t offset);

  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::weak_ptr<ValueLoad>>
      loads_;  // by offset; bounded by what commands hold
};

}  // namespace shale::engine::lsm
