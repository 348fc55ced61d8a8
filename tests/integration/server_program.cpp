#include "tests/integration/server_program.h"

namespace shale::integration {

const char* server_program() { return SHALE_SERVER_PATH; }

}  // namespace shale::integration
