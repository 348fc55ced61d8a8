// LOLWUT: a drawing, and the version. Shale is a rock of thin layers; so is the drawing.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <string>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/run.h"
#include "src/server.h"
#include "src/version.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::int64_t kColumns = 60;
constexpr std::int64_t kLayers = 8;
constexpr std::int64_t kColumnsMax = 160;
constexpr std::int64_t kLayersMax = 40;

// Layers of stone, thinner and darker the deeper they lie, each broken at random.
std::string draw_layers(std::size_t columns, std::size_t layers) {
  constexpr std::string_view kStone = ".-~=#";
  std::minstd_rand random{std::random_device{}()};
  std::string drawing;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const char stone = kStone[layer * kStone.size() / layers];
    std::size_t column = 0;
    while (column < columns) {
      const std::size_t slab =
          std::min<std::size_t>(columns - column, 4 + random() % (20 - 12 * layer / layers));
      drawing.append(slab, stone);
      if (column + slab < columns) drawing.back() = random() % 2 == 0 ? '/' : '\\';
      column += slab;
    }
    drawing += '\n';
  }
  return drawing;
}

// LOLWUT [VERSION version] [columns [layers]] -> a drawing
engine::Status lolwut(CommandContext& context, Arguments arguments) {
  if (arguments.take_word("VERSION", 1)) arguments.take_integer();
  const auto take = [&](std::int64_t otherwise, std::int64_t most) {
    if (arguments.empty()) return static_cast<std::size_t>(otherwise);
    return static_cast<std::size_t>(std::clamp<std::int64_t>(arguments.take_integer(), 1, most));
  };
  const std::size_t columns = take(kColumns, kColumnsMax);
  const std::size_t layers = take(kLayers, kLayersMax);
  if (arguments.failed()) return reply_error(context, arguments.error());
  // Clients look for the last line's words.
  context.reply.verbatim("txt", fmt::format("{}\nShale {}, layer by layer. Redis ver. {}\n",
                                            draw_layers(columns, layers), shale_version(), kRedisVersion));
  return {};
}

constexpr ArgumentSpec kVersionArgument[] = {
    {.name = "version", .type = integer, .token = "VERSION", .optional = true}};

constexpr CommandSpec kLolwutCommands[] = {
    {.name = "lolwut",
     .arity = at_least(1),
     .flags = readonly | fast,
     .group = "server",
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Draws, and tells the version.",
     .arguments = kVersionArgument,
     .handler = lolwut},
};

}  // namespace

std::span<const CommandSpec> lolwut_commands() { return kLolwutCommands; }

}  // namespace shale::server
