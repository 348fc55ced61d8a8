#include "src/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>

namespace shale::server {
namespace {

constexpr int kAcceptsPerTurnMax = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};

// Redis's text, which clients and people look for; only what it says of CONFIG REWRITE is left out.
constexpr std::string_view kDenied =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for "
    "the "
    "default user. In this mode connections are only accepted from the loopback interface. If you want to "
    "connect "
    "from external computers to Redis you may adopt one of the following solutions: 1) Just disable "
    "protected mode "
    "sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis "
    "from the "
    "same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if "
    "you do so. "
    "2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and "
    "setting "
    "the protected mode option to 'no', and then restarting the server. 3) If you started the server "
    "manually just "
    "for testing, restart it with the '--protected-mode no' option. 4) Setup an authentication password for "
    "the "
    "default user. NOTE: You only need to do one of the above things in order for the server to start "
    "accepting "
    "connections from the outside.\r\n";
constexpr std::string_view kTooManyClients = "-ERR max number of clients reached\r\n";

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

engine::Error socket_error(std::string_view name, int error) {
  return {engine::ErrorKind::io, fmt::format("cannot listen on {}: {}", name, std::strerror(error))};
}

std::string with_port(const std::string& host, unsigned port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

// "127.0.0.1:50312", "[::1]:50312", "/path.sock:0", as CLIENT LIST shows addresses.
std::string describe(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return with_port(text, ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  return with_port(text, ntohs(v6.sin6_port));
}

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

using Listeners = std::vector<std::shared_ptr<Listener>>;

// Every address that `host` stands for. `optional`: fine if this machine has none of them.
engine::Status bind_host(const std::string& host, bool optional, unsigned port, bool tls,
                         std::vector<std::unique_ptr<IoThread>>& threads, Listeners& listeners) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  hints.ai_family = AF_UNSPEC;
  if (host == "*") hints.ai_family = AF_INET;
  if (host == "::*") hints.ai_family = AF_INET6;
  const std::string name = with_port(host, port);
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host == "*" || host == "::*" ? nullptr : host.c_str(),
                                 std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) {
    if (optional) return {};
    return engine::Error{engine::ErrorKind::io,
                         fmt::format("cannot listen on {}: {}", name, gai_strerror(failed))};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses{found, freeaddrinfo};
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    Descriptor descriptor{
        ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)};
    const int on = 1;
    bool bound = descriptor.get() >= 0;
    if (bound) setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bound && address->ai_family == AF_INET6) {
      setsockopt(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    bound = bound && ::bind(descriptor.get(), address->ai_addr, address->ai_addrlen) == 0;
    if (!bound) {
      const bool missing = errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT;
      if (optional && missing) continue;
      return socket_error(name, errno);
    }
    listeners.push_back(
        std::make_shared<Listener>(threads, descriptor.release(), address->ai_family, name, tls));
  }
  return {};
}

engine::Status bind_unix(const std::string& path, std::int64_t permissions,
                         std::vector<std::unique_ptr<IoThread>>& threads, Listeners& listeners) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return socket_error(path, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);

  // A socket that a dead server has left behind is replaced; a living one's is not.
  const Descriptor probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(probe.get(), generic, sizeof address) == 0) return socket_error(path, EADDRINUSE);
  if (errno == ECONNREFUSED) ::unlink(path.c_str());

  Descriptor descriptor{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (descriptor.get() < 0 || ::bind(descriptor.get(), generic, sizeof address) != 0)
    return socket_error(path, errno);
  if (permissions != 0 && ::chmod(path.c_str(), static_cast<mode_t>(permissions)) != 0) {
    return socket_error(path, errno);
  }
  listeners.push_back(std::make_shared<Listener>(threads, descriptor.release(), AF_UNIX, path));
  return {};
}

}  // namespace

Listener::Listener(std::vector<std::unique_ptr<IoThread>>& threads, int descriptor, int family,
                   std::string name, bool tls)
    : threads_(threads),
      family_(family),
      name_(std::move(name)),
      tls_(tls),
      socket_(threads.front()->context(),
              boost::asio::generic::stream_protocol{family, family == AF_UNIX ? 0 : IPPROTO_TCP}, descriptor),
      pause_timer_(threads.front()->context()) {}

Listener::~Listener() { close(); }

engine::Status Listener::listen(int backlog) {
  if (::listen(socket_.native_handle(), backlog) != 0) return socket_error(name_, errno);
  wait();
  return {};
}

