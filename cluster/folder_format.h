// The FORMAT file of a data folder: says that the folder is Shale's, and which version of the format it has.
#pragma once

#include <string>

#include "engine/bytes.h"
#include "engine/result.h"

namespace shale::cluster {

// 2 since there are large values (docs/large-values.md): a folder is given it with its first one, so that
// earlier builds go on reading folders without any.
inline constexpr unsigned kFolderFormatOfNew = 1;
inline constexpr unsigned kFolderFormatWithLargeValues = 2;

// What the file holds in a folder of that format.
std::string folder_format(unsigned version);
// The version, if this build can read it, else Error{unsupported} naming `path`.
engine::Result<unsigned> check_folder_format(engine::BytesView contents, const std::string& path);

}  // namespace shale::cluster
