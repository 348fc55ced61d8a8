// CLIENT PAUSE: for a while the commands of all clients wait, or those that change data do.
//
// Whoever executes commands asks before each one, which costs one load as long as there is no pause. A client
// whose command has to wait says so in its Session before it waits, and CLIENT UNPAUSE looks for such clients
// behind ending the pause; one of the two sees the other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "src/command/table.h"

namespace shale::server {

class ClientTransaction;

// Thread-safe.
class ClientPause {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Of : std::uint8_t { nothing, writes, everything };

  // There may be a pause: ask left().
  bool is_on() const { return of_.load() != Of::nothing; }
  // How long this command, of a client with this transaction (nullptr: none), has to wait from `now` on; zero
  // if it need not.
  std::chrono::milliseconds left(const CommandSpec& command, const ClientTransaction* transaction,
                                 TimePoint now);

  // A pause that is on goes on as it is where it is longer or is of more. Returns when it ends.
  TimePoint begin(Of of, TimePoint now, std::chrono::milliseconds duration);
  void end();

 private:
  std::atomic<Of> of_ = Of::nothing;  // changed under the mutex
  std::mutex mutex_;                  // guards what follows
  TimePoint ends_at_;
};

}  // namespace shale::server
