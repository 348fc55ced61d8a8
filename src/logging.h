// Where log lines go and how many there are.
#pragma once

#include <cstdint>
#include <string>

namespace shale::server {

// `level` is an index into the choices of the option loglevel. False if `file` cannot be written; empty is
// stdout.
bool set_up_logging(const std::string& file, std::int64_t level);
void set_log_level(std::int64_t level);  // thread-safe

}  // namespace shale::server
