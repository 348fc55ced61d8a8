// Files of the operator's that the server writes anew: the configuration, the users.
#pragma once

#include <filesystem>
#include <string_view>

namespace shale::server {

// The file has the old contents or the new, whatever happens, and durably the new ones when this returns
// true. It keeps its owner and permissions; one that is new is its owner's alone. Of a link, what it leads to
// is replaced. False with errno set. Waits for the disk. Thread-safe: of two for one file, one is the last.
bool replace_file(const std::filesystem::path& path, std::string_view contents);

}  // namespace shale::server
