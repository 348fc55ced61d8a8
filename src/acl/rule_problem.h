// What can be wrong with a rule of a user, such as "+get" or "~key:*".
#pragma once

#include <cstdint>
#include <string_view>

namespace shale::server::acl {

enum class RuleProblem : std::uint8_t {
  none,
  syntax,
  unknown_command,  // or category
  first_argument_of_subcommand,
  keys_after_all,
  channels_after_all,
  no_such_password,
  bad_hash,
};

// For people and clients, in Redis's words.
std::string_view message_of(RuleProblem problem);

}  // namespace shale::server::acl
