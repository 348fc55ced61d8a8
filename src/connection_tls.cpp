// How a connection begins where the client has to speak TLS: with a handshake, before any request.
#include <spdlog/spdlog.h>

#include "src/connection.h"

namespace shale::server {

void Connection::shake_hands() {
  shaking_hands_ = true;
  switch (transport_.tls()->shake_hands()) {
    case tls::Stream::Handshake::done:
      shaking_hands_ = false;
      active_second_ = thread_.second();
      return settle();
    case tls::Stream::Handshake::wants_read: return wait_to_shake(Socket::wait_read);
    case tls::Stream::Handshake::wants_write: return wait_to_shake(Socket::wait_write);
    case tls::Stream::Handshake::failed: return give_up_handshake(transport_.tls()->failure());
  }
}

void Connection::wait_to_shake(Socket::wait_type readiness) {
  socket_.async_wait(readiness, [self = shared_from_this()](boost::system::error_code failed) {
    if (!failed && self->open()) self->shake_hands();
  });
}

void Connection::give_up_handshake(std::string_view why) {
  spdlog::warn("TLS handshake with {} failed: {}", session_->address, why);
  close();
}

}  // namespace shale::server
