#include "src/health_check.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <sstream>

namespace shale::server {
namespace {

using Time = std::chrono::steady_clock::time_point;
constexpr std::chrono::milliseconds kPatience{2800};

std::string reason(std::string_view what) { return fmt::format("{}: {}", what, std::strerror(errno)); }

bool wait_for(int descriptor, short events, Time deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd ready{descriptor, events, 0};
  errno = ETIMEDOUT;
  return left.count() > 0 && ::poll(&ready, 1, static_cast<int>(left.count())) == 1;
}

// Connected, or -1 with errno.
int connect_to(const RunningAddress& address, Time deadline) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (address.port != 0) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    if (inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(static_cast<std::uint16_t>(address.port));
      length = sizeof v6;
    } else if (inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(static_cast<std::uint16_t>(address.port));
      length = sizeof v4;
    }
  } else if (address.unix_path.size() < sizeof(sockaddr_un::sun_path)) {
    auto& path = reinterpret_cast<sockaddr_un&>(storage);
    path.sun_family = AF_UNIX;
    std::memcpy(path.sun_path, address.unix_path.c_str(), address.unix_path.size() + 1);
    length = sizeof path;
  }
  if (length == 0) return errno = EINVAL, -1;
  const int descriptor = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&storage), length) == 0) return descriptor;
  int failed = errno;
  if (failed == EINPROGRESS && wait_for(descriptor, POLLOUT, deadline)) {
    socklen_t size = sizeof failed;
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed == 0) return descriptor;
  }
  ::close(descriptor);
  errno = failed == EINPROGRESS ? ETIMEDOUT : failed;
  return -1;
}

// A connection to the server, waited for until a deadline. With TLS, the server's name is not checked,
// because it is on this machine; in case it asks for a certificate, it is shown its own.
class Talk {
 public:
  Talk(int descriptor, Time deadline) : descriptor_(descriptor), deadline_(deadline) {}
  ~Talk() {
    ssl_.reset();
    ::close(descriptor_);
  }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;

  bool begin_tls(const tls::Settings& settings) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_default_passwd_cb_userdata(context_.get(), const_cast<char*>(settings.key_password.c_str()));
    SSL_CTX_use_certificate_chain_file(context_.get(), settings.certificate_file.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), settings.key_file.c_str(), SSL_FILETYPE_PEM);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), descriptor_);
    return repeat([this] { return SSL_connect(ssl_.get()); });
  }
  bool send(const std::string& request) {
    const auto size = static_cast<ssize_t>(request.size());
    if (ssl_ == nullptr) return ::send(descriptor_, request.data(), request.size(), MSG_NOSIGNAL) == size;
    return repeat([&] { return SSL_write(ssl_.get(), request.data(), static_cast<int>(size)); });
  }
  bool receive(char& byte) {
    if (ssl_ != nullptr) return repeat([&] { return SSL_read(ssl_.get(), &byte, 1); });
    if (!wait_for(descriptor_, POLLIN, deadline_)) return false;
    const ssize_t received = ::recv(descriptor_, &byte, 1, 0);
    if (received == 0) errno = ECONNRESET;
    return received == 1;
  }

 private:
  // An operation of OpenSSL, until it has succeeded. False, with errno, if it fails.
  template <class Operation>
  bool repeat(Operation operation) {
    for (;;) {
      ERR_clear_error();
      errno = 0;
      const int result = operation();
      if (result > 0) return true;
      const int error = SSL_get_error(ssl_.get(), result);
      const bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
      if (!waits && errno == 0) errno = EPROTO;
      if (!waits || !wait_for(descriptor_, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline_))
        return false;
    }
  }

  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  const int descriptor_;
  const Time deadline_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
};

// The last of `lines` lines that the server sends, or empty with errno.
std::string read_lines(Talk& talk, int lines) {
  std::string line;
  for (char byte = 0; talk.receive(byte);) {
    if (byte == '\r') continue;
    if (byte != '\n') {
      line += byte;
    } else if (--lines == 0) {
      return line;
    } else {
      line.clear();
    }
  }
  return {};
}

}  // namespace

std::string check_health(const RunningAddress& address, const std::string& password,
                         const tls::Settings& settings) {
  const std::string name =
      address.port != 0 ? fmt::format("{} port {}", address.host, address.port) : address.unix_path;
  const Time deadline = std::chrono::steady_clock::now() + kPatience;
  const int descriptor = connect_to(address, deadline);
  if (descriptor < 0) return reason(fmt::format("cannot connect to {}", name));
  Talk talk{descriptor, deadline};
  if (address.tls && !talk.begin_tls(settings)) return reason(fmt::format("no TLS from {}", name));
  std::string request;
  if (!password.empty())
    request = fmt::format("*2\r\n$4\r\nAUTH\r\n${}\r\n{}\r\n", password.size(), password);
  request += "PING\r\n";
  std::string answer;
  if (talk.send(request)) answer = read_lines(talk, password.empty() ? 1 : 2);
  if (answer.empty()) return reason(fmt::format("no answer from {}", name));
  // Who may not PING is refused by a server that lives.
  const bool lives = answer == "+PONG" || answer.starts_with("-NOAUTH") || answer.starts_with("-NOPERM");
  return lives ? std::string{} : "it answers " + answer;
}

RunningAddress configured_address(const Config& config) {
  RunningAddress address;
  const std::int64_t port = config.number(Option::port);
  address.tls = port == 0 && config.number(Option::tls_port) != 0;
  address.port = static_cast<unsigned>(address.tls ? config.number(Option::tls_port) : port);
  address.unix_path = config.text(Option::unixsocket);
  address.host = "127.0.0.1";
  std::istringstream hosts{config.text(Option::bind)};
  if (std::string first; hosts >> first) {
    if (first.starts_with('-')) first.erase(0, 1);
    if (first == "::*") first = "::1";
    if (first != "*" && first != "0.0.0.0" && first != "localhost") address.host = first;
    if (first == "::") address.host = "::1";
  }
  return address;
}

}  // namespace shale::server
