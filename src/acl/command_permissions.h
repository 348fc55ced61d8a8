// Which commands may be run: the part of a user's rules that begins with '+' or '-'.
//
// A rule allows or forbids one command with all its subcommands ("+get", "-config"), one subcommand
// ("+config|get"), or a category ("+@read"); "+@all" and "-@all" begin anew. A command that is forbidden may
// be allowed for one value of its first argument ("+select|0"). Rules are kept in their order beside the
// bitmap they make, so that they can be shown as they were given; one that a later rule makes pointless is
// dropped.
#pragma once

#include <bitset>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/rule_problem.h"
#include "src/command/table.h"

namespace shale::server::acl {

class CommandPermissions {
 public:
  // `rule` begins with '+' or '-', or is "allcommands" or "nocommands". On a problem nothing has changed.
  RuleProblem apply(std::string_view rule);

  // Whether all commands are allowed, without a look at the command.
  bool allow_all() const { return allow_all_; }
  // Whether the request `words`, which resolved to `command`, is allowed.
  bool allow(const ResolvedCommand& command, std::span<const std::string_view> words) const;

  // "+@all -@dangerous +info": rules that make the same permissions again.
  std::string describe() const;

 private:
  struct Rule {
    bool allows;
    std::string text;  // in lower case, without the sign
  };

  void begin_with(bool everything);
  RuleProblem apply_category(std::string_view name, bool allows);
  RuleProblem apply_first_argument(std::string_view rule);
  void set_command(const CommandSpec& command, bool allows);
  void remember(std::string_view rule, bool allows);

  bool allow_all_ = false;
  bool begins_with_all_ = false;  // the last to begin anew was +@all
  std::bitset<kCommandIdsMax> allowed_;
  std::map<CommandId, std::vector<std::string>> first_arguments_;
  std::vector<Rule> rules_;  // since +@all or -@all
};

}  // namespace shale::server::acl
