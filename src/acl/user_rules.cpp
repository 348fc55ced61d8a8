#include "src/acl/user_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/inline_request.h"
#include "src/acl/password.h"
#include "src/command/arguments.h"

namespace shale::server::acl {

UserRules::UserRules(bool channels_by_default) : channels_by_default_(channels_by_default) {
  selectors_.emplace_back(channels_by_default);
}

UserRules UserRules::of_default_user(bool channels_by_default) {
  UserRules rules{channels_by_default};
  for (const std::string_view rule : {"+@all", "~*", "&*", "on", "nopass"}) rules.apply(rule);
  return rules;
}

RuleProblem UserRules::apply(std::string_view rule) {
  if (rule.empty()) return RuleProblem::none;
  const RuleProblem problem = apply_to_user(rule);
  unrestricted_ = selectors_.front().allows_everything();
  return problem;
}

RuleProblem UserRules::apply_to_user(std::string_view rule) {
  if (equals_ignoring_case(rule, "on")) {
    enabled_ = true;
  } else if (equals_ignoring_case(rule, "off")) {
    enabled_ = false;
  } else if (equals_ignoring_case(rule, "skip-sanitize-payload")) {
    checks_dumps_ = false;
  } else if (equals_ignoring_case(rule, "sanitize-payload")) {
    checks_dumps_ = true;
  } else if (equals_ignoring_case(rule, "nopass")) {
    no_password_ = true;
    password_hashes_.clear();
  } else if (equals_ignoring_case(rule, "resetpass")) {
    no_password_ = false;
    password_hashes_.clear();
  } else if (equals_ignoring_case(rule, "clearselectors")) {
    selectors_.erase(selectors_.begin() + 1, selectors_.end());
  } else if (equals_ignoring_case(rule, "reset")) {
    reset();
  } else if (std::string_view{"><#!"}.find(rule.front()) != std::string_view::npos) {
    return apply_to_passwords(rule);
  } else if (rule.starts_with('(') && rule.ends_with(')')) {
    return add_selector(rule.substr(1, rule.size() - 2));
  } else {
    return selectors_.front().apply(rule);
  }
  return RuleProblem::none;
}

RuleProblem UserRules::apply_to_passwords(std::string_view rule) {
  const std::string_view given = rule.substr(1);
  const bool is_hash = rule.front() == '#' || rule.front() == '!';
  if (is_hash && !is_password_hash(given)) return RuleProblem::bad_hash;
  std::string hash = is_hash ? std::string{given} : hash_password(given);
  const auto found = std::ranges::find(password_hashes_, hash);
  const bool adds = rule.front() == '#' || rule.front() == '>';
  if (!adds) {
    if (found == password_hashes_.end()) return RuleProblem::no_such_password;
    password_hashes_.erase(found);
    return RuleProblem::none;
  }
  if (found == password_hashes_.end()) password_hashes_.push_back(std::move(hash));
  no_password_ = false;
  return RuleProblem::none;
}

// Of a rule that could not be read again where describe() shows it, as ACL SAVE writes it: what ends with a
// parenthesis would end the selector, and a quote would begin a word. Redis takes these, and then cannot load
// its file.
static bool is_ambiguous(std::string_view rule) {
  return rule.ends_with(')') || rule.find_first_of("\"'") != rule.npos;
}

RuleProblem UserRules::add_selector(std::string_view rules) {
  protocol::InlineStorage storage;
  std::vector<std::string_view> words;
  if (!protocol::split_inline(rules, storage, words)) words.clear();
  Selector selector{channels_by_default_};
  for (const std::string_view word : words) {
    if (is_ambiguous(word)) return RuleProblem::syntax;
    if (const RuleProblem problem = selector.apply(word); problem != RuleProblem::none) return problem;
  }
  selectors_.push_back(std::move(selector));
  return RuleProblem::none;
}

// As a new user's. What dumps are checked for is said anew, too.
void UserRules::reset() { *this = UserRules{channels_by_default_}; }

bool UserRules::accepts(std::string_view password_hash) const {
  if (!enabled_) return false;
  bool right = no_password_;
  for (const std::string& hash : password_hashes_) right |= same_hash(hash, password_hash);
  return right;
}

Verdict UserRules::check(const ResolvedCommand& command, std::span<const std::string_view> words) const {
  Verdict nearest{Denial::command, 0};
  for (const Selector& selector : selectors_) {
    const Verdict verdict = selector.check(command, words);
    if (verdict.allowed()) return verdict;
    const bool nearer =
        verdict.denial > nearest.denial || (verdict.denial == nearest.denial && verdict.word > nearest.word);
    if (nearer) nearest = verdict;
  }
  return nearest;
}

bool UserRules::allows_channel(std::string_view channel, ChannelUse use) const {
  return std::ranges::any_of(selectors_,
                             [&](const Selector& selector) { return selector.allows_channel(channel, use); });
}

bool UserRules::covers_channels_of(const UserRules& before) const {
  return std::ranges::all_of(before.selectors_, [&](const Selector& old) {
    return std::ranges::all_of(old.channel_patterns(), [&](const std::string& pattern) {
      return allows_channel(pattern, ChannelUse::pattern);
    });
  });
}

bool UserRules::allows_reading_all_keys(const ResolvedCommand& command,
                                        std::span<const std::string_view> words) const {
  return std::ranges::any_of(selectors_, [&](const Selector& selector) {
    return selector.reads_all_keys() && selector.check(command, words).allowed();
  });
}

std::vector<std::string_view> UserRules::flags() const {
  std::vector<std::string_view> flags{enabled_ ? "on" : "off"};
  if (no_password_) flags.emplace_back("nopass");
  flags.emplace_back(checks_dumps_ ? "sanitize-payload" : "skip-sanitize-payload");
  return flags;
}

std::string UserRules::describe() const {
  std::string text;
  for (const std::string_view flag : flags()) text += fmt::format("{} ", flag);
  for (const std::string& hash : password_hashes_) text += fmt::format("#{} ", hash);
  text += selectors_.front().describe();
  for (const Selector& selector : std::span{selectors_}.subspan(1))
    text += fmt::format(" ({})", selector.describe());
  return text;
}

}  // namespace shale::server::acl
