#include "src/client_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>

#include "src/command/table.h"
#include "src/tracking/tracked_client.h"

namespace shale::server {
namespace {

std::int64_t seconds_since(std::int64_t then_ms, std::int64_t now_ms) {
  return std::max<std::int64_t>(0, (now_ms - then_ms) / 1000);
}

std::string last_command_name(const Session& session) {
  const CommandSpec* command = session.last_command.load(std::memory_order_relaxed);
  return command == nullptr ? "NULL" : full_name(*command);
}

// Redis's letters in Redis's order. Under shown_mutex.
std::string flags_of(const Session& session) {
  std::string flags;
  if (session.is_monitor.load(std::memory_order_relaxed)) flags.push_back('O');
  if (session.is_subscribed()) flags.push_back('P');
  if (session.queued_commands.load(std::memory_order_relaxed) >= 0) flags.push_back('x');
  if (const TrackedClient* tracked = session.tracked.get()) {
    flags.push_back('t');
    if (tracked->redirection_is_broken()) flags.push_back('R');
    if (tracked->broadcasts()) flags.push_back('B');
  }
  if (session.is_blocked.load(std::memory_order_relaxed)) flags.push_back('b');
  if (session.watched_key_changed.load(std::memory_order_relaxed)) flags.push_back('d');
  if (session.address.starts_with('/')) flags.push_back('U');
  if (session.no_evict.load(std::memory_order_relaxed)) flags.push_back('e');
  if (session.no_touch.load(std::memory_order_relaxed)) flags.push_back('T');
  if (flags.empty()) flags.push_back('N');
  return flags;
}

}  // namespace

std::string describe_client(Session& session, std::int64_t now_ms) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const ClientBuffers& buffers = session.buffers;
  const std::uint64_t input_bytes = buffers.input_bytes.load(kRelaxed);
  const std::uint64_t unread_bytes = buffers.unread_input_bytes.load(kRelaxed);
  const std::uint64_t unsent_bytes = buffers.unsent_reply_bytes.load(kRelaxed);
  const std::uint64_t queued_output_bytes = buffers.queued_output_bytes.load(kRelaxed);
  const std::int64_t active_at_ms =
      std::max(session.connected_at_ms, session.last_command_at_ms.load(kRelaxed));
  const std::lock_guard lock(session.shown_mutex);
  const std::int64_t redirect = session.tracked ? static_cast<std::int64_t>(session.tracked->redirect()) : -1;
  const SubscriptionCounts& subscriptions = session.subscription_counts;
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={} "
      "watch={} "
      "qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={} rbp={} obl={} oll={} omem={} tot-mem={} "
      "events={} "
      "cmd={} "
      "user={} redir={} resp={} lib-name={} lib-ver={}",
      session.id, session.address, session.local_address, session.descriptor, session.name,
      seconds_since(session.connected_at_ms, now_ms), seconds_since(active_at_ms, now_ms), flags_of(session),
      session.database.load(kRelaxed), subscriptions.of(ChannelKind::channel),
      subscriptions.of(ChannelKind::pattern), subscriptions.of(ChannelKind::shard_channel),
      session.queued_commands.load(kRelaxed), session.watched_keys.load(kRelaxed), unread_bytes,
      input_bytes - std::min(unread_bytes, input_bytes), buffers.argument_bytes.load(kRelaxed),
      session.queued_bytes.load(kRelaxed), buffers.reply_bytes.load(kRelaxed),
      buffers.reply_bytes_peak.load(kRelaxed), unsent_bytes, buffers.queued_outputs.load(kRelaxed),
      queued_output_bytes, buffers.total_bytes.load(kRelaxed),
      unsent_bytes + queued_output_bytes == 0 ? "r" : "rw", last_command_name(session), session.user,
      redirect, session.shown_protocol.load(kRelaxed), session.library_name, session.library_version);
}

std::string describe_own_client(Session& session, std::int64_t now_ms) {
  if (session.buffers_owner != nullptr) session.buffers_owner->show_buffers();
  return describe_client(session, now_ms);
}

}  // namespace shale::server
