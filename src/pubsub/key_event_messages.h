// Keyspace notifications as messages of channels.
#pragma once

#include <cstdint>

#include "src/key_events.h"
#include "src/pubsub/pubsub.h"

namespace shale::server {

// Publishes the event in "__keyspace@<database>__:<key>" and "__keyevent@<database>__:<event>", in this
// order, as far as `classes` (the option's number) have them and the event. Any thread, without any shard's
// lock.
void publish(const KeyEvents::Event& event, std::uint32_t classes, PubSub& pubsub);

}  // namespace shale::server
