// Reads replies as strictly as the protocol is written: what is no reply, byte for byte, is refused.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/integration/client.h"

namespace shale::integration {

// What a connection may be sent.
enum class Speech : std::uint8_t { resp2, resp3, either };

struct MalformedReply : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class StrictReplies {
 public:
  struct Reply {
    char type = 0;                // its first byte
    std::string text;             // of a line or a bulk string
    std::vector<Reply> elements;  // of an array, a set or a push; of a map keys and values in turn
    std::size_t bytes = 0;        // that it was sent as
    bool is_push() const { return type == '>'; }
    bool is_error() const { return type == '-' || type == '!'; }
  };

  explicit StrictReplies(Speech speech) : speech_(speech) {}

  // The reply at the front of `received`; nothing if it has not all come, and `missing` says how many bytes
  // it lacks at least: who waits for as many reads a reply of any size a few times, not once for each packet.
  // Throws MalformedReply.
  std::optional<Reply> first_of(std::string_view received, std::size_t& missing) const {
    Cursor at{received};
    Reply reply;
    if (!read(at, reply, 0)) {
      missing = at.missing;
      return std::nullopt;
    }
    reply.bytes = received.size() - at.left.size();
    return reply;
  }

 private:
  struct Cursor {
    std::string_view left;
    std::size_t missing = 1;  // if it has not all come
  };
  static constexpr std::size_t kBytesMin = 3;  // of a reply: a byte that says what it is, and the line's end
  static constexpr int kDepthMax = 32;

  [[noreturn]] static void refuse(std::string_view why, std::string_view what) {
    throw MalformedReply(fmt::format("{}: {:?}", why, what.substr(0, 100)));
  }
  // Without its end; nothing if that has not come.
  static std::optional<std::string_view> line(Cursor& at) {
    const std::size_t end = at.left.find('\r');
    const std::string_view text = at.left.substr(0, end);
    if (text.find('\n') != text.npos) refuse("a line feed within a line", text);
    if (end == at.left.npos || end + 1 == at.left.size()) return std::nullopt;
    if (at.left[end + 1] != '\n') refuse("a carriage return within a line", at.left.substr(0, end + 2));
    at.left.remove_prefix(end + 2);
    return text;
  }
  static std::int64_t integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) refuse("not an integer", text);
    return number;
  }
  static void check_double(std::string_view text) {
    const std::string copy{text};
    char* end = nullptr;
    std::strtod(copy.c_str(), &end);
    const bool is_number = !copy.empty() && *end == '\0' && copy.find_first_of(" xX") == copy.npos;
    const bool is_named = copy == "inf" || copy == "-inf" || copy == "nan";
    if (!is_number || (!is_named && copy.find_first_of("in") != copy.npos)) refuse("not a double", text);
  }
  static void check_big_number(std::string_view text) {
    const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
    if (digits.empty() || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
      refuse("not a big number", text);
  }

  bool read(Cursor& at, Reply& reply, int depth) const {
    if (at.left.empty()) return false;
    if (depth > kDepthMax) refuse("nested too deep", at.left);
    const char type = at.left.front();
    constexpr std::string_view kOfResp2 = "+-:$*";
    constexpr std::string_view kOfResp3 = "+-:$*_#,(!=%~>|";
    if ((speech_ == Speech::resp2 ? kOfResp2 : kOfResp3).find(type) == kOfResp3.npos)
      refuse("no type of this protocol", at.left);
    if (type == '>' && depth > 0) refuse("a push within a reply", at.left);
    at.left.remove_prefix(1);
    const auto text = line(at);
    if (!text) return false;
    reply = {.type = type, .text = std::string{*text}, .elements = {}, .bytes = 0};
    switch (type) {
      case '+': return true;
      case '-':
        if (text->empty()) refuse("an error without a text", *text);
        return true;
      case ':': integer(*text); return true;
      case ',': check_double(*text); return true;
      case '(': check_big_number(*text); return true;
      case '_':
        if (!text->empty()) refuse("not a null", *text);
        return true;
      case '#':
        if (*text != "t" && *text != "f") refuse("not a boolean", *text);
        return true;
      case '$':
      case '!':
      case '=': return read_bulk(at, type, *text, reply);
      case '%': return read_elements(at, type, *text, 2, depth, reply);
      case '|': return read_elements(at, type, *text, 2, depth, reply) && read(at, reply, depth);
      default: return read_elements(at, type, *text, 1, depth, reply);
    }
  }

  bool is_null(char type, std::int64_t length) const {
    return length == -1 && speech_ != Speech::resp3 && (type == '$' || type == '*');
  }
  bool read_bulk(Cursor& at, char type, std::string_view length_text, Reply& reply) const {
    const std::int64_t length = integer(length_text);
    if (is_null(type, length)) return true;
    if (length < 0) refuse("a length below zero", length_text);
    const auto size = static_cast<std::size_t>(length);
    if (at.left.size() < size + 2) {
      at.missing = size + 2 - at.left.size();
      return false;
    }
    const std::string_view text = at.left.substr(0, size);
    if (at.left.substr(size, 2) != "\r\n") refuse("a string of another length", at.left.substr(0, size + 2));
    if (type == '=' && (size < 4 || text[3] != ':')) refuse("a verbatim string without a format", text);
    reply.text = text;
    at.left.remove_prefix(size + 2);
    return true;
  }
  bool read_elements(Cursor& at, char type, std::string_view count_text, std::int64_t of_each, int depth,
                     Reply& reply) const {
    const std::int64_t count = integer(count_text);
    if (is_null(type, count)) return true;
    if (count < 0) refuse("a count below zero", count_text);
    for (std::int64_t left = count * of_each; left > 0; --left) {
      if (read(at, reply.elements.emplace_back(), depth + 1)) continue;
      at.missing += static_cast<std::size_t>(left - 1) * kBytesMin;
      return false;
    }
    return true;
  }

  const Speech speech_;
};

// A connection that reads so.
class StrictClient {
 public:
  StrictClient(const ServerProcess& server, Speech speech) : client_(server), replies_(speech) {}

  void send(std::string_view bytes) { client_.send_and_take(bytes, received_); }
  StrictReplies::Reply next_reply() {
    for (;;) {
      std::size_t missing = 0;
      if (auto reply = replies_.first_of(std::string_view{received_}.substr(taken_), missing)) {
        taken_ += reply->bytes;
        return std::move(*reply);
      }
      received_.erase(0, std::exchange(taken_, 0));
      for (const std::size_t needed = received_.size() + missing; received_.size() < needed;) {
        if (!client_.receive_some(received_))
          throw std::runtime_error("the server has closed the connection");
      }
    }
  }

 private:
  RawClient client_;
  const StrictReplies replies_;
  std::string received_;
  std::size_t taken_ = 0;  // of what was received
};

}  // namespace shale::integration
