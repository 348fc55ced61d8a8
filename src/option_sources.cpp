#include "src/option_sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include <boost/program_options.hpp>

#include "protocol/inline_request.h"
#include "src/acl/file.h"

namespace shale::server {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kCommandLine = "command line";
constexpr std::string_view kEnvironmentPrefix = "SHALE_";

bool begins_option(const std::string& word) { return word.size() > 2 && word.starts_with("--"); }

bool is_action(std::string_view name) {
  return name == "help" || name == "version" || name == "check-config" || name == "health-check" ||
         name == "verify";
}

// Program_options' hook for a syntax of one's own: Redis's, in which an option takes all words up to the next
// option.
std::vector<po::option> take_option(std::vector<std::string>& words) {
  if (words.front() == "-h" || words.front() == "-v") {
    words.front() = words.front() == "-h" ? "--help" : "--version";
  }
  if (!begins_option(words.front())) return {};
  po::option option;
  option.original_tokens.push_back(words.front());
  const std::string text = words.front().substr(2);
  words.erase(words.begin());
  const std::size_t equals = text.find('=');
  option.string_key = text.substr(0, equals);
  if (equals != std::string::npos) {
    option.value.push_back(text.substr(equals + 1));
  } else if (!is_action(option.string_key)) {
    const auto end = std::ranges::find_if(words, begins_option);
    option.value.assign(words.begin(), end);
    words.erase(words.begin(), end);
  }
  return {option};
}

// Kubernetes and Docker describe a service named "shale" in variables that look like ours:
// SHALE_SERVICE_HOST, SHALE_PORT=tcp://10.0.0.1:6379, SHALE_PORT_6379_TCP_ADDR.
bool is_service_link(std::string_view variable, std::string_view value) {
  return variable.starts_with("SHALE_SERVICE_") || variable.starts_with("SHALE_PORT_") ||
         (variable == "SHALE_PORT" && value.find("://") != std::string_view::npos);
}

std::string option_of_variable(std::string_view variable) {
  std::string name{variable.substr(kEnvironmentPrefix.size())};
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return c == '_' ? '-' : static_cast<char>(std::tolower(c)); });
  return name;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(" \t", at)) != std::string::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

// One line of a configuration file, without blanks around it.
std::optional<Setting> parse_config_line(std::string_view line, std::string_view origin, Problems& problems) {
  constexpr std::string_view kBlanks = " \t";
  const std::size_t name_end = std::min(line.find_first_of(" \t="), line.size());
  Setting setting{std::string{line.substr(0, name_end)}, {}, std::string{origin}};

  std::string_view value = line.substr(name_end);
  value.remove_prefix(std::min(value.find_first_not_of(kBlanks), value.size()));
  const bool has_equals = value.starts_with('=');
  if (has_equals) value.remove_prefix(1);

  protocol::InlineStorage storage;
  std::vector<std::string_view> words;
  if (!protocol::split_inline(value, storage, words)) {
    problems.push_back(
        fmt::format("quotes are not balanced in the value of '{}' ({})", setting.name, origin));
    return std::nullopt;
  }
  setting.words.assign(words.begin(), words.end());
  if (has_equals && setting.words.empty()) setting.words.emplace_back();
  return setting;
}

// For problems: what was given, unless it is secret.
std::string quoted(const OptionSpec& spec, std::string_view value) {
  return spec.secret ? std::string{"what was given"} : fmt::format("'{}'", value);
}

void apply_foreign(const ForeignOption& option, const Setting& setting, Config& config,
                   std::vector<std::string>& ignored, Problems& problems) {
  const std::string value = fmt::format("{}", fmt::join(setting.words, " "));
  if (option.treatment == ForeignTreatment::refused) {
    const bool is_replica_of_nobody = option.name.ends_with("of") && value == "no one";
    if ((option.value.data() != nullptr && value == option.value) || is_replica_of_nobody) return;
    problems.push_back(
        fmt::format("option '{}' is not supported: {} ({})", option.name, option.hint, setting.origin));
    return;
  }
  if (option.treatment == ForeignTreatment::ignored) config.assign_foreign(option, value);
  std::string named{option.name};
  if (!option.hint.empty()) named += fmt::format(" ({})", option.hint);
  if (std::ranges::find(ignored, named) == ignored.end()) ignored.push_back(std::move(named));
}

