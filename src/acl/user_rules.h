// All that holds for a user: whether it may log in, with which passwords, and what it may do. A value: the
// rules of a user are replaced, never changed in place (src/acl/users.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/rule_problem.h"
#include "src/acl/selector.h"

namespace shale::server::acl {

class UserRules {
 public:
  // A new user's: may neither log in nor run anything. `channels_by_default` is what the option
  // acl-pubsub-default says of new selectors; it also holds for those that apply() makes.
  explicit UserRules(bool channels_by_default);
  // Those of the user "default" until somebody changes them: may do everything, without a password.
  static UserRules of_default_user(bool channels_by_default);

  // "on", ">password", "#hash", "nopass", "reset", "(+get ~a*)", or a rule of the first selector. On a
  // problem nothing has changed.
  RuleProblem apply(std::string_view rule);
  void set_channels_by_default(bool all) { channels_by_default_ = all; }

  bool enabled() const { return enabled_; }
  bool needs_no_password() const { return no_password_; }
  // Whether the user may log in with the password that has this hash. Takes as long for every hash.
  bool accepts(std::string_view password_hash) const;

  // The first selector alone allows everything: no request has to be checked.
  bool unrestricted() const { return unrestricted_; }
  // Whether the request `words`, which resolved to `command`, is allowed by one of the selectors; if not, the
  // denial of the one that comes nearest.
  Verdict check(const ResolvedCommand& command, std::span<const std::string_view> words) const;
  bool allows_channel(std::string_view channel, ChannelUse use) const;
  // Whether all channels that `before` allowed are allowed still.
  bool covers_channels_of(const UserRules& before) const;
  // Whether one selector allows the request and lets it read keys of any name.
  bool allows_reading_all_keys(const ResolvedCommand& command, std::span<const std::string_view> words) const;

  std::vector<std::string_view> flags() const;  // "on", "nopass", ...
  std::span<const std::string> password_hashes() const { return password_hashes_; }
  std::span<const Selector> selectors() const { return selectors_; }  // at least one
  // As in an ACL file, behind the user's name.
  std::string describe() const;

 private:
  RuleProblem apply_to_user(std::string_view rule);
  RuleProblem apply_to_passwords(std::string_view rule);
  RuleProblem add_selector(std::string_view rules);
  void reset();

  bool enabled_ = false;
  bool no_password_ = false;
  bool checks_dumps_ = true;  // kept and shown for RESTORE's sake
  bool channels_by_default_;
  bool unrestricted_ = false;
  std::vector<std::string> password_hashes_;
  std::vector<Selector> selectors_;
};

}  // namespace shale::server::acl
