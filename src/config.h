// The options' values. Read by any thread without a lock where they are numbers; changed by CONFIG SET.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/acl/users.h"
#include "src/options.h"
#include "src/output_limits.h"

namespace shale::server {

class Config {
 public:
  Config();  // all defaults

  // Numbers: integers, sizes in bytes, choices by index, booleans. Thread-safe, cheap.
  std::int64_t number(Option option) const { return numbers_[index(option)].load(std::memory_order_relaxed); }
  bool enabled(Option option) const { return number(option) != 0; }
  // As CONFIG GET shows it. Thread-safe.
  std::string text(Option option) const;

  // What the configuration's lines "user name rule ..." define. Constant once the server runs.
  const acl::Users::Definitions& users() const { return users_; }
  void set_users(acl::Users::Definitions users) { users_ = std::move(users); }

  // What client-output-buffer-limit says. Thread-safe, cheap; while it is being changed, its parts may not
  // fit together.
  OutputLimit output_limit(ClientClass which) const;

  // Sets a value that parse_option has checked.
  void assign(Option option, OptionValue value);

  // Remembers a value of an option of Redis's that has no effect here. Thread-safe.
  void assign_foreign(const ForeignOption& option, std::string value);

  // CONFIG GET: every name it answers to, with its value; sorted by name. Includes Redis's options that have
  // no effect here. Secrets are given: who may ask has authenticated.
  std::vector<std::pair<std::string_view, std::string>> show() const;

  // CONFIG SET name value [name value ...]: all or none. Returns the error for the client, with its code, if
  // there is one. Thread-safe.
  std::optional<std::string> change(std::span<const std::string_view> names_and_values);

  // Asked by change() before it changes anything, with all that it is about to change: what is wrong with it,
  // for the client, and the option it is wrong with; nullopt if nothing is. Set once, before the first
  // change.
  using Changes = std::vector<std::pair<Option, OptionValue>>;
  struct Objection {
    Option option;
    std::string reason;
  };
  void before_change(std::function<std::optional<Objection>(const Changes&)> judge) {
    judge_ = std::move(judge);
  }

  // Called after change() has changed an option, by the thread that did. Set once, before the first change.
  void on_change(std::function<void(Option)> listener) { listener_ = std::move(listener); }

 private:
  static constexpr std::size_t index(Option option) { return static_cast<std::size_t>(option); }

  std::array<std::atomic<std::int64_t>, kOptionCount> numbers_{};
  acl::Users::Definitions users_;
  struct AtomicLimit {
    std::atomic<std::uint64_t> hard_bytes = 0;
    std::atomic<std::uint64_t> soft_bytes = 0;
    std::atomic<std::uint64_t> soft_seconds = 0;
  };
  std::string change_output_limits(std::string_view text);
  std::optional<std::string> check_names(std::span<const std::string_view> names_and_values) const;

  std::array<AtomicLimit, kClientClasses> output_limits_;
  mutable std::mutex mutex_;  // guards texts_, foreign_, and changes
  std::array<std::string, kOptionCount> texts_;
  std::map<std::string_view, std::string> foreign_;  // by name, what is not as foreign_options() has it
  std::function<std::optional<Objection>(const Changes&)> judge_;
  std::function<void(Option)> listener_;
};

}  // namespace shale::server
