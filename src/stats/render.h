// Three ways to show Figures.
#pragma once

#include <string>
#include <string_view>

#include "protocol/reply_writer.h"
#include "src/stats/figures.h"

namespace shale::server {

// Maps, lists and numbers of RESP; RESP2 gets its own forms of them.
void write_reply(const Figures& figures, protocol::ReplyWriter& reply);

// One line, without blanks. Text that is not UTF-8 is shown with U+FFFD in the place of every wrong byte.
std::string to_json(const Figures& figures);

// For people, in lines of at most kScreenColumns where the texts allow: a heading for each of `sections`,
// which are all Figures; their figures in two columns, and their Rows as tables. Lines end with "\n".
constexpr std::size_t kScreenColumns = 80;
std::string to_screen(const Figures& sections);

// How redis-cli shows bytes: "\"user:\\x01\"". At most `bytes_max` of them, then "...".
std::string quote_bytes(std::string_view bytes, std::size_t bytes_max);

}  // namespace shale::server
