// shale-server: reads the options, then serves, checks a configuration or asks a running server for its
// health.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "src/health_check.h"
#include "src/memory_budget.h"
#include "src/option_sources.h"
#include "src/run.h"
#include "src/verify_data.h"

namespace shale::server {
namespace {

constexpr std::string_view kUsage =
    R"(usage: shale-server [configuration-file] [--option value ...]

  --help, -h       this text
  --version, -v    the version
  --check-config   check the configuration and print what it comes to; do not serve
  --health-check   ask the server that is running with this configuration whether it answers
  --verify         check every byte of the data folder of a stopped server, and change nothing; the folder may stand in
                   place of the configuration file. Exit code 0: sound, 1: damaged, 2: could not be checked

Options may be given, a later one winning, as lines 'option = value' or 'option value' in the configuration file, as
environment variables SHALE_<OPTION> (SHALE_PORT, SHALE_LOG_MAX_SIZE, ...), and as arguments '--option value' or
'--option=value'. A redis.conf and redis-server's arguments are understood. With default and meaning:

)";

int report(const Problems& problems) {
  for (const std::string& problem : problems) fmt::print(stderr, "shale-server: {}\n", problem);
  return 1;
}

int check_config(const Config& config, const std::string& warning) {
  const Resources resources = resolve_resources(config);
  if (!divide_memory(resources.memory_bytes)) {
    return report(
        {fmt::format("option 'memory': {} bytes are too little, the least is 32mb", resources.memory_bytes)});
  }
  fmt::print("{}", print_config(config));
  fmt::print("# here that is: {} threads, {} mb of memory\n", resources.threads,
             resources.memory_bytes >> 20);
  if (!warning.empty()) fmt::print(stderr, "shale-server: warning: {}\n", warning);
  return 0;
}

// An address among the arguments is meant; else the folder says where its server is, whatever arguments that
// one has.
int health_check(const Config& config, const std::vector<Setting>& arguments) {
  const bool named = std::ranges::any_of(arguments, [](const Setting& setting) {
    return setting.name == "port" || setting.name == "tls-port" || setting.name == "bind" ||
           setting.name == "unixsocket";
  });
  RunningAddress address = configured_address(config);
  if (!named) address = read_running_address(config.text(Option::dir)).value_or(address);
  const std::string problem =
      check_health(address, config.text(Option::requirepass), tls::settings_of(config));
  if (!problem.empty()) return report({problem});
  fmt::print("healthy\n");
  return 0;
}

// Where --verify is followed by a folder instead of a configuration file, that is the folder to check.
void take_folder_to_verify(CommandLine& command_line) {
  std::error_code failed;
  if (!command_line.verify || !std::filesystem::is_directory(command_line.config_file, failed)) return;
  command_line.settings.push_back({"dir", {std::exchange(command_line.config_file, {})}, "command line"});
}

int run(const std::vector<std::string>& arguments) {
  Problems problems;
  CommandLine command_line = read_command_line(arguments, problems);
  take_folder_to_verify(command_line);
  if (command_line.help) {
    fmt::print("{}{}", kUsage, describe_options());
    return 0;
  }
  if (command_line.version) {
    fmt::print("Shale {}\n", shale_version());
    return 0;
  }
  std::vector<Setting> settings;
  if (!command_line.config_file.empty()) settings = read_config_file(command_line.config_file, problems);
  const std::vector<Setting> environment = read_environment();
  settings.insert(settings.end(), environment.begin(), environment.end());
  settings.insert(settings.end(), command_line.settings.begin(), command_line.settings.end());

  Config config;
  std::string warning;
  apply_settings(settings, config, warning, problems);
  if (!problems.empty()) {
    report(problems);
    return command_line.verify ? kNotVerified : 1;
  }
  if (command_line.check_config) return check_config(config, warning);
  if (command_line.verify) return verify_data(config.text(Option::dir));
  if (command_line.health_check) return health_check(config, command_line.settings);
  return run_server(config, command_line.config_file, warning);
}

}  // namespace
}  // namespace shale::server

int main(int argc, char** argv) { return shale::server::run({argv + 1, argv + argc}); }
