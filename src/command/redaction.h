// Requests without what must not be shown: passwords, in SLOWLOG and to MONITOR.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "src/command/spec.h"

namespace shale::server {

// The words of a request, each that is secret as "(redacted)".
std::vector<std::string_view> redacted(const CommandSpec& command, std::span<const std::string_view> words);

}  // namespace shale::server
