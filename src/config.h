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

#include "src/options.h"

namespace shale::server {

class Config {
 public:
  Config();  // all defaults

  // Numbers: integers, sizes in bytes, choices by index, booleans. Thread-safe, cheap.
  std::int64_t number(Option option) const { return numbers_[index(option)].load(std::memory_order_relaxed); }
  bool enabled(Option option) const { return number(option) != 0; }
  // As CONFIG GET shows it. Thread-safe.
  std::string text(Option option) const;
  // Whether clients have to authenticate. Thread-safe, cheap.
  bool password_required() const { return password_required_.load(std::memory_order_relaxed); }

  // Sets a value that parse_option has checked.
  void assign(Option option, OptionValue value);

  // CONFIG GET: every name it answers to, with its value; sorted by name. Includes Redis's options that
  // clients ask for (save, appendonly, maxmemory, ...). Secrets are given: who may ask has authenticated.
  std::vector<std::pair<std::string_view, std::string>> show() const;

  // CONFIG SET name value [name value ...]: all or none. Returns the error for the client, with its code, if
  // there is one. Thread-safe.
  std::optional<std::string> change(std::span<const std::string_view> names_and_values);

  // Called after change() has changed an option, by the thread that did. Set once, before the first change.
  void on_change(std::function<void(Option)> listener) { listener_ = std::move(listener); }

 private:
  static constexpr std::size_t index(Option option) { return static_cast<std::size_t>(option); }

  std::array<std::atomic<std::int64_t>, kOptionCount> numbers_{};
  std::atomic<bool> password_required_ = false;
  mutable std::mutex mutex_;  // guards texts_, and changes
  std::array<std::string, kOptionCount> texts_;
  std::function<void(Option)> listener_;
};

}  // namespace shale::server
