#include "src/commands/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>

#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/config.h"
#include "src/server.h"

namespace shale::server {

engine::Status reply_error(CommandContext& context, std::string_view error) {
  const std::size_t blank = error.find(' ');
  context.reply.error(error.substr(0, blank), error.substr(blank + 1));
  return {};
}

engine::Status reply_large(CommandContext& context, const Value& value, std::uint64_t begin,
                           std::uint64_t length) {
  auto opened = context.keyspace.open_large(*value.large);
  if (!opened) return opened.error();
  const std::size_t offset = context.reply.bulk_without_bytes(length);
  if (length != 0) context.large_replies.push_back({offset, std::move(*opened), begin, length});
  return {};
}

engine::Status reply_arity_error(CommandContext& context) {
  return reply_error(
      context, fmt::format("ERR wrong number of arguments for '{}' command", full_name(context.command)));
}

std::size_t reply_bytes_max(Server& server) {
  constexpr std::uint64_t kLeast = 1u << 20;
  const std::uint64_t share = std::max(server.memory_budget().connections / 4, kLeast);
  const auto option = static_cast<std::uint64_t>(server.config().number(Option::output_buffer_max));
  return static_cast<std::size_t>(std::min(share, option));
}

engine::Status reply_subcommand_error(CommandContext& context, const Arguments& arguments) {
  constexpr std::size_t kQuotedBytesMax = 128;
  std::string container{container_of(context.command)->name};
  std::ranges::transform(container, container.begin(),
                         [](unsigned char letter) { return std::toupper(letter); });
  return reply_error(context,
                     fmt::format("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
                                 arguments.all()[1].substr(0, kQuotedBytesMax), container));
}

engine::Status reply_help(CommandContext& context, std::string_view command_in_capitals,
                          std::initializer_list<std::string_view> lines) {
  context.reply.array(lines.size() + 3);
  context.reply.simple_string(
      fmt::format("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", command_in_capitals));
  for (const std::string_view line : lines) context.reply.simple_string(line);
  context.reply.simple_string("HELP");
  context.reply.simple_string("    Print this help.");
  return {};
}

}  // namespace shale::server
