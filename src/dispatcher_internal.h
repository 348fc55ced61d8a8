// What the dispatcher's two files share.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "protocol/reply_writer.h"
#include "src/batch.h"

namespace shale::server {

// Behind it, what could not be done now is tried again.
constexpr std::chrono::milliseconds kRetryPause{1};

inline std::span<const std::string_view> words_of(const Batch& batch, const Batch::Request& request) {
  return std::span{batch.arguments}.subspan(request.first_argument, request.argument_count);
}

// `error` with its code: "ERR syntax error".
void write_error(protocol::ReplyWriter& reply, std::string_view error);

// What EXEC replies if it, or the whole transaction, meets `error`.
std::string discarded_because_of(std::string_view error);

}  // namespace shale::server
