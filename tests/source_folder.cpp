#include "tests/source_folder.h"

namespace shale {

std::string source_folder() { return SHALE_SOURCE_DIR; }

}  // namespace shale
