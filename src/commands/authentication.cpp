#include "src/commands/authentication.h"

#include <algorithm>
#include <mutex>

namespace shale::server {
bool is_client_attribute(std::string_view text) {
  return std::ranges::all_of(text, [](char byte) { return byte >= '!' && byte <= '~'; });
}

void set_client_name(Session& session, std::string_view name) {
  const std::lock_guard lock(session.shown_mutex);
  session.name = name;
}

void set_protocol(CommandContext& context, protocol::Version version) {
  context.session.protocol_version = version;
  context.session.shown_protocol.store(static_cast<int>(version), std::memory_order_relaxed);
  context.reply.set_version(version);
}

}  // namespace shale::server
