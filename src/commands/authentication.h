// Who a client is, and the name it gives itself: what AUTH, HELLO, RESET and CLIENT SETNAME have in common.
#pragma once

#include <string_view>

#include "src/command/context.h"

namespace shale::server {

inline constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// What CLIENT LIST can show without ambiguity: printable ASCII without blanks. Empty is fine.
bool is_client_attribute(std::string_view text);
void set_client_name(Session& session, std::string_view name);

void set_protocol(CommandContext& context, protocol::Version version);

}  // namespace shale::server