void apply_own(Option option, const Setting& setting, Config& config, Problems& problems) {
  const OptionSpec& spec = option_spec(option);
  const bool takes_keys = spec.kind == OptionKind::keys;
  if (setting.words.empty() || (setting.words.size() > 1 && !takes_words(spec))) {
    problems.push_back(fmt::format("option '{}' takes {}, but {} ({})", spec.name, spec.takes,
                                   setting.words.empty() ? "has no value" : "has several values",
                                   setting.origin));
    return;
  }
  const bool is_none = setting.words.size() == 1 && setting.words.front().empty();
  const std::string text =
      takes_keys && !is_none ? join_keys(setting.words) : fmt::format("{}", fmt::join(setting.words, " "));
  std::string problem;
  if (auto value = parse_option(spec, text, problem)) {
    config.assign(option, std::move(*value));
  } else if (!problem.empty()) {
    problems.push_back(fmt::format("option '{}' takes {}, not {}: {} ({})", spec.name, spec.takes,
                                   quoted(spec, text), problem, setting.origin));
  } else {
    problems.push_back(fmt::format("option '{}' takes {}, not {} ({})", spec.name, spec.takes,
                                   quoted(spec, text), setting.origin));
  }
}

// Behind all others: what a new user may do is an option, too.
void apply_users(std::span<const Setting> settings, Config& config, Problems& problems) {
  const bool channels_by_default = config.text(Option::acl_pubsub_default) == "allchannels";
  acl::Users::Definitions users;
  for (const Setting& setting : settings) {
    if (setting.name != kUserLine) continue;
    const std::vector<std::string_view> words(setting.words.begin(), setting.words.end());
    if (const auto problem = acl::add_definition(words, channels_by_default, users)) {
      problems.push_back(
          fmt::format("user '{}': {} ({})", words.empty() ? "" : words.front(), *problem, setting.origin));
    }
  }
  if (!users.empty() && !config.text(Option::aclfile).empty()) {
    problems.emplace_back(
        "users are defined in the configuration and in 'aclfile': only one of the two may be");
  }
  config.set_users(std::move(users));
}

}  // namespace

CommandLine read_command_line(const std::vector<std::string>& arguments, Problems& problems) {
  CommandLine command_line;
  const po::options_description none;
  const po::parsed_options parsed =
      po::command_line_parser(arguments)
          .style(po::command_line_style::allow_long | po::command_line_style::long_allow_adjacent)
          .options(none)
          .extra_style_parser(take_option)
          .allow_unregistered()
          .run();
  bool first = true;
  for (const po::option& option : parsed.options) {
    if (option.string_key.empty()) {
      for (const std::string& word : option.value) {
        if (first && !word.starts_with('-')) {
          command_line.config_file = word;
        } else {
          problems.push_back(fmt::format("unexpected argument '{}' ({}); see --help", word, kCommandLine));
        }
      }
    } else if (option.string_key == "help") {
      command_line.help = true;
    } else if (option.string_key == "version") {
      command_line.version = true;
    } else if (option.string_key == "check-config") {
      command_line.check_config = true;
    } else if (option.string_key == "health-check") {
      command_line.health_check = true;
    } else if (option.string_key == "verify") {
      command_line.verify = true;
    } else {
      command_line.settings.push_back({option.string_key, option.value, std::string{kCommandLine}});
    }
    first = first && option.string_key == "verify";  // whose folder comes behind it
  }
  return command_line;
}