void Listener::close() {
  if (!socket_.is_open()) return;
  boost::system::error_code ignored;
  socket_.close(ignored);
  pause_timer_.cancel();
  if (is_unix()) ::unlink(name_.c_str());
}

void Listener::wait() {
  socket_.async_wait(boost::asio::socket_base::wait_read,
                     [self = shared_from_this()](boost::system::error_code failed) {
                       if (!failed) self->accept_waiting();
                     });
}

void Listener::accept_waiting() {
  for (int accepts = 0; accepts < kAcceptsPerTurnMax && socket_.is_open(); ++accepts) {
    const int descriptor = ::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      admit(descriptor);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
      return pause_after(errno);
    }
  }
  if (socket_.is_open()) wait();
}

// Too many open files, or no memory: the connection stays in the kernel's queue, and asking again at once
// would only burn the processor.
void Listener::pause_after(int error) {
  spdlog::warn("cannot accept connections on {}: {}", name_, std::strerror(error));
  pause_timer_.expires_after(kAcceptPause);
  pause_timer_.async_wait([self = shared_from_this()](boost::system::error_code cancelled) {
    if (!cancelled && self->socket_.is_open()) self->wait();
  });
}

// With the reason, to who understands it without a handshake.
void Listener::turn_away(int descriptor, std::string_view why) const {
  if (tls_) return;
  [[maybe_unused]] const auto sent = ::send(descriptor, why.data(), why.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(descriptor, SHUT_WR);
  char unread[4096];  // closing with unread bytes would reset the connection before the reason has arrived
  [[maybe_unused]] const auto received = ::recv(descriptor, unread, sizeof unread, MSG_DONTWAIT);
}

void Listener::admit(int accepted) {
  Descriptor descriptor{accepted};
  Server& server = threads_.front()->server();
  const Config& config = server.config();

  std::size_t clients = 0;
  for (const auto& thread : threads_) clients += thread->connection_count();
  if (clients >= static_cast<std::size_t>(std::min(config.number(Option::maxclients), server.client_cap()))) {
    server.stats().count_rejected_connection();
    return turn_away(descriptor.get(), kTooManyClients);
  }

  AcceptedSocket socket{
      .descriptor = -1, .family = family_, .peer = name_ + ":0", .local = name_ + ":0", .tls = tls_};
  if (!is_unix()) {
    sockaddr_storage peer{};
    sockaddr_storage local{};
    socklen_t peer_bytes = sizeof peer;
    socklen_t local_bytes = sizeof local;
    if (getpeername(descriptor.get(), reinterpret_cast<sockaddr*>(&peer), &peer_bytes) != 0) return;
    if (getsockname(descriptor.get(), reinterpret_cast<sockaddr*>(&local), &local_bytes) != 0) return;
    if (config.enabled(Option::protected_mode) && server.users().default_is_open() && !is_loopback(peer)) {
      server.stats().count_rejected_connection();
      return turn_away(descriptor.get(), kDenied);
    }
    socket.peer = describe(peer);
    socket.local = describe(local);
  }
  socket.descriptor = descriptor.release();
  const auto emptiest =
      std::ranges::min_element(threads_, {}, [](const auto& t) { return t->connection_count(); });
  (*emptiest)->adopt(std::move(socket));
}

engine::Result<Listeners> bind_listeners(const Config& config,
                                         std::vector<std::unique_ptr<IoThread>>& threads) {
  Listeners listeners;
  for (const Option option : {Option::port, Option::tls_port}) {
    const auto port = static_cast<unsigned>(config.number(option));
    if (port == 0) continue;
    const bool tls = option == Option::tls_port;
    std::istringstream hosts{config.text(Option::bind)};
    for (std::string host; hosts >> host;) {
      const bool optional = host.starts_with('-');
      if (optional) host.erase(0, 1);
      if (auto bound = bind_host(host, optional, port, tls, threads, listeners); !bound) return bound.error();
    }
  }
  if (const std::string path = config.text(Option::unixsocket); !path.empty()) {
    auto bound = bind_unix(path, config.number(Option::unixsocketperm), threads, listeners);
    if (!bound) return bound.error();
  }
  if (listeners.empty()) {
    return engine::Error{
        engine::ErrorKind::io,
        "there is nothing to listen on: see the options port, tls-port, bind and unixsocket"};
  }
  return listeners;
}

}  // namespace shale::server
