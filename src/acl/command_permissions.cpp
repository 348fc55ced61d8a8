#include "src/acl/command_permissions.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/acl/categories.h"
#include "src/command/arguments.h"

namespace shale::server::acl {
namespace {

// Whether a rule about `rule` makes an earlier one about `earlier` pointless: the same, or a part of it.
bool replaces(std::string_view rule, std::string_view earlier) {
  return earlier == rule || (earlier.starts_with(rule) && earlier[rule.size()] == '|');
}

}  // namespace

RuleProblem CommandPermissions::apply(std::string_view rule) {
  if (equals_ignoring_case(rule, "allcommands") || equals_ignoring_case(rule, "+@all")) {
    begin_with(true);
    return RuleProblem::none;
  }
  if (equals_ignoring_case(rule, "nocommands") || equals_ignoring_case(rule, "-@all")) {
    begin_with(false);
    return RuleProblem::none;
  }
  const bool allows = rule.starts_with('+');
  if (!allows && !rule.starts_with('-')) return RuleProblem::syntax;
  rule.remove_prefix(1);
  if (rule.starts_with('@')) return apply_category(rule.substr(1), allows);
  if (allows && rule.find('|') != std::string_view::npos) return apply_first_argument(rule);
  const CommandSpec* command = find_by_full_name(rule);
  if (command == nullptr) return RuleProblem::unknown_command;
  set_command(*command, allows);
  remember(full_name(*command), allows);
  return RuleProblem::none;
}

void CommandPermissions::begin_with(bool everything) {
  allow_all_ = everything;
  begins_with_all_ = everything;
  everything ? allowed_.set() : allowed_.reset();
  first_arguments_.clear();
  rules_.clear();
}

RuleProblem CommandPermissions::apply_category(std::string_view name, bool allows) {
  const auto category = find_category(name);
  if (!category) return RuleProblem::unknown_command;
  for (const CommandSpec* command : all_commands()) {
    if (categories_of(*command).has(*category)) set_command(*command, allows);
    for (const CommandSpec& subcommand : command->subcommands) {
      if (categories_of(subcommand).has(*category)) set_command(subcommand, allows);
    }
  }
  remember(fmt::format("@{}", name), allows);
  return RuleProblem::none;
}

// "config|get" names a subcommand; "select|0" a command and its first argument.
RuleProblem CommandPermissions::apply_first_argument(std::string_view rule) {
  const std::size_t bar = rule.rfind('|');
  const CommandSpec* command = find_by_full_name(rule.substr(0, bar));
  if (command == nullptr) return RuleProblem::unknown_command;
  if (container_of(*command) != nullptr) return RuleProblem::first_argument_of_subcommand;
  const std::string_view argument = rule.substr(bar + 1);
  if (argument.empty()) return RuleProblem::syntax;
  if (!command->subcommands.empty()) {
    const CommandSpec* subcommand = find_subcommand(*command, argument);
    if (subcommand == nullptr) return RuleProblem::unknown_command;
    set_command(*subcommand, true);
  } else {
    auto& allowed = first_arguments_[command_id(*command)];
    const bool known = std::ranges::any_of(
        allowed, [&](const std::string& each) { return equals_ignoring_case(each, argument); });
    if (!known) allowed.emplace_back(argument);
  }
  remember(rule, true);
  return RuleProblem::none;
}

void CommandPermissions::set_command(const CommandSpec& command, bool allows) {
  const CommandId id = command_id(command);
  allowed_.set(id, allows);
  for (std::size_t index = 0; index < command.subcommands.size(); ++index)
    allowed_.set(id + 1 + index, allows);
  first_arguments_.erase(id);
  if (!allows) allow_all_ = false;
}

void CommandPermissions::remember(std::string_view rule, bool allows) {
  std::string text = lower_case(rule);
  std::erase_if(rules_, [&](const Rule& earlier) { return replaces(text, earlier.text); });
  rules_.push_back({allows, std::move(text)});
}

bool CommandPermissions::allow(const ResolvedCommand& command,
                               std::span<const std::string_view> words) const {
  if (allow_all_ || command.spec->flags.has(CommandFlag::no_auth) || allowed_.test(command.id)) return true;
  if (first_arguments_.empty() || words.size() <= command.name_words) return false;
  const auto found = first_arguments_.find(command.id);
  if (found == first_arguments_.end()) return false;
  const std::string_view argument = words[command.name_words];
  return std::ranges::any_of(found->second,
                             [&](const std::string& each) { return equals_ignoring_case(each, argument); });
}

std::string CommandPermissions::describe() const {
  std::string text = begins_with_all_ ? "+@all" : "-@all";
  for (const Rule& rule : rules_) text += fmt::format(" {}{}", rule.allows ? '+' : '-', rule.text);
  return text;
}

}  // namespace shale::server::acl
