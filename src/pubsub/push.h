// Pushes: what clients are sent without having asked for it there and then. Messages of channels,
// invalidations of keys that a client caches, lines of MONITOR. Encoded once, and shared by all who get it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace shale::server {

// As RESP3 has it. RESP2 differs in the first byte: '*' where this has '>'.
struct Push {
  std::string encoded;
};
using SharedPush = std::shared_ptr<const Push>;

SharedPush make_message(std::string_view channel, std::string_view payload);
SharedPush make_pattern_message(std::string_view pattern, std::string_view channel, std::string_view payload);
SharedPush make_shard_message(std::string_view channel, std::string_view payload);
// Keys that a client caches have changed; without any: all may have. The second is for clients with RESP2,
// who get it as a message of a channel.
SharedPush make_invalidation(std::span<const std::string_view> keys);
SharedPush make_invalidation_message(std::span<const std::string_view> keys);
// The client to which a RESP3 client redirects its invalidations has gone.
SharedPush make_broken_redirection(std::uint64_t client);
SharedPush make_line(std::string_view text);  // a simple string, for MONITOR

// Where pushes go: a connection. Called on its thread only.
class PushReceiver {
 public:
  // Queues it behind the replies that have been made; it is sent soon. Never ends the connection.
  virtual void push(const SharedPush& push) = 0;

 protected:
  ~PushReceiver() = default;
};

}  // namespace shale::server
