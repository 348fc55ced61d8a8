// Lines of INFO: "field:value", in sections.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

namespace shale::server {

// 2423488 -> "2.31M", as Redis abbreviates bytes.
std::string abbreviate_bytes(std::uint64_t bytes);

class InfoFields {
 public:
  void section(std::string_view name) {
    if (!text_.empty()) text_ += "\r\n";
    fmt::format_to(std::back_inserter(text_), "# {}\r\n", name);
  }
  template <class Value>
  void add(std::string_view name, const Value& value) {
    fmt::format_to(std::back_inserter(text_), "{}:{}\r\n", name, value);
  }
  void add_ratio(std::string_view name, double value) {
    fmt::format_to(std::back_inserter(text_), "{}:{:.2f}\r\n", name, value);
  }
  void add_bytes(std::string_view name, std::uint64_t bytes) {
    add(name, bytes);
    fmt::format_to(std::back_inserter(text_), "{}_human:{}\r\n", name, abbreviate_bytes(bytes));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace shale::server
