// Where the repository is. In a file of its own, so that no other object depends on the place: caches of
// compilers find what another clone has built.
#pragma once

#include <string>

namespace shale {

std::string source_folder();  // absolute, without a slash at the end

}  // namespace shale
