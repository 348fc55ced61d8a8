#include "src/pubsub/key_event_messages.h"

#include <fmt/format.h>

#include <string>

namespace shale::server {

void publish(const KeyEvents::Event& event, std::uint32_t classes, PubSub& pubsub) {
  const auto wanted = [classes](KeyEventClass kind) {
    return (classes & static_cast<std::uint32_t>(kind)) != 0;
  };
  if (!wanted(event.kind)) return;
  if (wanted(KeyEventClass::keyspace)) {
    std::string channel = fmt::format("__keyspace@{}__:", event.database);
    channel.append(event.key);
    pubsub.publish(channel, event.name);
  }
  if (wanted(KeyEventClass::keyevent)) {
    pubsub.publish(fmt::format("__keyevent@{}__:{}", event.database, event.name), event.key);
  }
}

}  // namespace shale::server
