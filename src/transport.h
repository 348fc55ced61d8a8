// How a connection's bytes travel: as they are, or through TLS. The difference ends here.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "src/tls/stream.h"

namespace shale::server {

class Transport {
 public:
  // Of a connected, non-blocking socket, which stays the caller's. `tls`: none for bytes as they are.
  Transport(int descriptor, std::unique_ptr<tls::Stream> tls)
      : descriptor_(descriptor), tls_(std::move(tls)) {}

  // nullptr if there is none.
  tls::Stream* tls() { return tls_.get(); }

  // As recv and send, without waiting and without signals.
  ssize_t receive(std::span<char> room) {
    if (tls_ != nullptr) [[unlikely]]
      return tls_->receive(room);
    return ::recv(descriptor_, room.data(), room.size(), MSG_DONTWAIT);
  }
  ssize_t send(std::string_view bytes) {
    if (tls_ != nullptr) [[unlikely]]
      return tls_->send(bytes);
    return ::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  // Whether receive() would give something although the socket may not become readable.
  bool has_received() const { return tls_ != nullptr && tls_->has_received(); }
  // Whether receiving waits for the socket to be writable.
  bool wants_write() const { return tls_ != nullptr && tls_->wants_write(); }
  // Whether the peer has closed its end; takes nothing from what it has sent.
  bool peer_has_gone() {
    if (tls_ != nullptr) return tls_->peer_has_gone();
    char byte = 0;
    return ::recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }
  // No more will be sent: the peer reads what has been, and then the end.
  void end_sending() {
    if (tls_ != nullptr) tls_->say_goodbye();
    ::shutdown(descriptor_, SHUT_WR);
  }

  std::size_t memory_bytes() const { return tls_ != nullptr ? tls_->memory_bytes() : 0; }

 private:
  const int descriptor_;
  const std::unique_ptr<tls::Stream> tls_;
};

}  // namespace shale::server
