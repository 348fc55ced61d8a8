// A walk over many keys of a database for one command: begun on the client's thread; what is long, or not in
// memory, goes on in the background, in pieces, so that no shard is locked for long and no thread waits.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/store.h"
#include "engine/engine.h"
#include "src/keyspace_walk.h"
#include "src/scan_cursor.h"

namespace shale::server {

// Used by one thread at a time: the client's, and as a Load the background's.
class KeyWalk : public engine::Load {
 public:
  // The keys of `database` from `from` on, or of those the ones in `only`; as the transaction `within` sees
  // them, if it is not null. Then begin() is all that is called, and what is not in memory is noted in the
  // transaction's reads.
  KeyWalk(cluster::Store& store, unsigned database, std::int64_t now_ms, ScanPlace from,
          std::optional<TokenPrefix> only = std::nullopt, cluster::Transaction* within = nullptr)
      : store_(store),
        database_(database),
        now_ms_(now_ms),
        next_(std::move(from)),
        only_(std::move(only)),
        within_(within) {}

  // Walks at most so many pieces. Waits for nothing: it ends before what is not in memory.
  void begin(std::size_t pieces_max);
  // Goes on, and waits for the disk.
  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }

  const engine::Status& status() const { return status_; }  // once done; errors: corruption, io

 protected:
  // As VisitKey; false: no more are wanted.
  virtual bool visit(BytesView key, const Value& value) = 0;

 private:
  engine::Status walk_piece();
  void load_missing();
  void finish(engine::Status status);

  cluster::Store& store_;
  const unsigned database_;
  const std::int64_t now_ms_;
  std::optional<ScanPlace> next_;  // nothing: all has been walked
  const std::optional<TokenPrefix> only_;
  cluster::Transaction* const within_;
  engine::ReadContext reads_;
  std::vector<std::shared_ptr<engine::Load>> loads_;  // held until the walk has come past them
  engine::Status status_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::server
