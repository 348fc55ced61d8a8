#include "src/acl/users.h"

#include <fmt/format.h>

#include "src/acl/password.h"
#include "src/acl/text.h"

namespace shale::server::acl {

Users::Users()
    : default_user_(std::make_shared<User>(
          std::string{kDefaultUser}, std::make_shared<const UserRules>(UserRules::of_default_user(true)))) {
  users_.emplace(kDefaultUser, default_user_);
}

std::shared_ptr<User> Users::find(std::string_view name) const {
  const std::lock_guard lock{mutex_};
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : found->second;
}

std::shared_ptr<const UserRules> Users::rules_of(const User& user) const {
  const std::lock_guard lock{mutex_};
  return user.rules_;
}

std::vector<Users::Named> Users::list() const {
  const std::lock_guard lock{mutex_};
  std::vector<Named> named;
  for (const auto& [name, user] : users_) named.push_back({name, user->rules_});
  return named;
}

std::shared_ptr<User> Users::log_in(std::string_view name, std::string_view password) const {
  const std::string hash = hash_password(password);
  auto user = find(name);
  if (user == nullptr || !rules_of(*user)->accepts(hash)) return nullptr;
  return user;
}

std::optional<std::string> Users::set(std::string_view name, std::span<const std::string_view> words,
                                      bool channels_by_default, const OnChange& on_change) {
  if (has_blanks(name)) return "Usernames can't contain spaces or null characters";
  std::string_view unmatched;
  const auto merged = merge_selectors(words, unmatched);
  if (!merged) return fmt::format("Unmatched parenthesis in acl selector starting at '{}'.", unmatched);

  const std::lock_guard lock{mutex_};
  const auto found = users_.find(name);
  const bool exists = found != users_.end();
  UserRules rules = exists ? *found->second->rules_ : UserRules{channels_by_default};
  rules.set_channels_by_default(channels_by_default);
  for (const std::string& rule : *merged) {
    const RuleProblem problem = rules.apply(rule);
    if (problem == RuleProblem::none) continue;
    return fmt::format("Error in ACL SETUSER modifier '{}': {}", rule, message_of(problem));
  }
  if (exists) {
    if (on_change) on_change(*found->second->rules_, rules);
    set_rules(*found->second, std::move(rules));
  } else {
    auto user =
        std::make_shared<User>(std::string{name}, std::make_shared<const UserRules>(std::move(rules)));
    users_.emplace(name, std::move(user));
  }
  note_change();
  return std::nullopt;
}

void Users::set_default_password(std::string_view password) {
  const std::lock_guard lock{mutex_};
  UserRules rules = *default_user_->rules_;
  rules.apply("resetpass");
  rules.apply(password.empty() ? "nopass" : fmt::format(">{}", password));
  set_rules(*default_user_, std::move(rules));
  note_change();
}

bool Users::remove(std::string_view name) {
  const std::lock_guard lock{mutex_};
  const auto found = users_.find(name);
  if (found == users_.end() || found->second == default_user_) return false;
  set_rules(*found->second, UserRules{false});
  users_.erase(found);
  note_change();
  return true;
}

std::vector<std::string> Users::replace_all(Definitions definitions, bool channels_by_default) {
  const std::lock_guard lock{mutex_};
  definitions.try_emplace(std::string{kDefaultUser}, UserRules::of_default_user(channels_by_default));
  std::vector<std::string> gone;
  for (const auto& [name, user] : users_) {
    if (definitions.contains(name)) continue;
    set_rules(*user, UserRules{false});
    gone.push_back(name);
  }
  for (const std::string& name : gone) users_.erase(name);
  for (auto& [name, rules] : definitions) {
    auto& user = users_[name];
    if (user == nullptr) {
      user = std::make_shared<User>(name, std::make_shared<const UserRules>(std::move(rules)));
    } else {
      set_rules(*user, std::move(rules));
    }
  }
  note_change();
  return gone;
}

void Users::set_rules(User& user, UserRules rules) {
  user.rules_ = std::make_shared<const UserRules>(std::move(rules));
}

void Users::note_change() {
  const UserRules& rules = *default_user_->rules_;
  default_is_open_.store(rules.needs_no_password(), std::memory_order_relaxed);
  password_required_.store(!rules.needs_no_password() || !rules.enabled(), std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
}

}  // namespace shale::server::acl
