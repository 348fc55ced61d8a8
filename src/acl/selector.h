// One set of permissions: commands, keys and channels. A request is allowed if one selector of its user
// allows all of it. Rules in parentheses make a selector of their own; all others belong to the user's first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/command_permissions.h"
#include "src/acl/rule_problem.h"

namespace shale::server::acl {

// Why a request is refused. A later one says more: the user came further.
enum class Denial : std::uint8_t { none, command, key, channel };

struct Verdict {
  Denial denial = Denial::none;
  std::size_t word = 0;  // of the request: the key or channel that is refused
  bool allowed() const { return denial == Denial::none; }
};

// "User alice has no permissions to run the 'get' command": Redis's words for it. `object`, if it is given,
// is the key or channel, which the short form does not name.
std::string describe_denial(Denial denial, std::string_view user, std::string_view command,
                            std::string_view object = {});

class Selector {
 public:
  // Allows no command and no key, and all channels or none.
  explicit Selector(bool all_channels) : all_channels_(all_channels) {}

  // "+get", "~key:*", "%R~key:*", "&news.*", "allkeys", "resetkeys", "allchannels", "resetchannels", ... On a
  // problem nothing has changed.
  RuleProblem apply(std::string_view rule);

  bool allows_everything() const { return commands_.allow_all() && all_keys_ && all_channels_; }
  // Whether the request `words`, which resolved to `command`, is allowed.
  Verdict check(const ResolvedCommand& command, std::span<const std::string_view> words) const;
  bool allows_channel(std::string_view channel, ChannelUse use) const;
  std::vector<std::string> channel_patterns() const;  // "*" if all are allowed
  // Whether keys of any name may be read (RANGE reads keys whose names the request does not tell).
  bool reads_all_keys() const;

  const CommandPermissions& commands() const { return commands_; }
  // "~* %R~a*", "&*": empty if there are none.
  std::string describe_keys() const;
  std::string describe_channels() const;
  // All rules, so that applying them makes the same selector again.
  std::string describe() const;

 private:
  struct KeyPattern {
    std::string text;
    bool read;
    bool write;
  };

  RuleProblem add_keys(std::string_view rule);
  RuleProblem add_channels(std::string_view pattern);
  bool allows_key(std::string_view key, KeyFlags flags) const;

  CommandPermissions commands_;
  bool all_keys_ = false;
  bool all_channels_;
  std::vector<KeyPattern> keys_;
  std::vector<std::string> channels_;
};

}  // namespace shale::server::acl
