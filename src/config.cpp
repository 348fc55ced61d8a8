#include "src/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "protocol/number_text.h"

namespace shale::server {
namespace {

std::string change_failure(std::string_view name, std::string_view why) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
}

std::string out_of_bounds(const OptionSpec& spec) {
  return fmt::format("argument must be between {} and {} inclusive", spec.least, spec.most);
}

// Why an option does not take a value, in Redis's words where it has some.
std::string value_problem(const OptionSpec& spec, std::string_view text, const std::string& problem) {
  switch (spec.kind) {
    case OptionKind::integer:
      return protocol::parse_integer(text) ? out_of_bounds(spec)
                                           : "argument couldn't be parsed into an integer";
    case OptionKind::size: return parse_size(text) ? out_of_bounds(spec) : "argument must be a memory value";
    case OptionKind::share: return "argument must be a memory or percent value";
    case OptionKind::boolean: return "argument must be 'yes' or 'no'";
    case OptionKind::choice:
      return fmt::format("argument(s) must be one of the following: {}", fmt::join(spec.choices, ", "));
    case OptionKind::percentiles:
      if (text.find_first_not_of("-0123456789. ") == text.npos)
        return fmt::format("{} parameters should sit between [0.0,100.0]", spec.name);
      return fmt::format("Invalid {} parameters", spec.name);
    case OptionKind::key_events: return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    default: return problem.empty() ? fmt::format("it takes {}", spec.takes) : problem;
  }
}

bool same_name(std::string_view one, std::string_view other) {
  return std::ranges::equal(
      one, other, {}, [](char c) { return std::tolower(static_cast<unsigned char>(c)); },
      [](char c) { return std::tolower(static_cast<unsigned char>(c)); });
}

}  // namespace

Config::Config() {
  for (std::size_t at = 0; at < kOptionCount; ++at) {
    std::string problem;
    const OptionSpec& spec = all_options()[at];
    assign(static_cast<Option>(at), parse_option(spec, spec.default_value, problem).value());
  }
}

std::string Config::text(Option option) const {
  const std::lock_guard lock{mutex_};
  return texts_[index(option)];
}

void Config::assign(Option option, OptionValue value) {
  const std::lock_guard lock{mutex_};
  if (option == Option::client_output_buffer_limit) value.text = change_output_limits(value.text);
  texts_[index(option)] = std::move(value.text);
  numbers_[index(option)].store(value.number, std::memory_order_relaxed);
}

OutputLimit Config::output_limit(ClientClass which) const {
  const AtomicLimit& limit = output_limits_[static_cast<std::size_t>(which)];
  return {limit.hard_bytes.load(std::memory_order_relaxed), limit.soft_bytes.load(std::memory_order_relaxed),
          limit.soft_seconds.load(std::memory_order_relaxed)};
}

// Returns all of them as text: classes that `text` does not name stay as they are.
std::string Config::change_output_limits(std::string_view text) {
  OutputLimits limits;
  for (std::size_t at = 0; at < kClientClasses; ++at) limits[at] = output_limit(static_cast<ClientClass>(at));
  std::string problem;
  limits = parse_output_limits(text, limits, problem).value();
  for (std::size_t at = 0; at < kClientClasses; ++at) {
    output_limits_[at].hard_bytes.store(limits[at].hard_bytes, std::memory_order_relaxed);
    output_limits_[at].soft_bytes.store(limits[at].soft_bytes, std::memory_order_relaxed);
    output_limits_[at].soft_seconds.store(limits[at].soft_seconds, std::memory_order_relaxed);
  }
  return format_output_limits(limits);
}

std::vector<std::pair<std::string_view, std::string>> Config::show() const {
  std::vector<std::pair<std::string_view, std::string>> shown;
  {
    const std::lock_guard lock{mutex_};
    for (const ForeignOption& option : foreign_options()) {
      if (option.value.data() == nullptr) continue;
      const auto set = foreign_.find(option.name);
      shown.emplace_back(option.name, set == foreign_.end() ? std::string{option.value} : set->second);
    }
    for (std::size_t at = 0; at < kOptionCount; ++at) shown.emplace_back(all_options()[at].name, texts_[at]);
  }
  std::ranges::sort(shown);
  return shown;
}

void Config::assign_foreign(const ForeignOption& option, std::string value) {
  const std::lock_guard lock{mutex_};
  foreign_[option.name] = std::move(value);
}

// Names are looked at before any value is.
std::optional<std::string> Config::check_names(std::span<const std::string_view> names_and_values) const {
  std::vector<std::string_view> seen;
  for (std::size_t at = 0; at + 1 < names_and_values.size(); at += 2) {
    const std::string_view name = names_and_values[at];
    const ForeignOption* foreign = find_foreign_option(name);
    if (!find_option(name) && (foreign == nullptr || foreign->value.data() == nullptr)) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name);
    }
    if (std::ranges::any_of(seen, [&](std::string_view other) { return same_name(name, other); })) {
      return change_failure(name, "duplicate parameter");
    }
    seen.push_back(name);
  }
  return std::nullopt;
}

std::optional<std::string> Config::change(std::span<const std::string_view> names_and_values) {
  if (auto error = check_names(names_and_values)) return error;
  Changes changes;
  std::vector<std::pair<const ForeignOption*, std::string_view>> remembered;
  for (std::size_t at = 0; at + 1 < names_and_values.size(); at += 2) {
    const std::string_view name = names_and_values[at];
    const std::string_view value = names_and_values[at + 1];
    const auto option = find_option(name);
    if (!option) {
      const ForeignOption* foreign = find_foreign_option(name);
      if (foreign->treatment != ForeignTreatment::ignored) {
        if (value == foreign->value) continue;
        return change_failure(name, fmt::format("it is always '{}' here", foreign->value));
      }
      const std::string_view problem = foreign_value_problem(*foreign, value);
      if (!problem.empty()) return change_failure(name, problem);
      remembered.emplace_back(foreign, value);
      continue;
    }
    const OptionSpec& spec = option_spec(*option);
    if (!spec.changeable) return change_failure(name, "can't set immutable config");
    std::string problem;
    auto parsed = parse_option(spec, value, problem);
    if (!parsed) return change_failure(name, value_problem(spec, value, problem));
    changes.emplace_back(*option, std::move(*parsed));
  }
  if (judge_) {
    if (const auto objection = judge_(changes)) {
      return change_failure(option_spec(objection->option).name, objection->reason);
    }
  }
  for (const auto& [foreign, value] : remembered) assign_foreign(*foreign, std::string{value});
  for (auto& [option, value] : changes) assign(option, std::move(value));
  if (listener_) {
    for (const auto& [option, value] : changes) listener_(option);
  }
  return std::nullopt;
}

}  // namespace shale::server
