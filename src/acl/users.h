// All users and their rules. A session keeps the user that it is, and the rules as they were when it last
// looked; whether they have changed since is one comparison of version numbers (SessionUser). Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/user_rules.h"

namespace shale::server::acl {

inline constexpr std::string_view kDefaultUser = "default";

// A user that there is or was: one that is deleted allows nothing.
class User {
 public:
  User(std::string name, std::shared_ptr<const UserRules> rules)
      : name_(std::move(name)), rules_(std::move(rules)) {}
  const std::string& name() const { return name_; }

 private:
  friend class Users;
  const std::string name_;
  std::shared_ptr<const UserRules> rules_;  // guarded by Users::mutex_
};

class Users {
 public:
  using Definitions = std::map<std::string, UserRules, std::less<>>;
  struct Named {
    std::string name;
    std::shared_ptr<const UserRules> rules;
  };

  Users();  // the default user, who may do everything

  // Grows with every change of any user.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // Whether clients are the default user only after they have said its password. Cheap.
  bool password_required() const { return password_required_.load(std::memory_order_relaxed); }
  // Whether the default user has no password, be it enabled or not. Cheap.
  bool default_is_open() const { return default_is_open_.load(std::memory_order_relaxed); }

  std::shared_ptr<User> default_user() const { return default_user_; }
  std::shared_ptr<User> find(std::string_view name) const;  // nullptr if there is none
  std::shared_ptr<const UserRules> rules_of(const User& user) const;
  std::vector<Named> list() const;  // sorted by name

  // The user, if it may log in with this password; else nullptr. Takes as long for an unknown user.
  std::shared_ptr<User> log_in(std::string_view name, std::string_view password) const;

  // What happens before the rules of a user change: who is told sees both.
  using OnChange = std::function<void(const UserRules& before, const UserRules& after)>;

  // ACL SETUSER: makes the user if there is none, and applies the rules, all or none. Returns the error,
  // without its code, if there is one.
  std::optional<std::string> set(std::string_view name, std::span<const std::string_view> words,
                                 bool channels_by_default, const OnChange& on_change = {});
  // The option requirepass: the default user's only password, or none.
  void set_default_password(std::string_view password);
  // False if there is no such user. Not for the default user.
  bool remove(std::string_view name);
  // Instead of those there are: a user of the same name stays who it is, with new rules. Without a definition
  // of the default user, that one may do everything. Returns the names of those that are gone.
  std::vector<std::string> replace_all(Definitions definitions, bool channels_by_default);

 private:
  void set_rules(User& user, UserRules rules);
  void note_change();

  mutable std::mutex mutex_;  // guards users_ and the rules of each
  std::map<std::string, std::shared_ptr<User>, std::less<>> users_;
  std::shared_ptr<User> default_user_;  // constant
  std::atomic<std::uint64_t> version_ = 1;
  std::atomic<bool> password_required_ = false;
  std::atomic<bool> default_is_open_ = true;
};

// Who a session is, and its rules. For the session's thread.
class SessionUser {
 public:
  void become(std::shared_ptr<User> user) {
    user_ = std::move(user);
    version_ = 0;
  }
  const User& user() const { return *user_; }
  // As of now; unchanged until the next call. Nullptr for a session that has no user: it may do everything.
  const UserRules* rules(const Users& users) {
    if (user_ == nullptr) return nullptr;
    if (const std::uint64_t version = users.version(); version != version_) [[unlikely]] {
      rules_ = users.rules_of(*user_);
      version_ = version;
    }
    return rules_.get();
  }

 private:
  std::shared_ptr<User> user_;
  std::shared_ptr<const UserRules> rules_;
  std::uint64_t version_ = 0;
};

}  // namespace shale::server::acl
