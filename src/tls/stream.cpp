#include "src/tls/stream.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace shale::server::tls {
namespace {

// A connection of OpenSSL 3.0 after its handshake: 24 KiB of state; 17 KiB for a record that is being
// received.
constexpr std::size_t kStateBytes = 24u << 10;
constexpr std::size_t kRecordBytes = 17u << 10;
constexpr std::size_t kWriteBytesMax = 16u << 10;

}  // namespace

Stream::Stream(std::shared_ptr<Context> context, int descriptor)
    : context_(std::move(context)), ssl_(SSL_new(context_->native())) {
  if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), descriptor) != 1) throw std::bad_alloc{};
  SSL_set_accept_state(ssl_.get());
}

Stream::Handshake Stream::shake_hands() {
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Handshake::done;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return Handshake::wants_read;
  if (error == SSL_ERROR_WANT_WRITE) return Handshake::wants_write;
  broken_ = true;
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) {
    failure_ = X509_verify_cert_error_string(verified);
    ERR_clear_error();
  } else if (error == SSL_ERROR_SYSCALL) {
    failure_ = errno == 0 ? "the client has closed the connection" : std::strerror(errno);
  } else {
    failure_ = take_openssl_error();
  }
  return Handshake::failed;
}

// What an operation that has not succeeded returns instead.
ssize_t Stream::fail(int result) {
  const int system_error = errno;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    errno = EAGAIN;
    return -1;
  }
  broken_ = true;
  ERR_clear_error();
  errno = error == SSL_ERROR_SYSCALL && system_error != 0 ? system_error : ECONNRESET;
  return -1;
}

// As many records as there are, up to what fits.
ssize_t Stream::receive(std::span<char> room) {
  std::size_t received = 0;
  while (received < room.size()) {
    ERR_clear_error();
    errno = 0;
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_.get(), room.data() + received, room.size() - received, &count);
    if (result != 1) {
      // The end, or an error, is met again by the next call.
      const ssize_t failed = fail(result);
      return received != 0 ? static_cast<ssize_t>(received) : failed;
    }
    wants_write_ = false;
    received += count;
  }
  return static_cast<ssize_t>(received);
}

ssize_t Stream::send(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ERR_clear_error();
    errno = 0;
    std::size_t count = 0;
    const int result =
        SSL_write_ex(ssl_.get(), bytes.data() + sent, std::min(bytes.size() - sent, kWriteBytesMax), &count);
    if (result != 1) {
      const bool read_wanted_write = wants_write_;
      const ssize_t failed = fail(result);
      wants_write_ = read_wanted_write;
      return sent != 0 ? static_cast<ssize_t>(sent) : failed;
    }
    sent += count;
  }
  return static_cast<ssize_t>(sent);
}

bool Stream::peer_has_gone() {
  ERR_clear_error();
  errno = 0;
  char byte = 0;
  std::size_t count = 0;
  const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &count);
  return result != 1 && (fail(result) == 0 || errno != EAGAIN);
}

void Stream::say_goodbye() {
  if (broken_ || !SSL_is_init_finished(ssl_.get())) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

std::size_t Stream::memory_bytes() const { return kStateBytes + (has_received() ? kRecordBytes : 0); }

}  // namespace shale::server::tls
