#include "protocol/inline_request.h"

#include <cstddef>

namespace shale::protocol {
namespace {

// Between words, everything that isspace() accepts in the C locale is skipped...
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// ...but only these end a word that has begun: vertical tab and form feed are part of it. Redis's own oddity.
bool ends_word(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char escaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

void split_plain(std::string_view line, std::vector<std::string_view>& arguments) {
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size()) return;
    const auto begin = at;
    while (at < line.size() && !ends_word(line[at])) ++at;
    arguments.push_back(line.substr(begin, at - begin));
  }
}

// Reads words off a line and writes them, unquoted, one behind the other. No word gets longer by unquoting,
// so a block of the line's size holds them all.
class Unquoter {
 public:
  Unquoter(std::string_view line, char* block) : line_(line), to_(block) {}

  bool skip_blanks() {
    while (at_ < line_.size() && is_blank(line_[at_])) ++at_;
    return at_ < line_.size();
  }

  // False if a quote is not closed, or closed in the middle of a word.
  bool read_word(std::string_view& word) {
    const char* const begin = to_;
    while (at_ < line_.size() && !ends_word(line_[at_])) {
      const char c = line_[at_++];
      if (c == '"' || c == '\'') {
        if (!(c == '"' ? read_double_quoted() : read_single_quoted())) return false;
        break;
      }
      *to_++ = c;
    }
    word = {begin, static_cast<std::size_t>(to_ - begin)};
    return true;
  }

 private:
  bool read_double_quoted() {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      if (c == '"') return word_has_ended();
      if (c != '\\' || at_ == line_.size()) {
        *to_++ = c;
      } else if (!read_hex_byte()) {
        *to_++ = escaped(line_[at_++]);
      }
    }
    return false;
  }

  bool read_hex_byte() {
    if (line_.size() - at_ < 3 || line_[at_] != 'x') return false;
    const int high = hex_value(line_[at_ + 1]);
    const int low = hex_value(line_[at_ + 2]);
    if (high < 0 || low < 0) return false;
    *to_++ = static_cast<char>(high * 16 + low);
    at_ += 3;
    return true;
  }

  bool read_single_quoted() {
    while (at_ < line_.size()) {
      char c = line_[at_++];
      if (c == '\'') return word_has_ended();
      if (c == '\\' && at_ < line_.size() && line_[at_] == '\'') c = line_[at_++];
      *to_++ = c;
    }
    return false;
  }

  bool word_has_ended() const { return at_ == line_.size() || is_blank(line_[at_]); }

  const std::string_view line_;
  std::size_t at_ = 0;
  char* to_;
};

}  // namespace

bool split_inline(std::string_view line, InlineStorage& storage, std::vector<std::string_view>& arguments) {
  if (line.find_first_of("\"'") == std::string_view::npos) {
    split_plain(line, arguments);
    return true;
  }
  const auto arguments_before = arguments.size();
  auto block = std::make_unique<char[]>(line.size());
  Unquoter unquoter(line, block.get());
  while (unquoter.skip_blanks()) {
    std::string_view word;
    if (!unquoter.read_word(word)) {
      arguments.resize(arguments_before);
      return false;
    }
    arguments.push_back(word);
  }
  storage.push_back(std::move(block));
  return true;
}

}  // namespace shale::protocol
