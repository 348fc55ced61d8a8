#include "protocol/reply_writer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>

#include "protocol/number_text.h"

namespace shale::protocol {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// A type, a minus, 19 digits, a line end, rounded up.
constexpr std::size_t kHeaderBytesMax = 24;

// Up to this size a bulk string is put together on the stack: one append costs less than three.
constexpr std::size_t kSmallBulkBytesMax = 128;

// Most lengths and many integers have one or two digits.
template <class Integer>
char* write_integer(Integer value, char* to) {
  if (value >= 0 && value < 10) {
    *to = static_cast<char>('0' + value);
    return to + 1;
  }
  return std::to_chars(to, to + kHeaderBytesMax, value).ptr;
}

template <class Integer>
char* write_header(char type, Integer value, char* to) {
  *to++ = type;
  to = write_integer(value, to);
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

std::string_view without_line_ends_around(std::string_view text) {
  const auto first = text.find_first_not_of(kLineEnd);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kLineEnd) - first + 1);
}

void append_as_one_line(std::string& output, std::string_view text) {
  const auto begin = static_cast<std::ptrdiff_t>(output.size());
  output.append(text);
  std::replace_if(
      output.begin() + begin, output.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

}  // namespace

void ReplyWriter::ok() { output_.append("+OK\r\n"); }

void ReplyWriter::simple_string(std::string_view text) { line('+', text); }

void ReplyWriter::error(std::string_view code, std::string_view text) {
  output_.push_back('-');
  output_.append(code);
  if (const auto trimmed = without_line_ends_around(text); !trimmed.empty()) {
    output_.push_back(' ');
    append_as_one_line(output_, trimmed);
  }
  output_.append(kLineEnd);
}

void ReplyWriter::integer(std::int64_t value) {
  std::array<char, kHeaderBytesMax> text;
  output_.append(text.data(), write_header(':', value, text.data()));
}

void ReplyWriter::bulk(std::string_view bytes) {
  std::array<char, kHeaderBytesMax + kSmallBulkBytesMax + kLineEnd.size()> text;
  char* to = write_header('$', bytes.size(), text.data());
  if (bytes.size() <= kSmallBulkBytesMax) {
    to = std::copy(bytes.begin(), bytes.end(), to);
    *to++ = '\r';
    *to++ = '\n';
    output_.append(text.data(), to);
    return;
  }
  output_.append(text.data(), to);
  output_.append(bytes);
  output_.append(kLineEnd);
}

std::size_t ReplyWriter::bulk_without_bytes(std::uint64_t bytes, std::string_view before,
                                            std::string_view behind) {
  header('$', before.size() + bytes + behind.size());
  output_.append(before);
  const std::size_t offset = output_.size();
  output_.append(behind).append(kLineEnd);
  return offset;
}

void ReplyWriter::null() { output_.append(resp3() ? "_\r\n" : "$-1\r\n"); }

void ReplyWriter::null_array() { output_.append(resp3() ? "_\r\n" : "*-1\r\n"); }

void ReplyWriter::boolean(bool value) {
  if (resp3()) {
    output_.append(value ? "#t\r\n" : "#f\r\n");
  } else {
    output_.append(value ? ":1\r\n" : ":0\r\n");
  }
}

void ReplyWriter::number(double value) {
  DoubleText buffer;
  const auto text = format_double(value, buffer);
  if (resp3()) {
    line(',', text);
  } else {
    bulk(text);
  }
}

void ReplyWriter::big_number(std::string_view digits) {
  if (resp3()) {
    line('(', digits);
  } else {
    bulk(digits);
  }
}

void ReplyWriter::verbatim(std::string_view format, std::string_view text) {
  assert(format.size() == 3);
  if (!resp3()) return bulk(text);
  header('=', format.size() + 1 + text.size());
  output_.append(format);
  output_.push_back(':');
  output_.append(text);
  output_.append(kLineEnd);
}

void ReplyWriter::array(std::size_t count) { header('*', count); }

void ReplyWriter::map(std::size_t pairs) {
  if (resp3()) {
    header('%', pairs);
  } else {
    header('*', pairs * 2);
  }
}

void ReplyWriter::set(std::size_t count) { header(resp3() ? '~' : '*', count); }

void ReplyWriter::push(std::size_t count) { header(resp3() ? '>' : '*', count); }

bool ReplyWriter::attribute(std::size_t pairs) {
  if (resp3()) header('|', pairs);
  return resp3();
}

ReplyWriter::Deferred ReplyWriter::begin_array(std::size_t likely_count) {
  return begin('*', false, likely_count);
}

ReplyWriter::Deferred ReplyWriter::begin_map(std::size_t likely_pairs) {
  return begin(resp3() ? '%' : '*', !resp3(), likely_pairs);
}

ReplyWriter::Deferred ReplyWriter::begin_set(std::size_t likely_count) {
  return begin(resp3() ? '~' : '*', false, likely_count);
}

ReplyWriter::Deferred ReplyWriter::begin(char type, bool pairs_as_two, std::size_t likely_count) {
  const auto offset = output_.size();
  header(type, pairs_as_two ? likely_count * 2 : likely_count);
  return {offset, static_cast<std::uint8_t>(output_.size() - offset), type, pairs_as_two};
}

void ReplyWriter::finish(const Deferred& deferred, std::size_t count) {
  std::array<char, kHeaderBytesMax> text;
  const char* const end = write_header(deferred.type, deferred.pairs_as_two ? count * 2 : count, text.data());
  output_.replace(deferred.offset, deferred.header_bytes, text.data(),
                  static_cast<std::size_t>(end - text.data()));
}

void ReplyWriter::line(char type, std::string_view text) {
  output_.push_back(type);
  append_as_one_line(output_, text);
  output_.append(kLineEnd);
}

void ReplyWriter::header(char type, std::uint64_t number) {
  std::array<char, kHeaderBytesMax> text;
  output_.append(text.data(), write_header(type, number, text.data()));
}

}  // namespace shale::protocol
