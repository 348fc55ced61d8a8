// One client's transaction between its commands: what it watches, and from MULTI on what it has queued. Used
// by the connection's thread. What CLIENT LIST shows of it is in the Session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "src/batch.h"
#include "src/session.h"
#include "src/watch_table.h"

namespace shale::server {

class ClientTransaction {
 public:
  // The session outlives it.
  ClientTransaction(Session& session, WatchTable& table)
      : session_(session), watches_(table, session.watched_key_changed) {}

  bool is_open() const { return is_open_; }
  void open();  // MULTI
  // As EXEC and DISCARD end it: closed, nothing queued, nothing watched.
  void discard();

  // A request of an open transaction was refused: EXEC will refuse the whole.
  void fail() { has_failed_ = true; }
  bool has_failed() const { return has_failed_; }

  // Copies a request, of which `arguments` begin at `first_index` of those that `large` counts. One of a
  // transaction that has failed is not kept: it will never run. False if more than `bytes_max` would be held.
  [[nodiscard]] bool queue(const ResolvedCommand& command, std::span<const std::string_view> arguments,
                           std::span<const ReceivedLargeArgument> large, std::size_t first_index,
                           std::size_t bytes_max);
  const Batch& queued() const { return queued_; }

  Watches& watches() { return watches_; }
  void show_watches();  // their number has changed

 private:
  void show_queue();

  Session& session_;
  bool is_open_ = false;
  bool has_failed_ = false;
  Batch queued_;  // its arguments point into blocks_
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t queued_bytes_ = 0;
  Watches watches_;
};

// The client's, made if it has none.
ClientTransaction& transaction_of(Session& session, WatchTable& table);

}  // namespace shale::server
