#include "src/acl/selector.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/acl/text.h"
#include "src/command/arguments.h"
#include "src/glob.h"

namespace shale::server::acl {

std::string describe_denial(Denial denial, std::string_view user, std::string_view command,
                            std::string_view object) {
  if (denial == Denial::command) {
    return fmt::format("User {} has no permissions to run the '{}' command", user, command);
  }
  const std::string_view kind = denial == Denial::key ? "key" : "channel";
  if (object.data() == nullptr) return fmt::format("No permissions to access a {}", kind);
  return fmt::format("User {} has no permissions to access the '{}' {}", user, object, kind);
}

RuleProblem Selector::apply(std::string_view rule) {
  if (equals_ignoring_case(rule, "allkeys") || rule == "~*") {
    all_keys_ = true;
    keys_.clear();
  } else if (equals_ignoring_case(rule, "resetkeys")) {
    all_keys_ = false;
    keys_.clear();
  } else if (equals_ignoring_case(rule, "allchannels") || rule == "&*") {
    all_channels_ = true;
    channels_.clear();
  } else if (equals_ignoring_case(rule, "resetchannels")) {
    all_channels_ = false;
    channels_.clear();
  } else if (rule.starts_with('~') || rule.starts_with('%')) {
    return add_keys(rule);
  } else if (rule.starts_with('&')) {
    return add_channels(rule.substr(1));
  } else if ((rule.starts_with('+') || rule.starts_with('-')) && has_blanks(rule)) {
    return RuleProblem::unknown_command;  // also a first argument: behind the blank another rule would be
                                          // read
  } else {
    return commands_.apply(rule);
  }
  return RuleProblem::none;
}

// "~pattern", or "%R~pattern", "%W~pattern", "%RW~pattern".
RuleProblem Selector::add_keys(std::string_view rule) {
  if (all_keys_) return RuleProblem::keys_after_all;
  KeyPattern added{{}, true, true};
  std::size_t begin = 1;
  if (rule.starts_with('%')) {
    added.read = added.write = false;
    begin = std::min(rule.find('~'), rule.size());
    for (const char letter : rule.substr(1, begin - 1)) {
      bool& access = letter == 'R' || letter == 'r' ? added.read : added.write;
      if (access || std::string_view{"RrWw"}.find(letter) == std::string_view::npos)
        return RuleProblem::syntax;
      access = true;
    }
    if (!added.read && !added.write) return RuleProblem::syntax;
    begin = std::min(begin + 1, rule.size());
  }
  added.text = rule.substr(begin);
  if (has_blanks(added.text)) return RuleProblem::syntax;
  const auto same = std::ranges::find(keys_, added.text, &KeyPattern::text);
  if (same == keys_.end()) {
    keys_.push_back(std::move(added));
  } else {
    same->read |= added.read;
    same->write |= added.write;
  }
  return RuleProblem::none;
}

RuleProblem Selector::add_channels(std::string_view pattern) {
  if (all_channels_) return RuleProblem::channels_after_all;
  if (has_blanks(pattern)) return RuleProblem::syntax;
  if (std::ranges::find(channels_, pattern) == channels_.end()) channels_.emplace_back(pattern);
  return RuleProblem::none;
}

bool Selector::allows_key(std::string_view key, KeyFlags flags) const {
  const bool reads = flags.has(KeyFlag::access);
  const bool writes = flags.has(KeyFlag::insert) || flags.has(KeyFlag::erases) || flags.has(KeyFlag::update);
  return std::ranges::any_of(keys_, [&](const KeyPattern& pattern) {
    return (pattern.read || !reads) && (pattern.write || !writes) && glob_matches(pattern.text, key);
  });
}

bool Selector::allows_channel(std::string_view channel, ChannelUse use) const {
  if (all_channels_) return true;
  return std::ranges::any_of(channels_, [&](const std::string& pattern) {
    return use == ChannelUse::pattern ? pattern == channel : glob_matches(pattern, channel);
  });
}

std::vector<std::string> Selector::channel_patterns() const {
  return all_channels_ ? std::vector<std::string>{"*"} : channels_;
}

bool Selector::reads_all_keys() const {
  return all_keys_ || std::ranges::any_of(keys_, [](const KeyPattern& pattern) {
           return pattern.read && glob_matches_all(pattern.text);
         });
}

Verdict Selector::check(const ResolvedCommand& command, std::span<const std::string_view> words) const {
  if (!commands_.allow(command, words)) return {Denial::command, 0};
  Verdict verdict;
  if (!all_keys_) {
    for_each_key(*command.spec, words, [&](std::size_t at, KeyFlags flags) {
      if (verdict.allowed() && !allows_key(words[at], flags)) verdict = {Denial::key, at};
    });
  }
  if (verdict.allowed() && !all_channels_) {
    for_each_channel(*command.spec, words, [&](std::size_t at) {
      if (verdict.allowed() && !allows_channel(words[at], command.spec->channels.use)) {
        verdict = {Denial::channel, at};
      }
    });
  }
  return verdict;
}

std::string Selector::describe_keys() const {
  if (all_keys_) return "~*";
  std::string text;
  for (const KeyPattern& pattern : keys_) {
    if (!text.empty()) text += ' ';
    const bool both = pattern.read && pattern.write;
    text += both ? "~" : (pattern.read ? "%R~" : "%W~");
    text += pattern.text;
  }
  return text;
}

std::string Selector::describe_channels() const {
  if (all_channels_) return "&*";
  std::string text;
  for (const std::string& pattern : channels_) {
    if (!text.empty()) text += ' ';
    text += fmt::format("&{}", pattern);
  }
  return text;
}

std::string Selector::describe() const {
  std::string text = describe_keys();
  if (!text.empty()) text += ' ';
  if (!all_channels_) text += "resetchannels ";
  const std::string channels = describe_channels();
  if (!channels.empty()) text += channels + ' ';
  return text + commands_.describe();
}

}  // namespace shale::server::acl
