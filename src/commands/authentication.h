// Who a client is, and the name it gives itself: what AUTH, HELLO, RESET and CLIENT SETNAME have in common.
#pragma once

#include <string_view>

#include "src/command/context.h"

namespace shale::server {

inline constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

// Whether the pair is right. The time it takes tells nothing of the password. There is one user, "default";
// while it has no password, any is right.
bool password_is_right(CommandContext& context, std::string_view user, std::string_view password);

// What CLIENT LIST can show without ambiguity: printable ASCII without blanks. Empty is fine.
bool is_client_attribute(std::string_view text);
void set_client_name(Session& session, std::string_view name);

void set_protocol(CommandContext& context, protocol::Version version);

}  // namespace shale::server
