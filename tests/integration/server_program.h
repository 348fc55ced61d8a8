// Which program the tests start. In a file of its own, so that no other object depends on its place: what one
// build has compiled serves the others.
#pragma once

namespace shale::integration {

const char* server_program();  // its path

}  // namespace shale::integration
