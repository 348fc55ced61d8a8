// Blocks of a table on their way from the disk, and how the reads that want them find each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/lsm/block.h"
#include "engine/result.h"

namespace shale::engine::lsm {

class Table;

// Neighbouring blocks, read at once. Several commands may hold one and run it; the first to come reads, the
// others wait for it.
class TableLoad final : public Load {
 public:
  TableLoad(std::shared_ptr<const Table> table, std::uint32_t first_block, std::uint32_t block_count);
  ~TableLoad() override;

  void run() override;
  void announce() override;

  // The block, or what went wrong with it; nothing as long as run() is not through.
  std::optional<Result<BlockHandle>> outcome(std::uint32_t block_index) const;

 private:
  void read();

  const std::shared_ptr<const Table> table_;
  const std::uint32_t first_block_;
  std::mutex running_;  // held by the one that reads
  std::atomic<bool> is_done_ = false;
  std::vector<Result<BlockHandle>> outcomes_;  // one per block; not changed once is_done_
};

// The loads of one table that somebody keeps. Thread-safe.
class TableLoadRegistry {
 public:
  // The load that covers this block, or null.
  std::shared_ptr<TableLoad> find(std::uint32_t block_index) const;
  // The one that covers `wanted`, made if there is none. A new one covers neighbours in [first, end), up to
  // those that another load covers.
  std::shared_ptr<TableLoad> find_or_make(const Table& table, std::uint32_t wanted, std::uint32_t first,
                                          std::uint32_t end);

 private:
  friend class TableLoad;
  bool is_covered(std::uint32_t block) const;  // requires mutex_
  void forget_expired(std::uint32_t first_block, std::uint32_t block_count);

  std::atomic<bool> is_empty_ = true;  // so that nobody takes the lock for nothing; changes under it
  mutable std::mutex mutex_;
  std::unordered_map<std::uint32_t, std::weak_ptr<TableLoad>>
      loads_;  // by block; bounded by what commands hold
};

}  // namespace shale::engine::lsm
