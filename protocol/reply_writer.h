#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace shale::protocol {

enum class Version : std::uint8_t { resp2 = 2, resp3 = 3 };

// Appends replies to the caller's `output`, in the version the client has chosen with HELLO. Every type of
// RESP3 has the RESP2 form that Redis gives it, so commands need not ask for the version.
//
// Aggregates are written as a header, then the elements, by further calls; nobody checks that their number is
// right. What has been written may be taken back by cutting `output` to the size it had before.
class ReplyWriter {
 public:
  explicit ReplyWriter(std::string& output, Version version = Version::resp2)
      : output_(output), version_(version) {}

  Version version() const { return version_; }
  void set_version(Version version) { version_ = version; }

  void ok();
  void simple_string(std::string_view text);  // line ends inside become spaces, as in errors

  // "-WRONGTYPE Operation against...": a code without blanks, then the text for people. As in Redis, line
  // ends around the text are cut off and those inside become spaces, so that it may quote what a client sent.
  void error(std::string_view code, std::string_view text);

  void integer(std::int64_t value);
  void bulk(std::string_view bytes);
  // A bulk string without `bytes` of its bytes, those between `before` and `behind`; returns where in the
  // output they belong.
  std::size_t bulk_without_bytes(std::uint64_t bytes, std::string_view before = {},
                                 std::string_view behind = {});
  void null();                               // RESP2: the null bulk string
  void null_array();                         // RESP2: the null array; RESP3 has but one null
  void boolean(bool value);                  // RESP2: 1 or 0
  void number(double value);                 // RESP2: a bulk string; the text is format_double's
  void big_number(std::string_view digits);  // RESP2: a bulk string
  // `format` is three bytes: "txt" or "mkd". RESP2: a bulk string without it.
  void verbatim(std::string_view format, std::string_view text);

  void array(std::size_t count);
  void map(std::size_t pairs);   // RESP2: an array of keys and values in turn
  void set(std::size_t count);   // RESP2: an array
  void push(std::size_t count);  // RESP2: an array, which is how pub/sub messages look there

  // Attributes go before the reply that they describe. RESP2 has nothing like it: returns false, has written
  // nothing, and the caller leaves out the pairs.
  [[nodiscard]] bool attribute(std::size_t pairs);

  // An aggregate whose size is known only when its elements have been written:
  //
  //   const auto found = writer.begin_array();
  //   for (...) writer.bulk(key), ++count;
  //   writer.finish(found, count);
  //
  // They nest; inner ones are finished first. If the size has as many digits as the likely one, finish()
  // writes over the header; otherwise it moves the elements by the difference, once.
  struct Deferred {
    std::size_t offset;
    std::uint8_t header_bytes;
    char type;
    bool pairs_as_two;
  };
  [[nodiscard]] Deferred begin_array(std::size_t likely_count = 0);
  [[nodiscard]] Deferred begin_map(std::size_t likely_pairs = 0);
  [[nodiscard]] Deferred begin_set(std::size_t likely_count = 0);
  void finish(const Deferred& deferred, std::size_t count);

 private:
  bool resp3() const { return version_ == Version::resp3; }
  void line(char type, std::string_view text);
  void header(char type, std::uint64_t number);
  Deferred begin(char type, bool pairs_as_two, std::size_t likely_count);

  std::string& output_;
  Version version_;
};

}  // namespace shale::protocol
