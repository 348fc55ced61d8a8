#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/stats/render.h"

namespace shale::server {
namespace {

// How many bytes the UTF-8 character at the beginning of `text`, which is not empty, takes; 0 if there is
// none. RFC 3629: neither surrogates, nor longer forms than needed, nor anything beyond U+10FFFF.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (std::size_t index = 1; index < length; ++index) {
    if ((byte(index) & 0xc0) != 0x80) return 0;
  }
  const unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return byte(1) >= least && byte(1) <= most ? length : 0;
}

void append_string(std::string_view text, std::string& json) {
  json += '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char letter = text.front();
    if (length == 0) {
      json += "\\ufffd";
    } else if (letter == '"' || letter == '\\') {
      json += '\\';
      json += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      json += fmt::format("\\u{:04x}", letter);
    } else {
      json += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  json += '"';
}

void append_object(const Figures& figures, std::string& json);

struct JsonWriter {
  std::string& json;

  void operator()(NotKnown) const { json += "null"; }
  void operator()(std::int64_t number) const { json += std::to_string(number); }
  void operator()(double number) const { json += std::isfinite(number) ? fmt::format("{}", number) : "null"; }
  void operator()(const std::string& text) const { append_string(text, json); }
  void operator()(const Figures& figures) const { append_object(figures, json); }
  void operator()(const Figure::Rows& rows) const {
    json += '[';
    for (const Figures& row : rows) {
      if (&row != rows.data()) json += ',';
      append_object(row, json);
    }
    json += ']';
  }
};

void append_object(const Figures& figures, std::string& json) {
  json += '{';
  for (const auto& named : figures.all()) {
    if (&named != figures.all().data()) json += ',';
    append_string(named.name, json);
    json += ':';
    std::visit(JsonWriter{json}, named.figure.value());
  }
  json += '}';
}

}  // namespace

std::string to_json(const Figures& figures) {
  std::string json;
  append_object(figures, json);
  return json;
}

}  // namespace shale::server
