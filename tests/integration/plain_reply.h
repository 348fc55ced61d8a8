// Replies and messages as one reads them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace shale::integration {

// ">3 message a hello": without lengths of strings and line ends; nil for a null string.
inline std::string plain(std::string_view encoded) {
  std::string text;
  while (!encoded.empty()) {
    const std::size_t end = std::min(encoded.find("\r\n"), encoded.size());
    const std::string_view line = encoded.substr(0, end);
    if (line.empty() || line[0] != '$' || line == "$-1") {
      text += fmt::format("{}{}", text.empty() ? "" : " ", line == "$-1" ? "nil" : line);
    }
    encoded.remove_prefix(std::min(end + 2, encoded.size()));
  }
  return text;
}

}  // namespace shale::integration
