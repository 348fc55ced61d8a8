#pragma once

#include <memory>
#include <string_view>
#include <vector>

// A request typed by a person: words on a line, as over telnet.
namespace shale::protocol {

// What the views of unquoted arguments point into; each line that has quotes adds one block.
using InlineStorage = std::vector<std::unique_ptr<char[]>>;

// Appends the words of `line` (without its line end), quoted as Redis's sdssplitargs reads them:
//
//   "..."  knows \n \r \t \b \a, \xHH and \ before any other character, which then stands for itself
//   '...'  knows \' only
//
// A closing quote must end the word, and a quote may open in the middle of one. Without quotes the words are
// views into `line`; with them, all are copied into `storage`. Returns false, with nothing appended, if
// quotes are not balanced. NUL is an ordinary byte here (Redis would wait for ever on a line that has one).
[[nodiscard]] bool split_inline(std::string_view line, InlineStorage& storage,
                                std::vector<std::string_view>& arguments);

}  // namespace shale::protocol
