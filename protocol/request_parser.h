#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/inline_request.h"

namespace shale::protocol {

struct ParserLimits {
  std::size_t bulk_bytes_max = std::size_t{512} << 20;  // Redis's proto-max-bulk-len
  // Redis's own before 7.0. Since then it is INT_MAX, which bounds nothing: a view per argument is 32 GiB.
  std::size_t arguments_max = std::size_t{1} << 20;
  std::size_t inline_bytes_max = std::size_t{64} << 10;  // also for a line that holds a length
};

// What a client may send before it has authenticated, if it has to.
inline constexpr std::size_t kUnauthenticatedArgumentsMax = 10;
inline constexpr std::size_t kUnauthenticatedBulkBytesMax = 16384;

// Cuts a stream of bytes into requests: RESP arrays of bulk strings, or inline commands. It owns no buffer
// and no socket; the caller keeps the bytes that have not been consumed and shows them again, with more
// behind.
//
//   I1  The requests do not depend on how the stream was cut into reads.
//   I2  No call scans again what an earlier one has scanned; the bytes of a bulk string are never looked at.
//   I3  Memory grows with what has arrived, never with what a length announces.
//
// What Redis leaves unchecked is not checked here either: the byte behind the '\r' of a length line, and the
// two behind a bulk string. Belongs to one connection, used by one thread.
class RequestParser {
 public:
  enum class Outcome : std::uint8_t { request, incomplete, error };

  RequestParser() { set_limits({}); }
  explicit RequestParser(const ParserLimits& limits) { set_limits(limits); }

  // Parses the next request at the start of `unread`. Whatever comes out, the caller drops consumed() bytes:
  // the next call's `unread` starts that much further on, and may lie elsewhere in memory.
  //
  //   request     Its arguments, at least one, are appended to `arguments`: views into `unread`, or, for an
  //               inline request with quotes, into storage that lives until release().
  //   incomplete  Nothing is appended. bytes_wanted() says how long `unread` has to be to get any further.
  //   error       Nothing is appended; error() is for the client, and the connection has to be closed: every
  //               further call is an error too.
  //
  // Empty requests (blank lines, "*0", "*-1") get no reply; they are skipped and counted in consumed().
  Outcome next(std::string_view unread, std::vector<std::string_view>& arguments);

  std::size_t consumed() const { return consumed_; }

  // After `incomplete`: the length below which the next `unread`, without the consumed() bytes, changes
  // nothing. It is what the client announced, up to bulk_bytes_max and its frame: a reason to size the buffer
  // for a large value at once, not a proof that the value will come.
  std::size_t bytes_wanted() const { return bytes_wanted_; }

  // After `incomplete`: the bulk string that is arriving, if its length is known and it is not all there.
  // The caller may take it out of the stream and receive it elsewhere: it shows the next `unread` without any
  // of its bytes, but with the two behind them, and calls divert_bulk() first. Its argument is then empty.
  struct ArrivingBulk {
    std::size_t argument;  // which it will be; 0 is the command's name
    std::size_t offset;    // of its first byte in `unread`, without the consumed() bytes
    std::size_t bytes;
  };
  std::optional<ArrivingBulk> arriving_bulk() const;
  void divert_bulk() { bulk_bytes_ = 0; }
  // An argument of that request which has arrived; `unread` as for arriving_bulk().
  std::string_view arrived_argument(std::string_view unread, std::size_t argument) const {
    return unread.substr(spans_[argument].offset, spans_[argument].bytes);
  }

  // Redis's text, without "ERR " before it: "Protocol error: invalid bulk length". It may quote a byte of the
  // request, so the reply writer has to replace line ends.
  const std::string& error() const { return error_; }

  // Both hold for the lengths read from now on.
  void set_limits(const ParserLimits& limits);
  void set_authenticated(bool authenticated);  // true from the start: most servers ask for nothing

  // Ends the life of the arguments handed out so far; call it when a batch has been executed.
  void release() { inline_storage_.clear(); }

  // Of the arguments that have arrived of a request that has not come to its end.
  std::size_t arrived_argument_bytes() const { return arrived_argument_bytes_; }
  // What this parser holds on the heap for a request that is still arriving.
  std::size_t memory_bytes() const { return spans_.capacity() * sizeof(Span); }

 private:
  enum class Stage : std::uint8_t { between_requests, inline_line, count_line, size_line, bulk, failed };

  struct Span {  // an argument that has arrived, counted from the request's first byte: the buffer may move
    std::size_t offset;
    std::size_t bytes;
  };

  std::size_t parse_whole(std::string_view unread, std::vector<std::string_view>& arguments) const;

  // Each returns whether it got what it is named after. If not, `stage_` is failed or more bytes are wanted.
  bool read_request(std::string_view request, std::vector<std::string_view>& arguments);
  bool read_inline(std::string_view request, std::vector<std::string_view>& arguments);
  bool read_array(std::string_view request, std::vector<std::string_view>& arguments);
  bool read_count(std::string_view request);
  bool read_bulk_size(std::string_view request);
  bool read_bulk(std::string_view request);
  bool find_in_line(std::string_view request, char wanted, const char* too_long);
  bool find_length_line(std::string_view request, const char* too_long);

  std::string_view length_text(std::string_view request) const;
  void pass_length_line();
  void deliver(std::string_view request, std::vector<std::string_view>& arguments) const;
  void begin_next_request();
  void apply_limits();
  bool want(std::size_t bytes);
  bool fail(std::string text);

  // The limits that count now.
  std::size_t arguments_allowed_ = 0;
  std::size_t bulk_bytes_allowed_ = 0;

  Stage stage_ = Stage::between_requests;
  bool authenticated_ = true;
  ParserLimits limits_;

  // The request that is arriving; offsets count from its first byte.
  std::size_t position_ = 0;        // where the line or bulk string begins that is read next
  std::size_t scanned_ = 0;         // no line end is to be found before this
  std::size_t argument_count_ = 0;  // as announced
  std::size_t bulk_bytes_ = 0;      // as announced
  std::vector<Span> spans_;
  std::size_t arrived_argument_bytes_ = 0;  // of spans_

  std::size_t consumed_ = 0;
  std::size_t bytes_wanted_ = 1;
  InlineStorage inline_storage_;
  std::string error_;
};

}  // namespace shale::protocol
