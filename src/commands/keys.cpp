// Keys of any type.
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// DEL key [key ...], UNLINK key [key ...] -> how many there were. Both only mark: the space comes back in the
// background.
engine::Status del(CommandContext& context, Arguments arguments) {
  std::int64_t deleted = 0;
  while (!arguments.empty()) {
    const BytesView name = arguments.take();
    const auto found = context.keyspace.find(name);
    if (!found) return found.error();
    if (!*found) continue;
    context.keyspace.erase(name);
    context.notify(KeyEventClass::generic, "del", name);
    ++deleted;
  }
  return reply_integer(context, deleted);
}

// EXISTS key [key ...], TOUCH key [key ...] -> how many exist; one that is named twice counts twice
engine::Status exists(CommandContext& context, Arguments arguments) {
  std::int64_t existing = 0;
  for (std::size_t number = 0; number < arguments.remaining(); ++number) {
    const auto found = context.keyspace.read_declared(number);
    if (!found) return found.error();
    existing += found->has_value();
  }
  return reply_integer(context, existing);
}

// TYPE key -> "string", or "none" if there is no such key
engine::Status type(CommandContext& context, Arguments arguments) {
  const auto found = context.keyspace.read(arguments.take());
  if (!found) return found.error();
  context.reply.simple_string(*found ? type_name((*found)->type) : "none");
  return {};
}

constexpr std::string_view kPerKey = "O(N), N being the number of keys";
constexpr std::string_view kSumOfShards = "request_policy:multi_shard response_policy:agg_sum";

constexpr ArgumentSpec kKeyOnly[] = {{.name = "key", .type = key}};
constexpr ArgumentSpec kKeys[] = {{.name = "key", .type = key, .multiple = true}};

constexpr CommandSpec kKeyCommands[] = {
    {.name = "del",
     .arity = at_least(2),
     .flags = write,
     .keys = keys_from(1, KeyFlag::rm | KeyFlag::erases),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = kPerKey,
     .summary = "Deletes keys.",
     .tips = kSumOfShards,
     .arguments = kKeys,
     .handler = del},
    {.name = "exists",
     .arity = at_least(2),
     .flags = readonly | fast,
     .keys = keys_from(1, KeyFlag::ro),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = kPerKey,
     .summary = "Counts which of the keys exist.",
     .tips = kSumOfShards,
     .arguments = kKeys,
     .handler = exists,
     .key_use = KeyUse::look},
    {.name = "touch",
     .arity = at_least(2),
     .flags = readonly | fast,
     .keys = keys_from(1, KeyFlag::ro),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "3.2.1",
     .complexity = kPerKey,
     .summary = "Counts which of the keys exist, as if each had been read.",
     .tips = kSumOfShards,
     .arguments = kKeys,
     .handler = exists,
     .key_use = KeyUse::touch},
    {.name = "type",
     .arity = exactly(2),
     .flags = readonly | fast,
     .keys = one_key(1, KeyFlag::ro),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Names the type of a key's value.",
     .arguments = kKeyOnly,
     .handler = type,
     .key_use = KeyUse::look},
    {.name = "unlink",
     .arity = at_least(2),
     .flags = write | fast,
     .keys = keys_from(1, KeyFlag::rm | KeyFlag::erases),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "4.0.0",
     .complexity = kPerKey,
     .summary = "Deletes keys, and leaves their space to the background.",
     .tips = kSumOfShards,
     .arguments = kKeys,
     .handler = del},
};
static_assert(sorted_and_unique(kKeyCommands));

}  // namespace

std::span<const CommandSpec> key_commands() { return kKeyCommands; }

}  // namespace shale::server
