// A connection that shows replies byte for byte: what the tests of commands are written with.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/integration/server_process.h"

namespace shale::integration {

using Words = std::vector<std::string>;

// The words of a line, separated by blanks; "..." is one word, also if it is empty or has blanks.
inline Words split_words(std::string_view line) {
  Words words;
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ') {
      ++at;
    } else if (line[at] == '"') {
      const std::size_t end = line.find('"', at + 1);
      words.emplace_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    } else {
      const std::size_t end = std::min(line.find(' ', at), line.size());
      words.emplace_back(line.substr(at, end - at));
      at = end;
    }
  }
  return words;
}

inline std::string encode_words(const Words& words) {
  std::string request = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) request += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return request;
}

class CommandConnection {
 public:
  explicit CommandConnection(unsigned port) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~CommandConnection() { ::close(descriptor_); }
  CommandConnection(const CommandConnection&) = delete;
  CommandConnection& operator=(const CommandConnection&) = delete;

  // The bytes of the reply to one command, or of none; "(closed)" behind them if the server has hung up.
  // Whatever comes before the reply to a PING that is sent along is the answer: messages, too.
  std::string run(const Words& words) { return run_encoded(encode_words(words)); }
  std::string run(std::string_view line) { return run(split_words(line)); }
  // The same for several, one after the other. The last one leaves no transaction open.
  std::string run_all(const std::vector<Words>& commands) {
    std::string requests;
    for (const Words& words : commands) requests += encode_words(words);
    return run_encoded(requests);
  }
  // Several requests, one after the other in one packet.
  std::string run_encoded(const std::string& requests) {
    const std::string mark = fmt::format("mark-{}", ++marks_);
    const std::string end = fmt::format("${}\r\n{}\r\n", mark.size(), mark);
    send(requests + encode_words({"PING", mark}));
    std::size_t searched = 0;
    std::size_t end_at = std::string::npos;
    while ((end_at = received_.find(end, searched)) == std::string::npos) {
      searched = received_.size() - std::min(received_.size(), end.size());
      if (!receive_more()) return std::exchange(received_, {}) + "(closed)";
    }
    // A message that came behind it is told of the next time.
    std::string reply = received_.substr(0, end_at);
    received_.erase(0, end_at + end.size());
    // To a subscriber with RESP2, PING's reply looks like a message.
    constexpr std::string_view kPong = "*2\r\n$4\r\npong\r\n";
    if (reply.ends_with(kPong)) reply.resize(reply.size() - kPong.size());
    return reply;
  }
  // The messages that have come since the last call.
  std::string messages() { return run_encoded({}); }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the next receive tells
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // At least so many bytes, or what has come when the server hung up.
  std::string receive(std::size_t bytes) {
    while (received_.size() < bytes && receive_more()) {
    }
    return std::exchange(received_, {});
  }
  // Until `text` has come, or the server has hung up.
  std::string receive_until(std::string_view text) {
    while (received_.find(text) == std::string::npos && receive_more()) {
    }
    return std::exchange(received_, {});
  }
  bool closed_by_server() {
    char byte = 0;
    return ::recv(descriptor_, &byte, 1, 0) == 0;
  }

 private:
  bool receive_more() {
    char bytes[65536];
    const ssize_t count = ::recv(descriptor_, bytes, sizeof bytes, 0);
    if (count < 0) throw std::runtime_error("the server does not answer");
    received_.append(bytes, static_cast<std::size_t>(count));
    return count != 0;
  }

  int descriptor_ = -1;
  std::uint64_t marks_ = 0;
  std::string received_;
};

}  // namespace shale::integration
