#include "src/commands/authentication.h"

#include <algorithm>
#include <mutex>

#include "src/config.h"
#include "src/server.h"

namespace shale::server {
namespace {

// The number of steps depends on `given` alone.
bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  volatile std::size_t difference = given.size() ^ secret.size();
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference = difference | static_cast<unsigned char>(given[i] ^ expected);
  }
  return difference == 0;
}

}  // namespace

bool password_is_right(CommandContext& context, std::string_view user, std::string_view password) {
  if (user != "default") return false;
  const Config& config = context.server.config();
  return !config.password_required() || equal_in_constant_time(password, config.text(Option::requirepass));
}

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
