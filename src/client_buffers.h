// What a client's connection holds in memory, as CLIENT LIST shows it.
#pragma once

#include <atomic>
#include <cstdint>

namespace shale::server {

// Written by the connection's thread when it goes back to wait while something is held, and when its own
// client asks; read by any. Replies and requests that come and go in between write nothing here.
struct ClientBuffers {
  std::atomic<std::uint64_t> input_bytes = 0;         // the buffer's size
  std::atomic<std::uint64_t> unread_input_bytes = 0;  // those in it that have not been executed
  std::atomic<std::uint64_t> argument_bytes = 0;  // of the request being executed, waiting or still arriving
  std::atomic<std::uint64_t> reply_bytes = 0;     // the buffer's size
  std::atomic<std::uint64_t> reply_bytes_peak = 0;  // the most that it has held since it was last empty
  std::atomic<std::uint64_t> unsent_reply_bytes = 0;
  std::atomic<std::uint64_t> queued_outputs = 0;       // pushes, and large values on their way
  std::atomic<std::uint64_t> queued_output_bytes = 0;  // the memory they take
  std::atomic<std::uint64_t> total_bytes = 0;          // all that is counted for the client
};

// The connection, as far as its session knows it.
class ClientBuffersOwner {
 public:
  // Writes what is held now. By the connection's thread.
  virtual void show_buffers() = 0;

 protected:
  ~ClientBuffersOwner() = default;
};

}  // namespace shale::server
