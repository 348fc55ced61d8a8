#include "src/acl/rule_problem.h"

namespace shale::server::acl {

std::string_view message_of(RuleProblem problem) {
  switch (problem) {
    case RuleProblem::none: return {};
    case RuleProblem::syntax: return "Syntax error";
    case RuleProblem::unknown_command: return "Unknown command or category name in ACL";
    case RuleProblem::first_argument_of_subcommand:
      return "Allowing first-arg of a subcommand is not supported";
    case RuleProblem::keys_after_all:
      return "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
             "any "
             "effect. Try 'resetkeys' to start with an empty list of patterns";
    case RuleProblem::channels_after_all:
      return "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
             "have any "
             "effect. Try 'resetchannels' to start with an empty list of channels";
    case RuleProblem::no_such_password:
      return "The password you are trying to remove from the user does not exist";
    case RuleProblem::bad_hash:
      return "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
             "characters";
  }
  return {};
}

}  // namespace shale::server::acl
