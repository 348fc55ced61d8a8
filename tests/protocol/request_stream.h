#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/request_parser.h"

// Plays the connection for a RequestParser: receives a stream in chunks and keeps what has not been consumed.
// Shared by the tests and by tests/fuzz, so it knows nothing of GoogleTest.
namespace shale::protocol::testing {

using Request = std::vector<std::string>;

inline std::string encode(const Request& request) {
  std::string bytes = "*" + std::to_string(request.size()) + "\r\n";
  for (const auto& argument : request) {
    bytes += "$" + std::to_string(argument.size()) + "\r\n" + argument + "\r\n";
  }
  return bytes;
}

class RequestStream {
 public:
  explicit RequestStream(const ParserLimits& limits = {}, bool authenticated = true) : parser_(limits) {
    parser_.set_authenticated(authenticated);
  }

  void receive(std::string_view chunk) {
    unread_.append(chunk);
    while (take_one()) continue;
  }

  const std::vector<Request>& requests() const { return requests_; }
  const std::string& error() const { return error_; }
  std::size_t bytes_consumed() const { return bytes_consumed_; }
  const RequestParser& parser() const { return parser_; }

  // What the parser did against its own header; empty if nothing.
  const std::string& broken_promise() const { return broken_promise_; }

 private:
  bool take_one() {
    // A block of exactly this size, and a new one each time: the buffer has moved, and a sanitizer sees every
    // byte that is read beyond it.
    const auto block = std::make_unique<char[]>(unread_.size());
    std::copy(unread_.begin(), unread_.end(), block.get());

    std::vector<std::string_view> arguments = {"argument of an earlier request"};
    const auto outcome = parser_.next({block.get(), unread_.size()}, arguments);
    check_promises(outcome, arguments.size() - 1);
    bytes_consumed_ += parser_.consumed();
    unread_.erase(0, parser_.consumed());

    if (outcome == RequestParser::Outcome::error) error_ = parser_.error();
    if (outcome != RequestParser::Outcome::request) return false;
    requests_.emplace_back(arguments.begin() + 1, arguments.end());
    parser_.release();
    return true;
  }

  void check_promises(RequestParser::Outcome outcome, std::size_t arguments_appended) {
    const bool is_request = outcome == RequestParser::Outcome::request;
    const auto left = unread_.size() - std::min(unread_.size(), parser_.consumed());
    if (parser_.consumed() > unread_.size()) broken_promise_ = "consumed more than there was";
    if (is_request != (arguments_appended != 0)) broken_promise_ = "arguments without a request";
    if (is_request && parser_.consumed() == 0) broken_promise_ = "a request of no bytes";
    if (is_request && left + parser_.consumed() < bytes_wanted_)
      broken_promise_ = "wanted more than it needed";
    if (!error_.empty() && outcome != RequestParser::Outcome::error)
      broken_promise_ = "went on after an error";
    if (outcome == RequestParser::Outcome::incomplete) {
      if (parser_.bytes_wanted() <= left) broken_promise_ = "wanted bytes that it had";
      bytes_wanted_ = parser_.bytes_wanted();
    } else {
      bytes_wanted_ = 0;
    }
  }

  RequestParser parser_;
  std::string unread_;
  std::vector<Request> requests_;
  std::string error_;
  std::string broken_promise_;
  std::size_t bytes_consumed_ = 0;
  std::size_t bytes_wanted_ = 0;
};

// Invariant I1 of the parser, for one stream: received at once (the fast path), byte by byte (the resumable
// one) or in random chunks, it means the same. Returns what differs; empty if nothing.
inline std::string chunking_difference(std::string_view stream, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  ParserLimits limits;
  limits.bulk_bytes_max = 20000;
  limits.arguments_max = 64;
  limits.inline_bytes_max = 32;
  const bool authenticated = random() % 4 != 0;

  RequestStream whole(limits, authenticated);
  whole.receive(stream);
  RequestStream bytewise(limits, authenticated);
  for (const char& byte : stream) bytewise.receive({&byte, 1});
  RequestStream chunked(limits, authenticated);
  for (auto rest = stream; !rest.empty();) {
    const auto chunk = rest.substr(0, 1 + random() % (random() % 4 == 0 ? 200 : 8));
    chunked.receive(chunk);
    rest.remove_prefix(chunk.size());
  }

  for (const auto* other : {&bytewise, &chunked}) {
    if (other->requests() != whole.requests()) return "requests differ";
    if (other->error() != whole.error()) return "errors differ: " + other->error() + " / " + whole.error();
    if (other->bytes_consumed() != whole.bytes_consumed()) return "consumed() differs";
    if (!other->broken_promise().empty()) return other->broken_promise();
  }
  return whole.broken_promise();
}

// A stream that is mostly right: ordinary requests, inline ones, empty ones, and now and then a byte changed.
inline std::string random_stream(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  const auto random_bytes = [&](std::uint64_t bytes_max) {
    std::string bytes(below(bytes_max + 1), '\0');
    for (auto& byte : bytes) byte = below(2) ? static_cast<char>(below(256)) : "\r\n$* 01\"'\\x"[below(11)];
    return bytes;
  };
  static constexpr std::string_view kOdd[] = {
      "\r\n",    "*0\r\n", "*-1\r\n",      "  \n", "GET k\n", "SET \"a\\x41\" 'b'\r\n", "*1\r\n$0\r\n\r\n",
      "*01\r\n", "$1\r\n", "*1\r\n$-1\r\n"};
  std::string stream;
  for (auto left = 1 + below(12); left != 0; --left) {
    if (below(3) == 0) {
      stream += kOdd[below(std::size(kOdd) - (below(8) ? 3 : 0))];
      continue;
    }
    Request request(1 + below(5));
    for (auto& argument : request) argument = random_bytes(below(10) ? 20 : 400);
    stream += encode(request);
  }
  if (below(3) == 0) stream[below(stream.size())] = static_cast<char>(below(256));
  return stream;
}

}  // namespace shale::protocol::testing
