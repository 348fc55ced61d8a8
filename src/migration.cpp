#include "src/migration.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace shale::server {
namespace {

using engine::Bytes;
using engine::BytesView;

constexpr std::string_view kCannotConnect = "IOERR error or timeout connecting to the client";
constexpr std::string_view kCannotSend = "IOERR error or timeout writing to target instance";
constexpr std::string_view kCannotReceive = "IOERR error or timeout reading from target instance";

// A blocking client's socket, of which no step takes longer than it may.
class TargetConnection {
 public:
  TargetConnection(std::chrono::milliseconds timeout, const std::atomic<bool>& stopping)
      : timeout_(timeout), stopping_(stopping) {}
  ~TargetConnection() { close(); }
  TargetConnection(const TargetConnection&) = delete;
  TargetConnection& operator=(const TargetConnection&) = delete;

  bool connect(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* addresses = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &addresses) != 0) return false;
    bool connected = false;
    for (const addrinfo* at = addresses; at != nullptr && !connected; at = at->ai_next) {
      connected = connect_to(*at);
    }
    ::freeaddrinfo(addresses);
    return connected;
  }

  bool send(BytesView bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (!may_go_on(POLLOUT)) {
        return false;
      }
    }
    return true;
  }

  // A reply of one line, without its end; nothing if none comes.
  std::optional<std::string> receive_line() {
    constexpr std::size_t kLineBytesMax = std::size_t{64} << 10;
    for (;;) {
      const std::size_t end = received_.find("\r\n");
      if (end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 2);
        return line;
      }
      char bytes[4096];
      const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
      if (count > 0) received_.append(bytes, static_cast<std::size_t>(count));
      if (count == 0 || received_.size() > kLineBytesMax) return std::nullopt;
      if (count < 0 && !may_go_on(POLLIN)) return std::nullopt;
    }
  }

 private:
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  bool connect_to(const addrinfo& address) {
    close();
    socket_ = ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return false;
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, address.ai_addr, address.ai_addrlen) == 0) return true;
    if (errno != EINPROGRESS || !is_ready(POLLOUT)) return false;
    int problem = 0;
    socklen_t length = sizeof problem;
    return ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &problem, &length) == 0 && problem == 0;
  }

  // Behind a call that has moved nothing.
  bool may_go_on(short events) const {
    if (errno == EINTR) return true;
    return (errno == EAGAIN || errno == EWOULDBLOCK) && is_ready(events);
  }

  // Waits, but not when the server is to stop.
  bool is_ready(short events) const {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kLookAround{100};
    const auto end = Clock::now() + timeout_;
    while (!stopping_.load(std::memory_order_relaxed)) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      if (left.count() <= 0) return false;
      pollfd wanted{socket_, events, 0};
      const int ready = ::poll(&wanted, 1, static_cast<int>(std::min(left, kLookAround).count()));
      if (ready != 0 && (ready > 0 || errno != EINTR)) return ready > 0;
    }
    return false;
  }

  const std::chrono::milliseconds timeout_;
  const std::atomic<bool>& stopping_;
  int socket_ = -1;
  std::string received_;
};

void append_request(Bytes& out, std::initializer_list<BytesView> words) {
  out += fmt::format("*{}\r\n", words.size());
  for (const BytesView word : words) {
    out += fmt::format("${}\r\n", word.size());
    out.append(word).append("\r\n");
  }
}

// What comes before the keys. How many replies it has is added to `replies`.
Bytes introduction(const MigrationTarget& target, std::size_t& replies) {
  Bytes out;
  if (!target.password.empty()) {
    ++replies;
    if (target.user.empty()) {
      append_request(out, {"AUTH", target.password});
    } else {
      append_request(out, {"AUTH", target.user, target.password});
    }
  }
  if (target.database != 0) {
    ++replies;
    append_request(out, {"SELECT", std::to_string(target.database)});
  }
  return out;
}

Bytes restore_request(const MigrationTarget& target, const MigratedKey& key) {
  Bytes out;
  const BytesView command = target.asking ? "RESTORE-ASKING" : "RESTORE";
  const std::string ttl = std::to_string(key.ttl_ms);
  if (target.replace || key.sent_before) {
    append_request(out, {command, key.name, ttl, key.payload, "REPLACE"});
  } else {
    append_request(out, {command, key.name, ttl, key.payload});
  }
  return out;
}

MigrationOutcome migrate(const MigrationTarget& target, const std::vector<MigratedKey>& keys,
                         const std::atomic<bool>& stopping) {
  MigrationOutcome outcome;
  const auto fail = [&](std::string_view why) {
    outcome.failure = why;
    return outcome;
  };
  TargetConnection connection{target.timeout, stopping};
  if (!connection.connect(target.host, target.port)) return fail(kCannotConnect);
  std::size_t before_keys = 0;
  if (!connection.send(introduction(target, before_keys))) return fail(kCannotSend);
  const auto is_refused = [&](const std::string& reply) {
    if (!reply.starts_with('-')) return false;
    if (outcome.error.empty()) outcome.error = reply.substr(1);
    return true;
  };
  for (; before_keys != 0; --before_keys) {
    const auto reply = connection.receive_line();
    if (!reply) return fail(kCannotReceive);
    if (is_refused(*reply)) return outcome;
  }
  // Few replies are left unread, so that neither side waits for the other to read.
  constexpr std::size_t kUnreadMax = 64;
  std::size_t sent = 0;
  while (outcome.accepted.size() < keys.size()) {
    for (; sent < keys.size() && sent - outcome.accepted.size() < kUnreadMax; ++sent) {
      if (!keys[sent].is_there && !connection.send(restore_request(target, keys[sent])))
        return fail(kCannotSend);
    }
    if (keys[outcome.accepted.size()].is_there) {
      outcome.accepted.push_back(true);
      continue;
    }
    const auto reply = connection.receive_line();
    if (!reply) return fail(kCannotReceive);
    outcome.accepted.push_back(!is_refused(*reply));
  }
  return outcome;
}

}  // namespace

Migrations::~Migrations() {
  stopping_ = true;
  for (Worker& worker : workers_) worker.thread.join();
}

std::shared_ptr<Migration> Migrations::begin(MigrationTarget target, std::vector<MigratedKey> keys,
                                             int round) {
  const std::lock_guard lock{mutex_};
  std::erase_if(workers_, [](Worker& worker) {
    if (!worker.is_done) return false;
    worker.thread.join();
    return true;
  });
  if (workers_.size() >= kAtOnceMax) return nullptr;
  auto migration = std::make_shared<Migration>(std::move(target), std::move(keys), round);
  Worker& worker = workers_.emplace_back();
  try {
    worker.thread = std::thread([this, migration, &worker] {
      migration->finish(migrate(migration->target(), migration->keys(), stopping_));
      worker.is_done = true;
    });
  } catch (const std::system_error&) {
    workers_.pop_back();
    return nullptr;
  }
  return migration;
}

}  // namespace shale::server
