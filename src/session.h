// What the server remembers about one client between its commands. Lives on the connection's I/O thread; what
// other threads show of it (CLIENT LIST) is atomic or under `shown_mutex`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "engine/bytes.h"
#include "protocol/reply_writer.h"
#include "src/acl/users.h"
#include "src/client_buffers.h"
#include "src/pubsub/channel.h"

namespace shale::server::acl {
class FileJob;
}

namespace shale::cluster {
class ReshapeJob;
struct BackupMade;
template <class Outcome>
class BackgroundJob;
}  // namespace shale::cluster

namespace shale::server {

class ClientTransaction;
class Migration;
class Subscriptions;
class TrackedClient;
struct CommandSpec;
struct ThreadCounters;

enum class ReplyMode : std::uint8_t { on, off, skip_next, skip_this };

struct Session {
  Session();
  ~Session();

  // Constant after the connection was accepted.
  std::uint64_t id = 0;
  std::string address;  // peer, as CLIENT LIST shows it: "127.0.0.1:50312", "[::1]:50312", "/path.sock:0"
  std::string local_address;  // ours, likewise
  int descriptor = -1;
  std::int64_t connected_at_ms = 0;             // Unix milliseconds
  ThreadCounters* counters = nullptr;           // of the connection's thread; for that thread
  Subscriber subscriber;                        // the connection, as a receiver of pushes
  ClientBuffersOwner* buffers_owner = nullptr;  // the connection, for its thread; null if there is none

  // Used by the connection's thread only.
  protocol::Version protocol_version = protocol::Version::resp2;
  bool authenticated = false;
  acl::SessionUser identity;
  ReplyMode reply_mode = ReplyMode::on;
  engine::Lsn last_write_lsn = 0;                    // for WAITAOF
  std::shared_ptr<cluster::ReshapeJob> reshape_job;  // that the client waits for (SPLIT, MERGE)
  std::shared_ptr<acl::FileJob> acl_file_job;        // likewise (ACL LOAD, ACL SAVE)
  std::shared_ptr<cluster::BackgroundJob<cluster::BackupMade>> backup_job;  // likewise (SAVE)
  std::shared_ptr<Migration> migration;                                     // likewise (MIGRATE)
  bool close_after_reply = false;                                           // QUIT, CLIENT KILL of oneself
  std::unique_ptr<Subscriptions> subscriptions;  // null for clients that have never subscribed
  bool caching_given = false;                    // CLIENT CACHING, for the next command

  // CLIENT TRACKING; null if it is off. Changed by the connection's thread, under shown_mutex; others read it
  // under that.
  std::shared_ptr<TrackedClient> tracked;

  // Whether it is sent pushes, so that what it does itself has to be answered before it is told of it. On its
  // thread.
  bool listens() const {
    return is_subscribed() || tracked != nullptr || is_monitor.load(std::memory_order_relaxed);
  }
  // Any thread.
  bool is_subscribed() const { return !subscription_counts.empty(); }

  // MULTI and WATCH. What others show of them:
  std::atomic<int> queued_commands = -1;  // -1: no transaction is open
  std::atomic<std::size_t> queued_bytes = 0;
  std::atomic<std::size_t> watched_keys = 0;
  std::atomic<bool> watched_key_changed = false;  // set by whoever changes one
  // Null for clients that use neither. For the connection's thread. Behind what it refers to.
  std::unique_ptr<ClientTransaction> transaction;

  // Whether it waits for what its command waits for, or for the end of a pause. Each wait has a number; that
  // of one which CLIENT UNBLOCK or the end of the pause ends stands here, else 0. Set by the connection's
  // thread; whoever sets it to 0 ends the wait.
  std::atomic<bool> is_blocked = false;
  std::atomic<std::uint64_t> unblockable_wait = 0;
  std::atomic<std::uint64_t> postponed_wait = 0;

  // Written by the connection's thread, shown by others.
  std::atomic<unsigned> database = 0;
  std::atomic<std::int64_t> last_command_at_ms = 0;
  std::atomic<const CommandSpec*> last_command = nullptr;
  std::atomic<std::uint64_t> commands_total = 0;
  std::atomic<std::uint64_t> bytes_in = 0;
  std::atomic<std::uint64_t> bytes_out = 0;
  ClientBuffers buffers;
  SubscriptionCounts subscription_counts;
  std::atomic<bool> is_monitor = false;
  std::atomic<bool> no_evict = false;
  std::atomic<bool> no_touch = false;
  std::atomic<int> shown_protocol = 2;

  mutable std::mutex shown_mutex;  // guards the strings below
  std::string name;
  std::string library_name;
  std::string library_version;
  std::string user{acl::kDefaultUser};  // the identity's name
};

}  // namespace shale::server
