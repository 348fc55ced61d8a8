#include "src/health_check.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
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

// The last of `lines` lines that the server sends, or empty with errno.
std::string read_lines(int descriptor, int lines, Time deadline) {
  std::string line;
  while (wait_for(descriptor, POLLIN, deadline)) {
    char byte = 0;
    const ssize_t received = ::recv(descriptor, &byte, 1, 0);
    if (received == 0) errno = ECONNRESET;
    if (received <= 0) return {};
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

std::string check_health(const RunningAddress& address, const std::string& password) {
  const std::string name =
      address.port != 0 ? fmt::format("{} port {}", address.host, address.port) : address.unix_path;
  const Time deadline = std::chrono::steady_clock::now() + kPatience;
  const int descriptor = connect_to(address, deadline);
  if (descriptor < 0) return reason(fmt::format("cannot connect to {}", name));
  std::string request;
  if (!password.empty())
    request = fmt::format("*2\r\n$4\r\nAUTH\r\n${}\r\n{}\r\n", password.size(), password);
  request += "PING\r\n";
  std::string answer;
  if (::send(descriptor, request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size())) {
    answer = read_lines(descriptor, password.empty() ? 1 : 2, deadline);
  }
  std::string problem;
  if (answer.empty()) problem = reason(fmt::format("no answer from {}", name));
  ::close(descriptor);
  if (problem.empty() && answer != "+PONG" && !answer.starts_with("-NOAUTH"))
    problem = "it answers " + answer;
  return problem;
}

RunningAddress configured_address(const Config& config) {
  RunningAddress address;
  address.port = static_cast<unsigned>(config.number(Option::port));
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
