// Where clients connect: TCP addresses and the Unix socket. Accepted connections are given to the thread that
// has the fewest. Lives on the first I/O thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "engine/result.h"
#include "src/io_thread.h"

namespace shale::server {

// A socket bound to its address, from whom nobody can connect before listen().
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::vector<std::unique_ptr<IoThread>>& threads, int descriptor, int family, std::string name,
           bool tls = false);
  ~Listener();

  // What people know it by: "127.0.0.1:6379", "/run/shale.sock".
  const std::string& name() const { return name_; }
  bool is_unix() const { return family_ == AF_UNIX; }
  bool is_tls() const { return tls_; }

  engine::Status listen(int backlog);
  void close();  // on the first thread, or when no thread runs

 private:
  void wait();
  void accept_waiting();
  void admit(int descriptor);
  void turn_away(int descriptor, std::string_view why) const;
  void pause_after(int error);

  std::vector<std::unique_ptr<IoThread>>& threads_;
  const int family_;
  const std::string name_;
  const bool tls_;
  boost::asio::generic::stream_protocol::socket socket_;  // only waited on, never read
  boost::asio::steady_timer pause_timer_;
};

// Binds all that `port`, `tls-port`, `bind` and `unixsocket` name. Errors: io, with the address and the
// system's reason; or that there is nothing to listen on.
engine::Result<std::vector<std::shared_ptr<Listener>>> bind_listeners(
    const Config& config, std::vector<std::unique_ptr<IoThread>>& threads);

}  // namespace shale::server
