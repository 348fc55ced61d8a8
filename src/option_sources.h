// Where the options' values come from: defaults, then the configuration file, then the environment
// (SHALE_<OPTION>), then the command line; a later one wins. Redis's own files and arguments are read as they
// are.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/config.h"

namespace shale::server {

// What a line begins with that is no option: "user <name> <rule> ...".
inline constexpr std::string_view kUserLine = "user";

// A value somebody gave, before anyone has looked whether there is such an option.
struct Setting {
  std::string name;
  std::vector<std::string> words;
  std::string origin;  // for people: "shale.conf:12", "environment SHALE_PORT", "command line"
};

// All that is wrong, each complete in itself: a start names everything that has to be corrected.
using Problems = std::vector<std::string>;

struct CommandLine {
  bool help = false;
  bool version = false;
  bool check_config = false;
  bool health_check = false;
  bool verify = false;
  std::string config_file;  // empty if none was given; behind --verify it may be a folder
  std::vector<Setting> settings;
};

// `arguments` without the program's name. An option's value ends where the next word begins with "--".
CommandLine read_command_line(const std::vector<std::string>& arguments, Problems& problems);
// Every SHALE_<OPTION> of this process, except for what container platforms put there for a service named
// "shale".
std::vector<Setting> read_environment();
// Lines "key = value" or, as in a redis.conf, "key value"; '#' begins a comment line; values may be quoted.
std::vector<Setting> read_config_file(const std::string& path, Problems& problems);
std::vector<Setting> parse_config_lines(std::string_view contents, std::string_view file_name,
                                        Problems& problems);

// Puts settings into `config`, in order. Redis's options without a meaning here are named in one line,
// `warning`.
void apply_settings(std::span<const Setting> settings, Config& config, std::string& warning,
                    Problems& problems);

// What --help prints about the options.
std::string describe_options();
// The values in the configuration file's own form; what is secret is left out.
std::string print_config(const Config& config);

}  // namespace shale::server
