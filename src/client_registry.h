// All connected clients, for CLIENT LIST, CLIENT KILL and the like. Thread-safe; touched when clients come
// and go, not by their commands.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "src/session.h"

namespace shale::server {

// How a client's wait ends that another client ends.
enum class WaitEnd : std::uint8_t {
  timeout,  // as if its time were over
  error,    // its command fails
  pause,    // the pause is over: its command runs
};

class ClientRegistry {
 public:
  // How a connection is reached from any thread; done soon, by its own thread.
  struct Control {
    std::function<void()> close;
    std::function<void(std::uint64_t wait, WaitEnd end)> end_wait;  // if it still waits in that wait
  };

  // Ids grow and are never given twice.
  std::uint64_t next_id() { return next_id_.fetch_add(1, std::memory_order_relaxed); }
  // `control` is used at most until remove() has returned.
  void add(std::shared_ptr<Session> session, Control control);
  void remove(std::uint64_t id);

  // In the order of ids. Sessions may end while they are held; what they show stays readable.
  std::vector<std::shared_ptr<Session>> list() const;
  std::shared_ptr<Session> find(std::uint64_t id) const;  // nullptr if there is none (any more)
  std::size_t count() const { return count_.load(std::memory_order_relaxed); }

  // Ends the connection soon, without flushing its replies; it is not listed any more at once. Not for the
  // connection that runs the command: that one sets Session::close_after_reply. False if there is no such
  // client.
  bool kill(std::uint64_t id);
  // Ends the wait of a client in a blocking command. False if there is no such client, or it does not wait in
  // one.
  bool unblock(std::uint64_t id, WaitEnd end);
  // The commands that a pause has postponed run.
  void resume_postponed();

 private:
  struct Client {
    std::shared_ptr<Session> session;
    Control control;
  };

  std::atomic<std::uint64_t> next_id_ = 1;
  std::atomic<std::size_t> count_ = 0;
  mutable std::mutex mutex_;  // guards clients_
  std::map<std::uint64_t, Client> clients_;
};

}  // namespace shale::server
