// A connection's pushes: queued behind the replies that there are, sent as the client reads them, and
// bounded: a client that does not read is disconnected, because nothing else would hold up those who publish.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "src/client_description.h"
#include "src/connection.h"

namespace shale::server {
namespace {

// What is handed to the socket at once.
constexpr std::size_t kChunkBytesMax = 64u << 10;
// A client may have so much in its queue even if all connections together have no memory left.
constexpr std::size_t kQueuedBytesMin = 64u << 10;

}  // namespace

void Connection::push(const SharedPush& push) {
  if (!open() || closing_) return;
  pushes_.add(push, output_.size(), session_->protocol_version);
  if (flush_pending_) return;
  flush_pending_ = true;
  thread_.flush_later(shared_from_this());
}

void Connection::flush_pushes() {
  flush_pending_ = false;
  if (!open()) return;
  send();
  if (!open()) return;
  count_memory();
  enforce_output_limits();
}

// Sends what comes next of those that belong here. False if the socket takes no more now.
bool Connection::send_pushes() {
  std::string& chunk = thread_.push_chunk();
  chunk.clear();
  pushes_.copy_to(chunk, sent_, kChunkBytesMax);
  const std::size_t count = send_bytes(chunk);
  if (!open()) return false;
  if (count != 0) active_second_ = thread_.second();
  pushes_.sent(count);
  if (count == chunk.size()) return true;
  wait_writable();
  return false;
}

void Connection::enforce_output_limits() {
  const auto exceeded = exceeded_output_limit();
  if (!exceeded) return;
  spdlog::warn("disconnecting a client that does not read what is sent to it: {}. {}", *exceeded,
               describe_own_client(*session_, thread_.server().store().clock().unix_ms()));
  thread_.counters().output_limit_disconnections.add();
  close();
}

// What a client's class allows, counting replies and pushes. Pushes alone are bounded by the class pubsub
// even if the client is a normal one (MONITOR, CLIENT TRACKING), whose limits are for replies, and by the
// memory of all connections.
std::optional<std::string> Connection::exceeded_output_limit() {
  if (has_sent_all()) {
    over_soft_limit_since_.reset();
    return std::nullopt;
  }
  const Config& config = thread_.server().config();
  const ClientClass own_class = session_->is_subscribed() ? ClientClass::pubsub : ClientClass::normal;
  OutputLimit limit = config.output_limit(own_class);
  std::size_t bytes = unsent_bytes() + pushes_.bytes();
  if (limit == OutputLimit{} && !pushes_.empty()) {
    limit = config.output_limit(ClientClass::pubsub);
    bytes = pushes_.bytes();
  }
  if (limit.hard_bytes != 0 && bytes >= limit.hard_bytes) {
    return fmt::format("{} bytes wait, client-output-buffer-limit allows {}", bytes, limit.hard_bytes);
  }
  // Half of the memory is left to those who publish, and to everybody else.
  const std::uint64_t reserve = thread_.server().memory_budget().connections / 2;
  if (pushes_.bytes() > kQueuedBytesMin && memory_is_short(reserve)) {
    return fmt::format("{} bytes of messages wait, and connections have no memory left", pushes_.bytes());
  }
  if (limit.soft_bytes == 0 || bytes < limit.soft_bytes) {
    over_soft_limit_since_.reset();
    return std::nullopt;
  }
  if (!over_soft_limit_since_) over_soft_limit_since_ = thread_.second();
  const std::uint64_t seconds = thread_.second() - *over_soft_limit_since_;
  if (seconds <= limit.soft_seconds) return std::nullopt;
  return fmt::format("{} bytes wait, client-output-buffer-limit allows {} for {} seconds", bytes,
                     limit.soft_bytes, limit.soft_seconds);
}

}  // namespace shale::server
