// What the commands of a thread tell others of: subscribers of keyspace notifications, clients that cache
// keys (CLIENT TRACKING), and monitors. The dispatcher says what happens, in this order for each command:
//
//   begin_command, then committed if it has written, then answered;
//   or begin_command, then dropped if it has failed or will be run again
//
// and, when a run of commands has released its locks and before anything of its replies is sent, deliver.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/transaction.h"
#include "src/command/spec.h"
#include "src/key_events.h"
#include "src/session.h"

namespace shale::server {

class Server;

// Not thread-safe.
class CommandEffects {
 public:
  explicit CommandEffects(Server& server) : server_(server) {}

  KeyEvents& events() { return events_; }

  void begin_command();
  void dropped() { events_.drop_command(); }
  // All commands since the last delivery have not happened: those of a transaction that is given up, or begun
  // again.
  void all_dropped();
  // The transaction has been committed; its keys' locks are held.
  void committed(const cluster::Transaction& transaction, const cluster::ShardLocks& locks,
                 const Session& session);
  // The command, whose words are given, has run; the locks of its keys (`key_count` of them in `locks`, from
  // `first_key` on) are held.
  void answered(Session& session, const CommandSpec& command, std::span<const std::string_view> words,
                const cluster::ShardLocks& locks, std::size_t first_key, std::size_t key_count);
  // The two halves of answered(), for a command of a transaction. What it has read is noted when it runs,
  // under the locks of its keys and before the commit; noting it twice does no harm. But what `within` has
  // written by then is noted behind the commit: the client has read the new value.
  void has_read(Session& session, const CommandSpec& command, const cluster::ShardLocks& locks,
                std::size_t first_key, std::size_t key_count, const cluster::Transaction* within = nullptr);
  // It is shown to monitors once, when the transaction has happened.
  void show(Session& session, const CommandSpec& command, std::span<const std::string_view> words);

  // Without any shard's lock. False if those who are told have not caught up with what they were told before:
  // the client should make a pause.
  bool deliver(const Session& session);

 private:
  void note_reads_of_writes(const cluster::Transaction& transaction, const cluster::ShardLocks& locks,
                            const Session& session, bool written_again);
  void note_reads(Session& session, const cluster::ShardLocks& locks, std::size_t first_key,
                  std::size_t key_count, const cluster::Transaction* within);

  Server& server_;
  KeyEvents events_;
  std::vector<std::string> written_keys_;  // by the run, if there are clients to be told of all of them
  // What a transaction has read of its own writes: of which key, when it had made so many writes.
  struct ReadOfWrite {
    std::size_t key;
    std::size_t writes_before;
  };
  std::vector<ReadOfWrite> reads_of_writes_;
  bool has_emptied_databases_ = false;  // likewise
  bool has_told_ = false;               // something already, in this run
};

}  // namespace shale::server
