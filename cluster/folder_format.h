// The FORMAT file of a data folder: says that the folder is Shale's, and which version of the format it has.
#pragma once

#include <string>

#include "engine/bytes.h"
#include "engine/result.h"

namespace shale::cluster {

// What the file holds in a folder that this build makes.
std::string folder_format();
// Success if the file's contents are ones that this build can read, else Error{unsupported} naming `path`.
engine::Status check_folder_format(engine::BytesView contents, const std::string& path);

}  // namespace shale::cluster
