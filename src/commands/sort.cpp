// SORT and SORT_RO. There are no lists, sets and sorted sets yet, so that what a key has is sorted is always
// nothing: options and types are checked as in Redis.
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

struct SortOptions {
  std::size_t store_word = 0;  // counted as ExtraKey's; 0: no STORE
};

// Stops at the first that is wrong. `may_store`: STORE is one of them.
SortOptions take_sort_options(Arguments& arguments, bool may_store) {
  SortOptions options;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("ASC") || arguments.take_word("DESC") || arguments.take_word("ALPHA")) continue;
    if (arguments.take_word("LIMIT", 2)) {
      arguments.take_integer();
      arguments.take_integer();
    } else if (may_store && arguments.take_word("STORE", 1)) {
      options.store_word = arguments.all().size() - arguments.remaining();
      arguments.take();
    } else if (arguments.take_word("BY", 1) || arguments.take_word("GET", 1)) {
      arguments.take();
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return options;
}

std::optional<ExtraKey> sort_extra_key(std::span<const std::string_view> words, unsigned selected) {
  Arguments arguments(words, 2);
  const std::size_t word = take_sort_options(arguments, true).store_word;
  if (word == 0) return std::nullopt;
  return ExtraKey{word, selected, KeyFlag::ow | KeyFlag::update};
}

engine::Status run_sort(CommandContext& context, Arguments& arguments, bool may_store) {
  const BytesView key = arguments.take();
  const SortOptions options = take_sort_options(arguments, may_store);
  if (arguments.failed()) return reply_error(context, arguments.error());
  const auto found = context.keyspace.read(key);
  if (!found) return found.error();
  if (*found) return reply_error(context, kWrongType);
  if (options.store_word == 0) {
    context.reply.array(0);
    return {};
  }
  const BytesView destination = arguments.all()[options.store_word];
  const auto old = context.keyspace.find(destination);
  if (!old) return old.error();
  if (!*old) return reply_integer(context, 0);
  context.keyspace.erase(destination);
  context.notify(KeyEventClass::generic, "del", destination);
  return reply_integer(context, 0);
}

// SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE destination] ->
// the sorted elements, or how many have been stored
engine::Status sort(CommandContext& context, Arguments arguments) {
  return run_sort(context, arguments, true);
}

// SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] -> the sorted elements
engine::Status sort_ro(CommandContext& context, Arguments arguments) {
  return run_sort(context, arguments, false);
}

constexpr KeyPositions kPatterns[] = {
    keys_somewhere(KeyFlag::ro | KeyFlag::access),
    keys_somewhere(KeyFlag::ow | KeyFlag::update),
};
constexpr KeyPositions kReadPatterns[] = {keys_somewhere(KeyFlag::ro | KeyFlag::access)};

constexpr ArgumentSpec kLimit[] = {
    {.name = "offset", .type = integer},
    {.name = "count", .type = integer},
};
constexpr ArgumentSpec kOrders[] = {
    {.name = "asc", .type = pure_token, .token = "ASC"},
    {.name = "desc", .type = pure_token, .token = "DESC"},
};
constexpr ArgumentSpec kSortArguments[] = {
    {.name = "key", .type = key},
    {.name = "by-pattern", .type = pattern, .token = "BY", .optional = true},
    {.name = "limit", .type = block, .token = "LIMIT", .optional = true, .children = kLimit},
    {.name = "get-pattern", .type = pattern, .token = "GET", .optional = true, .multiple = true},
    {.name = "order", .type = oneof, .optional = true, .children = kOrders},
    {.name = "sorting", .type = pure_token, .token = "ALPHA", .optional = true},
    {.name = "destination", .type = key, .token = "STORE", .optional = true},
};
constexpr std::span<const ArgumentSpec> kReadArguments{kSortArguments, std::size(kSortArguments) - 1};
constexpr AclCategories kCategories =
    AclCategory::set | AclCategory::sortedset | AclCategory::list | AclCategory::dangerous;
constexpr std::string_view kComplexity = "O(N+M*log(M)), N elements being there, and M returned";

constexpr CommandSpec kSortCommands[] = {
    {.name = "sort",
     .arity = at_least(2),
     .flags = write | denyoom | movablekeys,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .more_keys = kPatterns,
     .categories = kCategories,
     .group = "generic",
     .since = "1.0.0",
     .complexity = kComplexity,
     .summary = "Sorts the elements of a list, a set or a sorted set, and may store them.",
     .arguments = kSortArguments,
     .handler = sort,
     .extra_key = sort_extra_key},
    {.name = "sort_ro",
     .arity = at_least(2),
     .flags = readonly | movablekeys,
     .keys = one_key(1, KeyFlag::ro | KeyFlag::access),
     .more_keys = kReadPatterns,
     .categories = kCategories,
     .group = "generic",
     .since = "7.0.0",
     .complexity = kComplexity,
     .summary = "Sorts the elements of a list, a set or a sorted set.",
     .arguments = kReadArguments,
     .handler = sort_ro},
};
static_assert(sorted_and_unique(kSortCommands));

}  // namespace

std::span<const CommandSpec> sort_commands() { return kSortCommands; }

}  // namespace shale::server
