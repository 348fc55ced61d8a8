// Values under another key: RENAME, MOVE, COPY.
#include <utility>

#include "src/command/arguments.h"
#include "src/commands/database_argument.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::string_view kNoSuchKey = "ERR no such key";
constexpr std::string_view kSameObject = "ERR source and destination objects are the same";

// Stores `value`, which `from` has found, with its expiry. A large value's file belongs to its key, so that
// the new key gets a file of its own, written in the background. Errors: not_resident until then; corruption,
// io, no_space.
engine::Status store_copy(Keyspace& from, const Value& value, Keyspace& into, BytesView key) {
  if (!value.large) {
    into.store_again(key, value, value.expires_at_ms);
    return {};
  }
  return into.store_composed(key, {from.piece(value, 0, value.size())}, value.expires_at_ms);
}

engine::Status rename_key(CommandContext& context, Arguments& arguments, bool only_new) {
  const BytesView from = arguments.take();
  const BytesView to = arguments.take();
  const auto found = context.keyspace.find(from);
  if (!found) return found.error();
  if (!*found) return reply_error(context, kNoSuchKey);
  if (from != to) {
    if (only_new) {
      const auto taken = context.keyspace.find(to);
      if (!taken) return taken.error();
      if (*taken) return reply_integer(context, 0);
    }
    if (auto stored = store_copy(context.keyspace, **found, context.keyspace, to); !stored) return stored;
    context.keyspace.erase(from);
    context.notify(KeyEventClass::new_key, "new", to);
    context.notify(KeyEventClass::generic, "rename_from", from);
    context.notify(KeyEventClass::generic, "rename_to", to);
  }
  return only_new ? reply_integer(context, from != to) : reply_ok(context);
}

// RENAME key newkey -> OK; what was at newkey is gone
engine::Status rename(CommandContext& context, Arguments arguments) {
  return rename_key(context, arguments, false);
}

// RENAMENX key newkey -> 1, or 0 if newkey exists
engine::Status renamenx(CommandContext& context, Arguments arguments) {
  return rename_key(context, arguments, true);
}

// MOVE key db -> 1, or 0 if the key does not exist, or exists there
engine::Status move(CommandContext& context, Arguments arguments) {
  const BytesView key = arguments.take();
  const std::string_view database = arguments.take();
  if (const auto refusal = database_refusal(context, database)) return reply_error(context, *refusal);
  const unsigned number = *parse_database(database);
  if (number == context.keyspace.database()) return reply_error(context, kSameObject);

  Keyspace there = context.keyspace.of_extra_key(number);
  const auto found = context.keyspace.find(key);
  if (!found) return found.error();
  const auto taken = there.find(key);
  if (!taken) return taken.error();
  if (!*found || *taken) return reply_integer(context, 0);
  if (auto stored = store_copy(context.keyspace, **found, there, key); !stored) return stored;
  context.keyspace.erase(key);
  context.notify(KeyEventClass::new_key, "new", number, key);
  context.notify(KeyEventClass::generic, "move_from", key);
  context.notify(KeyEventClass::generic, "move_to", number, key);
  return reply_integer(context, 1);
}

std::optional<ExtraKey> move_extra_key(std::span<const std::string_view> words, unsigned selected) {
  const auto database = parse_database(words[2]);
  if (!database || *database == selected) return std::nullopt;
  return ExtraKey{1, *database, KeyFlag::ow | KeyFlag::insert};
}

struct CopyOptions {
  bool replace = false;
  std::string_view database;  // empty: the selected one
};

CopyOptions take_copy_options(Arguments& arguments) {
  CopyOptions options;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("REPLACE")) {
      options.replace = true;
    } else if (arguments.take_word("DB", 1)) {
      options.database = arguments.take();
      if (!parse_database(options.database)) break;  // refused before what is behind it is looked at
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return options;
}

