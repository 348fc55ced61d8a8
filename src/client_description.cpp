#include "src/client_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "src/command/table.h"
#include "src/memory_budget.h"

namespace shale::server {
namespace {

std::int64_t seconds_since(std::int64_t then_ms, std::int64_t now_ms) {
  return std::max<std::int64_t>(0, (now_ms - then_ms) / 1000);
}

std::string last_command_name(const Session& session) {
  const CommandSpec* command = session.last_command.load(std::memory_order_relaxed);
  return command == nullptr ? "NULL" : full_name(*command);
}

}  // namespace

std::string describe_client(Session& session, std::int64_t now_ms) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const std::uint64_t input_bytes = session.input_buffer_bytes.load(kRelaxed);
  const std::uint64_t output_bytes = session.output_buffer_bytes.load(kRelaxed);
  const std::int64_t active_at_ms =
      std::max(session.connected_at_ms, session.last_command_at_ms.load(kRelaxed));
  const std::lock_guard lock(session.shown_mutex);
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags=N db={} sub=0 psub=0 ssub=0 multi=-1 "
      "watch=0 "
      "qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem={} events=r cmd={} "
      "user={} redir=-1 resp={} lib-name={} lib-ver={}",
      session.id, session.address, session.local_address, session.descriptor, session.name,
      seconds_since(session.connected_at_ms, now_ms), seconds_since(active_at_ms, now_ms),
      session.database.load(kRelaxed), input_bytes, output_bytes,
      kIdleClientBytes + input_bytes + output_bytes, last_command_name(session), session.user,
      session.shown_protocol.load(kRelaxed), session.library_name, session.library_version);
}

}  // namespace shale::server
