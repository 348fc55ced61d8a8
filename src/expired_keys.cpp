#include "src/expired_keys.h"

#include <chrono>
#include <string_view>
#include <thread>

#include "src/pubsub/key_event_messages.h"
#include "src/server.h"

namespace shale::server {
namespace {

constexpr std::chrono::milliseconds kPause{1};
constexpr int kPausesMax = 1000;

}  // namespace

void tell_of_expired_key(Server& server, unsigned database, BytesView key) {
  for (int pauses = 0; server.pubsub().is_congested() && pauses < kPausesMax; ++pauses) {
    std::this_thread::sleep_for(kPause);
  }
  const auto classes = static_cast<std::uint32_t>(server.config().number(Option::notify_keyspace_events));
  if (classes != 0 && server.pubsub().has_listeners()) {
    publish({KeyEventClass::expired, database, "expired", key}, classes, server.pubsub());
  }
  Tracking& tracking = server.tracking();
  if (!tracking.any()) return;
  tracking.note_write(key, 0);
  const std::string_view name = key;
  if (tracking.broadcasts()) tracking.broadcast({&name, 1}, 0);
}

}  // namespace shale::server