std::vector<Setting> read_environment() {
  // The mapper sees a name only; a service link is told by its value, below.
  const po::parsed_options parsed =
      po::parse_environment(po::options_description{}, [](const std::string& variable) {
        return variable.starts_with(kEnvironmentPrefix) ? variable : std::string{};
      });
  std::vector<Setting> settings;
  for (const po::option& option : parsed.options) {
    const std::string& variable = option.string_key;
    const std::string& value = option.value.front();
    if (is_service_link(variable, value)) continue;
    Setting setting{option_of_variable(variable), {value}, "environment " + variable};
    const auto own = find_option(setting.name);
    if (own && option_spec(*own).kind == OptionKind::keys) {
      setting.words = split_keys(value).value_or(setting.words);
    } else if (own && takes_words(option_spec(*own))) {
      setting.words = split_words(value);
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::vector<Setting> read_config_file(const std::string& path, Problems& problems) {
  std::ifstream file{path, std::ios::binary};
  std::string contents{std::istreambuf_iterator<char>{file}, {}};
  if (!file.is_open() || file.bad()) {
    problems.push_back(fmt::format("cannot read the configuration file '{}'", path));
    return {};
  }
  return parse_config_lines(contents, path, problems);
}

std::vector<Setting> parse_config_lines(std::string_view contents, std::string_view file_name,
                                        Problems& problems) {
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<Setting> settings;
  for (std::size_t line_number = 1; !contents.empty(); ++line_number) {
    const std::size_t end = std::min(contents.find('\n'), contents.size());
    std::string_view line = contents.substr(0, end);
    contents.remove_prefix(std::min(end + 1, contents.size()));
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
    if (line.empty() || line.starts_with('#')) continue;
    auto setting = parse_config_line(line, fmt::format("{}:{}", file_name, line_number), problems);
    if (setting) settings.push_back(std::move(*setting));
  }
  return settings;
}

void apply_settings(std::span<const Setting> settings, Config& config, std::string& warning,
                    Problems& problems) {
  std::vector<std::string> ignored;
  for (const Setting& setting : settings) {
    if (const auto option = find_option(setting.name)) {
      apply_own(*option, setting, config, problems);
    } else if (setting.name == kUserLine) {
      continue;
    } else if (const ForeignOption* foreign = find_foreign_option(setting.name)) {
      apply_foreign(*foreign, setting, config, ignored, problems);
    } else {
      problems.push_back(fmt::format("unknown option '{}' ({}); see --help", setting.name, setting.origin));
    }
  }
  if (!ignored.empty()) {
    warning = fmt::format("these options of Redis have no meaning here and are ignored: {}",
                          fmt::join(ignored, ", "));
  }
  apply_users(settings, config, problems);
  if (config.number(Option::split_points) > 0 && config.text(Option::sharding) != "range") {
    problems.emplace_back("option 'split-points' takes keys only with sharding = range");
  }
}

std::string describe_options() {
  std::string text;
  for (const OptionSpec& spec : all_options()) {
    fmt::format_to(std::back_inserter(text), "  --{} ({})\n      {}.\n      Takes {}.{}\n", spec.name,
                   spec.default_value.empty() ? "empty" : spec.default_value, spec.reason, spec.takes,
                   spec.changeable ? " CONFIG SET changes it." : "");
  }
  return text;
}

std::string print_config(const Config& config) {
  std::string text;
  for (std::size_t at = 0; at < kOptionCount; ++at) {
    const OptionSpec& spec = all_options()[at];
    const std::string value = config.text(static_cast<Option>(at));
    if (spec.secret && !value.empty()) {
      fmt::format_to(std::back_inserter(text), "# {} is set\n", spec.name);
    } else {
      fmt::format_to(std::back_inserter(text), "{} = {}\n", spec.name, line_value(spec, value));
    }
  }
  for (const auto& [name, rules] : config.users()) {
    fmt::format_to(std::back_inserter(text), "# user {} is defined\n", name);
  }
  return text;
}

}  // namespace shale::server
