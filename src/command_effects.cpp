#include "src/command_effects.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "src/pubsub/key_event_messages.h"
#include "src/server.h"

namespace shale::server {
namespace {

std::int64_t unix_microseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

}  // namespace

void CommandEffects::begin_command() {
  events_.begin_command(static_cast<std::uint32_t>(server_.config().number(Option::notify_keyspace_events)));
}

void CommandEffects::committed(const cluster::Transaction& transaction, const cluster::ShardLocks& locks,
                               const Session& session) {
  Tracking& tracking = server_.tracking();
  // What those have read who track no longer stands in the table until it is written or flushed.
  if (!tracking.any() && tracking.key_count() == 0) [[likely]]
    return;
  has_told_ = true;
  has_emptied_databases_ |= transaction.empties_any();
  const bool broadcasts = tracking.broadcasts();
  note_reads_of_writes(transaction, locks, session, true);
  transaction.for_each_write([&](std::size_t key) {
    const std::string_view name = locks.name(key);
    tracking.note_write(name, session.id);
    if (broadcasts) written_keys_.emplace_back(name);
  });
  note_reads_of_writes(transaction, locks, session, false);
  reads_of_writes_.clear();
}

// Those of keys that the transaction has written to once more behind the read, or the others.
void CommandEffects::note_reads_of_writes(const cluster::Transaction& transaction,
                                          const cluster::ShardLocks& locks, const Session& session,
                                          bool written_again) {
  if (reads_of_writes_.empty()) return;
  std::unordered_map<std::size_t, std::size_t> writes_up_to_last;  // by key
  std::size_t writes = 0;
  transaction.for_each_write([&](std::size_t key) { writes_up_to_last[locks.first_of(key)] = ++writes; });
  for (const auto& [key, writes_before] : reads_of_writes_) {
    if ((writes_up_to_last[locks.first_of(key)] > writes_before) == written_again)
      server_.tracking().note_read(locks.name(key), session.tracked);
  }
}

void CommandEffects::answered(Session& session, const CommandSpec& command,
                              std::span<const std::string_view> words, const cluster::ShardLocks& locks,
                              std::size_t first_key, std::size_t key_count) {
  has_read(session, command, locks, first_key, key_count);
  show(session, command, words);
}

void CommandEffects::has_read(Session& session, const CommandSpec& command, const cluster::ShardLocks& locks,
                              std::size_t first_key, std::size_t key_count,
                              const cluster::Transaction* within) {
  if (!session.tracked) [[likely]]
    return;
  if (command.flags.has(CommandFlag::readonly)) note_reads(session, locks, first_key, key_count, within);
  // What CLIENT CACHING says is meant for the command behind it, or for the whole transaction.
  const bool in_transaction = session.queued_commands.load(std::memory_order_relaxed) >= 0;
  if (command.name != "caching" && !in_transaction) session.caching_given = false;
}

void CommandEffects::all_dropped() {
  events_.take_all([](const KeyEvents::Event&) {});
  reads_of_writes_.clear();
}

void CommandEffects::show(Session& session, const CommandSpec& command,
                          std::span<const std::string_view> words) {
  if (server_.monitors().any()) [[unlikely]] {
    has_told_ = true;
    server_.monitors().show(session, command, words, unix_microseconds());
  }
}

void CommandEffects::note_reads(Session& session, const cluster::ShardLocks& locks, std::size_t first_key,
                                std::size_t key_count, const cluster::Transaction* within) {
  const TrackingOptions& options = session.tracked->options();
  if (options.broadcast || (options.opt_in && !session.caching_given) ||
      (options.opt_out && session.caching_given)) {
    return;
  }
  for (std::size_t key = first_key; key < first_key + key_count; ++key) {
    if (within != nullptr && within->writes(key)) {
      reads_of_writes_.push_back({key, within->savepoint().writes});
    } else {
      server_.tracking().note_read(locks.name(key), session.tracked);
    }
  }
}

bool CommandEffects::deliver(const Session& session) {
  if (events_.empty() && !has_told_) [[likely]]
    return true;
  has_told_ = false;
  if (std::exchange(has_emptied_databases_, false)) server_.tracking().note_flush();
  if (server_.pubsub().has_listeners()) {
    const auto classes = static_cast<std::uint32_t>(server_.config().number(Option::notify_keyspace_events));
    events_.take_all([&](const KeyEvents::Event& event) { publish(event, classes, server_.pubsub()); });
  } else {
    events_.take_all([](const KeyEvents::Event&) {});
  }
  if (!written_keys_.empty()) {
    std::ranges::sort(written_keys_);
    const auto repeated = std::unique(written_keys_.begin(), written_keys_.end());
    const std::vector<std::string_view> keys(written_keys_.begin(), repeated);
    server_.tracking().broadcast(keys, session.id);
    written_keys_.clear();
  }
  return !server_.pubsub().is_congested();
}

}  // namespace shale::server
