#include "protocol/request_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "protocol/number_text.h"

namespace shale::protocol {
namespace {

constexpr std::size_t kLineEndBytes = 2;

// The shortest thing that can stand where a length line is expected and more follows: "$0\r\n\r\n".
constexpr std::ptrdiff_t kFramedBulkBytesMin = 6;

// More digits are left to the careful path; fewer cannot overflow.
constexpr int kFastDigitsMax = 10;

// The capacity that is kept from one request to the next.
constexpr std::size_t kSpansKeptMax = 1024;

// Reads "<type><digits>\r\n" and returns the end of it, or nullptr for anything that is not plainly that.
inline const char* read_plain_length(const char* at, const char* end, char type, std::size_t& length) {
  if (end - at < kFramedBulkBytesMin || at[0] != type) return nullptr;
  const auto digit_at = [](const char* place) { return static_cast<unsigned char>(*place - '0'); };

  std::size_t value = digit_at(++at);
  if (value > 9) return nullptr;
  const char* const begin = at++;
  if (value != 0) {  // no digits behind a leading zero
    const char* const digits_end = end - begin > kFastDigitsMax ? begin + kFastDigitsMax : end;
    for (; at != digits_end && digit_at(at) <= 9; ++at) value = value * 10 + digit_at(at);
  }
  if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return nullptr;
  length = value;
  return at + kLineEndBytes;
}

}  // namespace

void RequestParser::set_limits(const ParserLimits& limits) {
  limits_ = limits;
  apply_limits();
}

void RequestParser::set_authenticated(bool authenticated) {
  authenticated_ = authenticated;
  apply_limits();
}

void RequestParser::apply_limits() {
  arguments_allowed_ = limits_.arguments_max;
  bulk_bytes_allowed_ = limits_.bulk_bytes_max;
  if (authenticated_) return;
  arguments_allowed_ = std::min(arguments_allowed_, kUnauthenticatedArgumentsMax);
  bulk_bytes_allowed_ = std::min(bulk_bytes_allowed_, kUnauthenticatedBulkBytesMax);
}

RequestParser::Outcome RequestParser::next(std::string_view unread,
                                           std::vector<std::string_view>& arguments) {
  consumed_ = 0;
  const auto arguments_before = arguments.size();
  for (;;) {
    const auto request = unread.substr(consumed_);
    if (stage_ == Stage::between_requests) {
      if (const auto bytes = parse_whole(request, arguments); bytes != 0) {
        consumed_ += bytes;
        return Outcome::request;
      }
    }
    if (!read_request(request, arguments)) {
      return stage_ == Stage::failed ? Outcome::error : Outcome::incomplete;
    }
    consumed_ += position_;
    begin_next_request();
    if (arguments.size() != arguments_before) return Outcome::request;
  }
}

std::optional<RequestParser::ArrivingBulk> RequestParser::arriving_bulk() const {
  if (stage_ != Stage::bulk) return std::nullopt;
  return ArrivingBulk{spans_.size(), position_, bulk_bytes_};
}

// The common case, an ordinary array that is all there, without state or error texts. Everything else makes
// it return 0 and leave the request to read_request(), which decides what is wrong or missing. So a request
// is parsed twice at most, and only the one at the end of a read.
std::size_t RequestParser::parse_whole(std::string_view unread,
                                       std::vector<std::string_view>& arguments) const {
  const char* const end = unread.data() + unread.size();
  std::size_t count = 0;
  const char* at = read_plain_length(unread.data(), end, '*', count);
  if (at == nullptr || count == 0 || count > arguments_allowed_) return 0;

  const auto arguments_before = arguments.size();
  for (; count != 0; --count) {
    std::size_t bytes = 0;
    at = read_plain_length(at, end, '$', bytes);
    if (at == nullptr || bytes > bulk_bytes_allowed_ ||
        static_cast<std::size_t>(end - at) < bytes + kLineEndBytes) {
      arguments.resize(arguments_before);
      return 0;
    }
    arguments.emplace_back(at, bytes);
    at += bytes + kLineEndBytes;
  }
  return static_cast<std::size_t>(at - unread.data());
}

bool RequestParser::read_request(std::string_view request, std::vector<std::string_view>& arguments) {
  if (stage_ == Stage::failed) return false;
  if (request.empty()) return want(1);
  if (stage_ == Stage::between_requests) {
    stage_ = request.front() == '*' ? Stage::count_line : Stage::inline_line;
  }
  return stage_ == Stage::inline_line ? read_inline(request, arguments) : read_array(request, arguments);
}

bool RequestParser::read_inline(std::string_view request, std::vector<std::string_view>& arguments) {
  if (!find_in_line(request, '\n', "Protocol error: too big inline request")) return false;
  auto line = request.substr(0, scanned_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!split_inline(line, inline_storage_, arguments)) {
    return fail("Protocol error: unbalanced quotes in request");
  }
  position_ = scanned_ + 1;
  return true;
}

bool RequestParser::read_array(std::string_view request, std::vector<std::string_view>& arguments) {
  if (stage_ == Stage::count_line && !read_count(request)) return false;
  while (spans_.size() < argument_count_) {
    if (stage_ == Stage::size_line && !read_bulk_size(request)) return false;
    if (!read_bulk(request)) return false;
  }
  deliver(request, arguments);
  return true;
}

bool RequestParser::read_count(std::string_view request) {
  if (!find_length_line(request, "Protocol error: too big mbulk count string")) return false;
  const auto count = parse_integer(length_text(request));
  if (!count || std::cmp_greater(*count, limits_.arguments_max)) {
    return fail("Protocol error: invalid multibulk length");
  }
  if (std::cmp_greater(*count, arguments_allowed_)) {
    return fail("Protocol error: unauthenticated multibulk length");
  }
  argument_count_ = *count > 0 ? static_cast<std::size_t>(*count) : 0;
  pass_length_line();
  stage_ = Stage::size_line;
  return true;
}

bool RequestParser::read_bulk_size(std::string_view request) {
  if (!find_length_line(request, "Protocol error: too big bulk count string")) return false;
  if (request[position_] != '$') {
    return fail(std::string("Protocol error: expected '$', got '") + request[position_] + "'");
  }
  const auto bytes = parse_integer(length_text(request));
  if (!bytes || *bytes < 0 || std::cmp_greater(*bytes, limits_.bulk_bytes_max)) {
    return fail("Protocol error: invalid bulk length");
  }
  if (std::cmp_greater(*bytes, bulk_bytes_allowed_)) {
    return fail("Protocol error: unauthenticated bulk length");
  }
  bulk_bytes_ = static_cast<std::size_t>(*bytes);
  pass_length_line();
  stage_ = Stage::bulk;
  return true;
}

bool RequestParser::read_bulk(std::string_view request) {
  const auto end = position_ + bulk_bytes_ + kLineEndBytes;
  if (request.size() < end) return want(end);
  spans_.push_back({position_, bulk_bytes_});
  arrived_argument_bytes_ += bulk_bytes_;
  position_ = scanned_ = end;
  stage_ = Stage::size_line;
  return true;
}

// Leaves scanned_ at the first `wanted` of the line that begins at position_. It may be preceded by
// inline_bytes_max bytes. Redis compares what happens to be in its buffer with that limit and so lets longer
// lines pass if they come in one read; I1 does not allow that.
bool RequestParser::find_in_line(std::string_view request, char wanted, const char* too_long) {
  const auto line_bytes_max = position_ + limits_.inline_bytes_max;
  const auto searched = request.substr(0, line_bytes_max + 1);
  const auto found = searched.find(wanted, scanned_);
  if (found != std::string_view::npos) {
    scanned_ = found;
    return true;
  }
  scanned_ = searched.size();
  return request.size() > line_bytes_max ? fail(too_long) : want(request.size() + 1);
}

// As Redis, wants the byte behind the '\r' to be there, whatever it is.
bool RequestParser::find_length_line(std::string_view request, const char* too_long) {
  if (!find_in_line(request, '\r', too_long)) return false;
  const auto end = scanned_ + kLineEndBytes;
  return request.size() >= end || want(end);
}

// What stands between the type, which the caller has checked, and the '\r'.
std::string_view RequestParser::length_text(std::string_view request) const {
  return request.substr(position_ + 1, scanned_ - position_ - 1);
}

void RequestParser::pass_length_line() { position_ = scanned_ = scanned_ + kLineEndBytes; }

void RequestParser::deliver(std::string_view request, std::vector<std::string_view>& arguments) const {
  for (const auto& span : spans_) arguments.push_back(request.substr(span.offset, span.bytes));
}

void RequestParser::begin_next_request() {
  stage_ = Stage::between_requests;
  position_ = scanned_ = argument_count_ = arrived_argument_bytes_ = 0;
  spans_.clear();
  if (spans_.capacity() > kSpansKeptMax) std::vector<Span>().swap(spans_);
}

bool RequestParser::want(std::size_t bytes) {
  bytes_wanted_ = bytes;
  return false;
}

bool RequestParser::fail(std::string text) {
  error_ = std::move(text);
  stage_ = Stage::failed;
  return false;
}

}  // namespace shale::protocol
