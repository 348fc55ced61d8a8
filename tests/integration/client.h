// Clients for tests: hiredis behind a small class, and a bare socket for what hiredis would not send.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/server_process.h"

namespace shale::integration {

// A reply, as redis-cli would print it on one line: "OK", "(nil)", "(integer) 1", "(error) ERR ...", "[a,
// b]".
inline std::string to_text(const redisReply* reply) {
  if (reply == nullptr) return "(no reply)";
  switch (reply->type) {
    case REDIS_REPLY_NIL: return "(nil)";
    case REDIS_REPLY_INTEGER: return fmt::format("(integer) {}", reply->integer);
    case REDIS_REPLY_ERROR: return fmt::format("(error) {}", std::string_view{reply->str, reply->len});
    case REDIS_REPLY_ARRAY: {
      std::string text = "[";
      for (std::size_t i = 0; i < reply->elements; ++i) {
        if (i != 0) text += ", ";
        text += to_text(reply->element[i]);
      }
      return text + "]";
    }
    default: return {reply->str, static_cast<std::size_t>(reply->len)};
  }
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

class Client {
 public:
  explicit Client(const ServerProcess& server) : Client("127.0.0.1", server.port()) {}
  Client(const std::string& host, unsigned port) {
    timeval patience{kPatience.count(), 0};
    context_.reset(redisConnectWithTimeout(host.c_str(), static_cast<int>(port), patience));
    check_connected();
  }
  static Client over_unix(const std::string& path) {
    timeval patience{kPatience.count(), 0};
    return Client{redisConnectUnixWithTimeout(path.c_str(), patience)};
  }

  // The reply to one command; null if the connection ended.
  Reply command(const std::vector<std::string>& words) {
    append(words);
    return next_reply();
  }
  // The same as text: client.ask("SET", "a", "1") == "OK".
  template <class... Words>
  std::string ask(const Words&... words) {
    return to_text(command({std::string{words}...}).get());
  }
  // Pipelines: queued, and sent with the first reply that is waited for.
  void append(const std::vector<std::string>& words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(), lengths.data());
  }
  Reply next_reply() {
    void* reply = nullptr;
    redisGetReply(context_.get(), &reply);
    return Reply{static_cast<redisReply*>(reply)};
  }
  std::string next_text() { return to_text(next_reply().get()); }

 private:
  explicit Client(redisContext* context) : context_(context) { check_connected(); }
  void check_connected() {
    if (context_ == nullptr || context_->err != 0) {
      throw std::runtime_error(context_ == nullptr ? "no memory" : context_->errstr);
    }
    redisSetTimeout(context_.get(), timeval{kPatience.count(), 0});
  }

  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  std::unique_ptr<redisContext, Free> context_;
};

// "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
inline std::string encode(std::initializer_list<std::string_view> words) {
  std::string request = fmt::format("*{}\r\n", words.size());
  for (const std::string_view word : words) request += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return request;
}

class RawClient {
 public:
  explicit RawClient(const ServerProcess& server, int receive_buffer_bytes = 0) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes != 0) {
      setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(server.port()));
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawClient() { ::close(descriptor_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) throw std::runtime_error("cannot send");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // To be closed as if the client's machine had vanished: with a reset, whatever is under way.
  void vanish_at_end() {
    const linger at_once{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  // As much as the socket takes now.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  // Sends all, and takes what comes meanwhile: a server that waits for its replies to be read reads no more.
  void send_and_take(std::string_view bytes, std::string& received) {
    while (!bytes.empty()) {
      pollfd ready{descriptor_, POLLIN | POLLOUT, 0};
      if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds{kPatience}.count())) <= 0) {
        throw std::runtime_error("the server does not read");
      }
      if ((ready.revents & POLLIN) != 0 && !receive_more(received, 65536)) {
        throw std::runtime_error("the server has closed the connection");
      }
      if ((ready.revents & POLLOUT) != 0) bytes.remove_prefix(send_some(bytes));
    }
  }
  // Some bytes, behind those that are there; false if the connection has ended.
  bool receive_some(std::string& into) { return receive_more(into, 65536); }
  // Until so many bytes have come, or the connection has ended.
  std::string receive(std::size_t count) {
    std::string received;
    while (received.size() < count && receive_more(received, count - received.size())) {
    }
    return received;
  }
  std::string receive_line() {
    std::string line;
    while (!line.ends_with("\r\n") && receive_more(line, 1)) {
    }
    return line;
  }
  std::string receive_until_closed() {
    std::string received;
    while (receive_more(received, 65536)) {
    }
    return received;
  }

 private:
  bool receive_more(std::string& into, std::size_t count_max) {
    pollfd readable{descriptor_, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(std::chrono::milliseconds{kPatience}.count())) <= 0) {
      throw std::runtime_error("the server does not answer");
    }
    char bytes[65536];
    const ssize_t count = ::recv(descriptor_, bytes, std::min(count_max, sizeof bytes), 0);
    if (count <= 0) return false;
    into.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  int descriptor_ = -1;
};

}  // namespace shale::integration
