// CONFIG: the options, read and changed while the server runs.
#include "src/config.h"

#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/expirer.h"
#include "src/acl/file.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/config_rewrite.h"
#include "src/glob.h"
#include "src/server.h"
#include "src/tls/context.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// The name under which an option is shown if one of `patterns` asks for it: as it was asked for, if it was
// not asked for by a pattern. Else empty.
std::string_view wanted_as(std::string_view option, std::span<const std::string_view> patterns) {
  for (const std::string_view pattern : patterns) {
    const bool literal = pattern.find_first_of("[*?") == std::string_view::npos;
    if (literal && equals_ignoring_case(pattern, option)) return pattern;
    if (!literal && glob_matches(pattern, option, true)) return option;
  }
  return {};
}

// CONFIG GET pattern [pattern ...] -> a map of options and their values
engine::Status config_get(CommandContext& context, Arguments arguments) {
  const auto written = context.reply.begin_map(1);
  std::size_t count = 0;
  for (const auto& [option, value] : context.server.config().show()) {
    const std::string_view name = wanted_as(option, arguments.rest());
    if (name.empty()) continue;
    context.reply.bulk(name);
    context.reply.bulk(value);
    ++count;
  }
  context.reply.finish(written, count);
  return {};
}

// A change that reads files before it is made: certificates.
class ConfigChange final : public engine::Load {
 public:
  ConfigChange(Config& config, std::span<const std::string_view> names_and_values)
      : config_(config), words_(names_and_values.begin(), names_and_values.end()) {}

  void run() override {
    if (done()) return;
    const std::vector<std::string_view> words(words_.begin(), words_.end());
    {
      static std::mutex one_at_a_time;  // each is tried along with what the one before has left
      const std::lock_guard lock{one_at_a_time};
      error_ = config_.change(words);
    }
    done_.store(true, std::memory_order_release);
  }
  bool done() const override { return done_.load(std::memory_order_acquire); }
  const std::optional<std::string>& error() const { return error_; }  // once done

 private:
  Config& config_;
  const std::vector<std::string> words_;
  std::optional<std::string> error_;
  std::atomic<bool> done_ = false;
};

bool reads_files(std::span<const std::string_view> names_and_values) {
  for (std::size_t at = 0; at < names_and_values.size(); at += 2) {
    const auto option = find_option(names_and_values[at]);
    if (option && tls::is_tls_setting(*option)) return true;
  }
  return false;
}

// CONFIG SET option value [option value ...] -> OK; on an error nothing has changed
engine::Status config_set(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() % 2 != 0) return reply_error(context, kSyntaxError);
  std::optional<std::string> error;
  if (context.server.tls_context() != nullptr && reads_files(arguments.rest())) {
    const auto* change = context.keyspace.waited_for<ConfigChange>();
    if (change == nullptr) {
      return context.keyspace.wait_for(
          std::make_shared<ConfigChange>(context.server.config(), arguments.rest()));
    }
    error = change->error();
  } else {
    error = context.server.config().change(arguments.rest());
  }
  return error ? reply_error(context, *error) : reply_ok(context);
}

// CONFIG RESETSTAT -> OK; what INFO counts begins at zero again
engine::Status config_resetstat(CommandContext& context, Arguments) {
  context.server.stats().reset();
  context.server.store().expirer().reset_stats();
  return reply_ok(context);
}

// The lines "user <name> <rule> ..." of the users as they are now, unless the option aclfile is theirs: of
// all but the default user as requirepass alone makes it.
std::string user_lines(const Server& server) {
  if (!server.config().text(Option::aclfile).empty()) return {};
  acl::Users untouched;
  if (const std::string password = server.config().text(Option::requirepass); !password.empty()) {
    untouched.set_default_password(password);
  }
  const std::string lines = acl::describe_users(server.users());
  const std::string default_line = acl::describe_users(untouched);
  const std::size_t at = lines.find(default_line);
  const bool has_default_line = at == 0 || (at != std::string::npos && lines[at - 1] == '\n');
  return has_default_line ? lines.substr(0, at) + lines.substr(at + default_line.size()) : lines;
}

// CONFIG REWRITE -> OK; the configuration file says what is in force
engine::Status config_rewrite(CommandContext& context, Arguments) {
  const std::string& path = context.server.config_file();
  if (path.empty()) return reply_error(context, "ERR The server is running without a config file");
  if (const auto* rewrite = context.keyspace.waited_for<ConfigRewrite>()) {
    if (rewrite->problem().empty()) return reply_ok(context);
    return reply_error(context, fmt::format("ERR Rewriting config file: {}", rewrite->problem()));
  }
  return context.keyspace.wait_for(
      std::make_shared<ConfigRewrite>(path, context.server.config(), user_lines(context.server)));
}

// CONFIG HELP -> lines for people
engine::Status config_help(CommandContext& context, Arguments) {
  return reply_help(context, "CONFIG",
                    {
                        "GET <pattern> [<pattern> ...]",
                        "    Give the options that match, with their values.",
                        "SET <option> <value> [<option> <value> ...]",
                        "    Change options; all of them, or none.",
                        "RESETSTAT",
                        "    Let the counts in INFO begin at zero again.",
                        "REWRITE",
                        "    Write the options in force into the configuration file.",
                    });
}

constexpr CommandFlags kOperator = admin | noscript | loading | stale;

constexpr ArgumentSpec kParameter[] = {{.name = "parameter"}};
constexpr ArgumentSpec kGetArguments[] = {
    {.name = "parameter", .type = block, .multiple = true, .children = kParameter},
};
constexpr ArgumentSpec kPair[] = {{.name = "parameter"}, {.name = "value"}};
constexpr ArgumentSpec kSetArguments[] = {
    {.name = "data", .type = block, .multiple = true, .children = kPair},
};
constexpr std::string_view kPerOption = "O(N), N being the number of options";
constexpr std::string_view kAllNodes = "request_policy:all_nodes response_policy:all_succeeded";

constexpr CommandSpec kSubcommands[] = {
    {.name = "get",
     .arity = at_least(3),
     .flags = kOperator,
     .group = "server",
     .since = "2.0.0",
     .complexity = kPerOption,
     .summary = "Gives options and their values.",
     .arguments = kGetArguments,
     .handler = config_get},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = config_help},
    {.name = "resetstat",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Lets the counts in INFO begin at zero again.",
     .handler = config_resetstat},
    {.name = "rewrite",
     .arity = exactly(2),
     .flags = kOperator,
     .group = "server",
     .since = "2.8.0",
     .complexity = kPerOption,
     .summary = "Writes the options in force into the configuration file.",
     .handler = config_rewrite},
    {.name = "set",
     .arity = at_least(4),
     .flags = kOperator,
     .group = "server",
     .since = "2.0.0",
     .complexity = kPerOption,
     .summary = "Changes options while the server runs.",
     .tips = kAllNodes,
     .arguments = kSetArguments,
     .handler = config_set},
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kConfigCommands[] = {
    {.name = "config",
     .arity = at_least(2),
     .group = "server",
     .since = "2.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "The server's options.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandSpec> config_commands() { return kConfigCommands; }

}  // namespace shale::server