std::optional<ExtraKey> copy_extra_key(std::span<const std::string_view> words, unsigned selected) {
  Arguments arguments(words, 3);
  const auto database = parse_database(take_copy_options(arguments).database);
  if (!database || *database == selected) return std::nullopt;
  return ExtraKey{2, *database, KeyFlag::ow | KeyFlag::update};
}

// COPY source destination [DB number] [REPLACE] -> 1, or 0 if there is no source, or a destination without
// REPLACE
engine::Status copy(CommandContext& context, Arguments arguments) {
  const BytesView from = arguments.take();
  const BytesView to = arguments.take();
  const CopyOptions options = take_copy_options(arguments);
  unsigned number = context.keyspace.database();
  if (options.database.data() != nullptr) {
    // Redis looks at the number before what is behind it.
    if (const auto refusal = database_refusal(context, options.database))
      return reply_error(context, *refusal);
    number = *parse_database(options.database);
  }
  if (arguments.failed()) return reply_error(context, arguments.error());
  const bool same_database = number == context.keyspace.database();
  if (same_database && from == to) return reply_error(context, kSameObject);

  Keyspace there = same_database ? context.keyspace : context.keyspace.of_extra_key(number);
  const auto found = context.keyspace.read(from);
  if (!found) return found.error();
  if (!*found) return reply_integer(context, 0);
  const auto taken = there.find(to);
  if (!taken) return taken.error();
  if (*taken && !options.replace) return reply_integer(context, 0);
  if (auto stored = store_copy(context.keyspace, **found, there, to); !stored) return stored;
  context.notify(KeyEventClass::new_key, "new", number, to);
  context.notify(KeyEventClass::generic, "copy_to", number, to);
  return reply_integer(context, 1);
}

constexpr std::string_view kConstant = "O(1); a large value is copied";
constexpr KeyPositions kOverwritten[] = {one_key(2, KeyFlag::ow | KeyFlag::update)};
constexpr KeyPositions kInserted[] = {one_key(2, KeyFlag::ow | KeyFlag::insert)};

constexpr ArgumentSpec kRenameArguments[] = {
    {.name = "key", .type = key},
    {.name = "newkey", .type = key},
};
constexpr ArgumentSpec kMoveArguments[] = {
    {.name = "key", .type = key},
    {.name = "db", .type = integer},
};
constexpr ArgumentSpec kCopyArguments[] = {
    {.name = "source", .type = key},
    {.name = "destination", .type = key},
    {.name = "destination-db", .type = integer, .token = "DB", .optional = true},
    {.name = "replace", .type = pure_token, .token = "REPLACE", .optional = true},
};

constexpr CommandSpec kCopyCommands[] = {
    {.name = "copy",
     .arity = at_least(3),
     .flags = write | denyoom,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .more_keys = kOverwritten,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "6.2.0",
     .complexity = "O(N), N being the length of the value",
     .summary = "Copies a key's value, with its expiry, to another key, also of another database.",
     .arguments = kCopyArguments,
     .handler = copy,
     .extra_key = copy_extra_key},
    {.name = "move",
     .arity = exactly(3),
     .flags = write | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::update),
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Moves a key to another database.",
     .arguments = kMoveArguments,
     .handler = move,
     .extra_key = move_extra_key},
    {.name = "rename",
     .arity = exactly(3),
     .flags = write,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::erases),
     .more_keys = kOverwritten,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Gives a key another name, whatever was there before.",
     .arguments = kRenameArguments,
     .handler = rename},
    {.name = "renamenx",
     .arity = exactly(3),
     .flags = write | fast,
     .keys = one_key(1, KeyFlag::rw | KeyFlag::access | KeyFlag::erases),
     .more_keys = kInserted,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = kConstant,
     .summary = "Gives a key another name if no other key has it.",
     .arguments = kRenameArguments,
     .handler = renamenx},
};
static_assert(sorted_and_unique(kCopyCommands));

}  // namespace

std::span<const CommandSpec> copy_commands() { return kCopyCommands; }

}  // namespace shale::server
