#include "src/session.h"

#include "src/client_transaction.h"
#include "src/pubsub/subscriptions.h"

namespace shale::server {

Session::Session() = default;
Session::~Session() = default;

}  // namespace shale::server
