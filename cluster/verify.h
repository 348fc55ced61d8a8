// Checks a data folder that no server has open: FORMAT, catalog, log, and what lsm/ holds, with every
// checksum, and that the parts agree with each other. Changes nothing.
#pragma once

#include <string>

#include "engine/bytes.h"
#include "engine/io/file_system.h"
#include "engine/verification.h"

namespace shale::cluster {

// Waits for the disk, and long: it reads everything. Holds the folder's lock meanwhile. A folder that is in
// use, or none of Shale's, is unchecked.
// `value_is_large`: as in StoreOptions.
void verify_folder(engine::FileSystem& files, const std::string& folder, engine::Verification& verification,
                   bool (*value_is_large)(engine::BytesView value) = nullptr);

}  // namespace shale::cluster
