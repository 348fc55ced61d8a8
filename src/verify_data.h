// shale-server --verify: checks a data folder and says what it found.
#pragma once

#include <string>

namespace shale::server {

// Exit codes.
constexpr int kSound = 0;
constexpr int kDamaged = 1;
constexpr int kNotVerified = 2;  // in use by a server, of another version, or no data folder

// Prints a line for each finding and one that sums up; returns the exit code. Reads everything, changes
// nothing.
int verify_data(const std::string& folder);

}  // namespace shale::server
