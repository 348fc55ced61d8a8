// TLS on one connected, non-blocking socket, server's side. For the connection's thread.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "src/tls/context.h"

namespace shale::server::tls {

class Stream {
 public:
  // Keeps the context. The descriptor stays the caller's.
  Stream(std::shared_ptr<Context> context, int descriptor);

  // Goes on with the handshake as far as it can without waiting. Until it is done nothing else may be called.
  enum class Handshake : std::uint8_t { done, wants_read, wants_write, failed };
  Handshake shake_hands();
  // Why it has failed, for people.
  const std::string& failure() const { return failure_; }

  // As recv and send: how many bytes; 0 at the end of what the peer sends; -1 with errno, EAGAIN if the
  // socket is not ready. What send() did not take has to be given again, perhaps with more behind it.
  ssize_t receive(std::span<char> room);
  ssize_t send(std::string_view bytes);
  // Whether receive() has something to give that the socket's readiness does not tell of.
  bool has_received() const { return SSL_pending(ssl_.get()) > 0; }
  // Whether the last receive() could not go on before the socket is writable.
  bool wants_write() const { return wants_write_; }
  // Whether the peer has closed its end, as far as that can be seen without receiving.
  bool peer_has_gone();
  // Tells the peer that nothing more will be sent; does not wait for its answer.
  void say_goodbye();

  // What it costs, as measured: state, and buffers while there is something in them.
  std::size_t memory_bytes() const;

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  ssize_t fail(int result);

  const std::shared_ptr<Context> context_;
  const std::unique_ptr<SSL, Free> ssl_;
  std::string failure_;
  bool wants_write_ = false;
  bool broken_ = false;  // nothing may be asked of OpenSSL any more
};

}  // namespace shale::server::tls
