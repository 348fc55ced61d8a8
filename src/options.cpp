#include "src/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "protocol/inline_request.h"
#include "src/command/arguments.h"
#include "src/key_events.h"
#include "src/output_limits.h"
#include "src/units.h"

namespace shale::server {
namespace {

template <class Number, class... Base>
std::optional<Number> parse_number(std::string_view text, Base... base) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base...);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> parse_percentage(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto percentage = parse_number<std::int64_t>(text.substr(0, text.size() - 1));
  if (!percentage || *percentage < 1 || *percentage > 100) return std::nullopt;
  return percentage;
}

std::string quoted_key(std::string_view key) {
  const auto is_plain = [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\'; };
  if (!key.empty() && std::ranges::all_of(key, is_plain)) return std::string{key};
  std::string text{'"'};
  for (const char c : key) {
    if (is_plain(c) || c == ' ') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text + '"';
}

// Sorted, each once, none of them empty: an empty one is before all others.
std::optional<OptionValue> parse_keys(const OptionSpec& spec, std::string_view text, std::string& problem) {
  auto keys = split_keys(text);
  if (!keys) {
    problem = "quotes are not balanced";
    return std::nullopt;
  }
  std::ranges::sort(*keys);
  if (const auto twice = std::ranges::adjacent_find(*keys); twice != keys->end()) {
    problem = fmt::format("{} is there twice", quoted_key(*twice));
    return std::nullopt;
  }
  if (!keys->empty() && keys->front().empty()) problem = "no key is before the empty one";
  if (std::ssize(*keys) > spec.most) problem = fmt::format("these are {}", keys->size());
  if (!problem.empty()) return std::nullopt;
  return OptionValue{join_keys(*keys), std::ssize(*keys)};
}

// Numbers from 0 to 100, as they were given.
std::optional<OptionValue> parse_percentiles(std::string_view text) {
  OptionValue value;
  for (std::size_t at = 0; (at = text.find_first_not_of(' ', at)) != std::string_view::npos;) {
    const std::string_view word = text.substr(at, text.find(' ', at) - at);
    at += word.size();
    const auto number = parse_number<double>(word);
    if (!number || !(*number >= 0 && *number <= 100)) return std::nullopt;
    if (!value.text.empty()) value.text += ' ';
    value.text += fmt::format("{}", *number);
    ++value.number;
  }
  return value;
}

}  // namespace

const OptionSpec& option_spec(Option option) { return all_options()[static_cast<std::size_t>(option)]; }

std::optional<Option> find_option(std::string_view name) {
  const std::string lower = lower_case(name);
  for (std::size_t index = 0; index < kOptionCount; ++index) {
    if (all_options()[index].name == lower) return static_cast<Option>(index);
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1},         {"b", 1},     {"k", 1000},         {"kb", 1024},
      {"m", 1000'000}, {"mb", kMiB}, {"g", 1000'000'000}, {"gb", 1024 * kMiB},
  };
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_number<std::int64_t>(text.substr(0, digits));
  const std::string unit = lower_case(text.substr(digits));
  for (const auto& [name, bytes] : kUnits) {
    if (unit == name)
      return count && *count <= kNoOptionLimit / bytes ? std::optional{*count * bytes} : std::nullopt;
  }
  return std::nullopt;
}

// Names of addresses, protocols and the like, with a blank between them.
std::optional<OptionValue> parse_names(std::string_view text) {
  static constexpr std::string_view kOtherThanLetters = "0123456789.:%*-+_";
  const auto is_of_name = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           kOtherThanLetters.find(byte) != kOtherThanLetters.npos;
  };
  std::string names;
  for (const char byte : text) {
    if (byte == ' ' || byte == '\t') {
      if (!names.empty() && names.back() != ' ') names += ' ';
    } else if (is_of_name(byte)) {
      names += byte;
    } else {
      return std::nullopt;
    }
  }
  if (names.ends_with(' ')) names.pop_back();
  return OptionValue{std::move(names), 0};
}

bool takes_words(const OptionSpec& spec) {
  return spec.kind == OptionKind::words || spec.kind == OptionKind::output_limits ||
         spec.kind == OptionKind::percentiles || spec.kind == OptionKind::keys;
}

std::optional<OptionValue> parse_option(const OptionSpec& spec, std::string_view text, std::string& problem) {
  const auto within_limits = [&](std::optional<std::int64_t> number) -> std::optional<OptionValue> {
    if (!number || *number < spec.least || *number > spec.most) return std::nullopt;
    return OptionValue{std::to_string(*number), *number};
  };
  switch (spec.kind) {
    case OptionKind::integer: return within_limits(parse_number<std::int64_t>(text));
    case OptionKind::size: return within_limits(parse_size(text));
    case OptionKind::octal: {
      auto value = within_limits(parse_number<std::int64_t>(text, 8));
      if (value) value->text = fmt::format("{:o}", value->number);
      return value;
    }
    case OptionKind::share: {
      if (const auto percentage = parse_percentage(text)) return OptionValue{std::string{text}, -*percentage};
      const auto bytes = parse_size(text);
      if (!bytes) return std::nullopt;
      return OptionValue{lower_case(text), *bytes};
    }
    case OptionKind::boolean: {
      const std::string lower = lower_case(text);
      if (lower != "yes" && lower != "no") return std::nullopt;
      return OptionValue{lower, lower == "yes" ? 1 : 0};
    }
    case OptionKind::choice: {
      const std::string lower = lower_case(text);
      if (!spec.refused_choice.empty() && lower == spec.refused_choice) problem = spec.refusal;
      const auto found = std::ranges::find(spec.choices, lower);
      if (found == spec.choices.end()) return std::nullopt;
      return OptionValue{lower, found - spec.choices.begin()};
    }
    case OptionKind::key_events: {
      const auto classes = parse_key_event_classes(text);
      if (!classes) return std::nullopt;
      return OptionValue{format_key_event_classes(*classes), *classes};
    }
    case OptionKind::output_limits: {
      if (!parse_output_limits(text, {}, problem)) return std::nullopt;
      return OptionValue{std::string{text}, 0};
    }
    case OptionKind::percentiles: return parse_percentiles(text);
    case OptionKind::keys: return parse_keys(spec, text, problem);
    case OptionKind::words: return parse_names(text);
    case OptionKind::text: return OptionValue{std::string{text}, 0};
  }
  return std::nullopt;
}

std::string join_keys(std::span<const std::string> keys) {
  std::string text;
  for (const std::string& key : keys) {
    if (!text.empty()) text += ' ';
    text += quoted_key(key);
  }
  return text;
}

std::string line_value(const OptionSpec& spec, const std::string& value) {
  return takes_words(spec) && !value.empty() ? value : join_keys(std::span{&value, 1});
}

std::optional<std::vector<std::string>> split_keys(std::string_view text) {
  protocol::InlineStorage storage;
  std::vector<std::string_view> words;
  if (!protocol::split_inline(text, storage, words)) return std::nullopt;
  return std::vector<std::string>(words.begin(), words.end());
}

}  // namespace shale::server
