// What a connection holds in memory: counted for its thread, and shown to whoever lists clients.
#include <algorithm>

#include "src/client_transaction.h"
#include "src/connection.h"
#include "src/pubsub/subscriptions.h"

namespace shale::server {

std::size_t Connection::memory_bytes() const {
  return kIdleClientBytes + input_.capacity() + output_.capacity() + parser_.memory_bytes() +
         large_replies_.memory_bytes() + pushes_.memory_bytes() +
         (session_->subscriptions ? session_->subscriptions->memory_bytes() : 0) +
         (large_argument_ != nullptr ? large_argument_->memory_bytes() : 0) + transport_.memory_bytes() +
         session_->queued_bytes.load(std::memory_order_relaxed);
}

// A client that has been answered holds nothing, and has not since it was last shown: that is all there is to
// do for nearly every request.
void Connection::count_memory() {
  const std::size_t bytes = memory_bytes();
  const bool holds_nothing = !batch_ && input_.empty() && has_sent_all();
  if (bytes == counted_bytes_ && holds_nothing && shows_nothing_held_) return;
  thread_.counters().buffer_bytes.add(static_cast<std::int64_t>(bytes) -
                                      static_cast<std::int64_t>(counted_bytes_));
  counted_bytes_ = bytes;
  show_buffers();
  shows_nothing_held_ = holds_nothing;
}

// Large ones that are received into files, or have been, are not in memory.
std::size_t Connection::argument_bytes() const {
  if (!batch_ || batch_->done()) return parser_.arrived_argument_bytes();
  const Batch::Request& request = batch_->requests[batch_->next];
  std::size_t bytes = 0;
  for (std::size_t index = 0; index < request.argument_count; ++index) {
    bytes += batch_->arguments[request.first_argument + index].size();
  }
  return bytes;
}

void Connection::show_buffers() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  shows_nothing_held_ = false;
  reply_bytes_peak_ = output_.empty() ? 0 : std::max(reply_bytes_peak_, output_.size());
  ClientBuffers& shown = session_->buffers;
  shown.input_bytes.store(input_.capacity(), kRelaxed);
  shown.unread_input_bytes.store(input_.unread().size(), kRelaxed);
  shown.argument_bytes.store(argument_bytes(), kRelaxed);
  shown.reply_bytes.store(output_.empty() ? 0 : output_.capacity(), kRelaxed);
  shown.reply_bytes_peak.store(reply_bytes_peak_, kRelaxed);
  shown.unsent_reply_bytes.store(unsent_bytes(), kRelaxed);
  shown.queued_outputs.store(pushes_.count() + large_replies_.count(), kRelaxed);
  shown.queued_output_bytes.store((pushes_.empty() ? 0 : pushes_.memory_bytes()) +
                                      (large_replies_.empty() ? 0 : large_replies_.memory_bytes()),
                                  kRelaxed);
  shown.total_bytes.store(memory_bytes(), kRelaxed);
}

// Whether all connections together would hold more than their share with so many bytes more.
bool Connection::memory_is_short(std::size_t more_bytes) const {
  Server& server = thread_.server();
  return static_cast<std::uint64_t>(server.stats().buffer_bytes()) + more_bytes >
         server.memory_budget().connections;
}

}  // namespace shale::server
