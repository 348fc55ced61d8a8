// SCAN: all keys of a database, a page at a time.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "cluster/position.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/glob.h"
#include "src/keyspace_walk.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// The bounds of one page's work; a client that asks for more gets it by more calls.
constexpr std::int64_t kPageKeysMax = 10'000;
constexpr std::size_t kPageBytesMax = 1u << 20;  // and the key that reaches it
constexpr std::size_t kPageRecordsMin = 1'000;
// More than the map of a new folder has: a small database is scanned in one call. An empty range costs 0.1
// us.
constexpr std::size_t kPageRangesMin = 1'500;

struct ScanOptions {
  std::uint64_t cursor = 0;
  BytesView pattern = "*";
  std::int64_t count = 10;
  BytesView type;  // empty: any
};

std::uint64_t take_cursor(Arguments& arguments) {
  const std::string_view text = arguments.take();
  std::uint64_t cursor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  if (error != std::errc{} || end != text.data() + text.size()) arguments.fail("ERR invalid cursor");
  return cursor;
}

ScanOptions take_scan_options(Arguments& arguments) {
  ScanOptions options;
  options.cursor = take_cursor(arguments);
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("COUNT", 1)) {
      options.count = arguments.take_integer();
      if (options.count < 1) arguments.fail(kSyntaxError);
    } else if (arguments.take_word("MATCH", 1)) {
      options.pattern = arguments.take();
    } else if (arguments.take_word("TYPE", 1)) {
      options.type = arguments.take();
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  return options;
}

WalkLimits page_limits(std::int64_t count) {
  const auto keys = static_cast<std::size_t>(std::min(count, kPageKeysMax));
  return {.keys = keys, .records = keys + kPageRecordsMin, .ranges = keys + kPageRangesMin};
}

// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] -> the cursor to go on with, 0 at the end, and some
// keys
engine::Status scan(CommandContext& context, Arguments arguments) {
  const ScanOptions options = take_scan_options(arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());

  Keyspace& keyspace = context.keyspace;
  ScanCursors& cursors = context.server.scan_cursors();
  // The cursor goes before the keys, and is known after them.
  Bytes names;
  std::vector<std::size_t> name_bytes;
  const bool any_key = glob_matches_all(options.pattern);
  const auto collect = [&](BytesView name, const Value& value) {
    const bool wanted = (any_key || glob_matches(options.pattern, name)) &&
                        (options.type.empty() || equals_ignoring_case(options.type, type_name(value.type)));
    if (!wanted) return true;
    names += name;
    name_bytes.push_back(name.size());
    return names.size() < kPageBytesMax;
  };
  cluster::Store& store = context.server.store();
  const auto neighbours = neighbours_of_pattern(store.placement(), options.pattern);
  const auto walked = walk_keys(store, keyspace.reads(), keyspace.database(), keyspace.now_ms(),
                                cursors.place(keyspace.database(), options.cursor), neighbours,
                                page_limits(options.count), collect, keyspace.exclusive());
  if (!walked) return walked.error();

  const std::uint64_t next =
      walked->next ? cursors.cursor(keyspace.database(), *walked->next, walked->walked) : 0;
  context.reply.array(2);
  context.reply.bulk(fmt::format_int(next).c_str());
  context.reply.array(name_bytes.size());
  std::size_t offset = 0;
  for (const std::size_t bytes : name_bytes) {
    context.reply.bulk(BytesView{names}.substr(offset, bytes));
    offset += bytes;
  }
  return {};
}

constexpr ArgumentSpec kScanArguments[] = {
    {.name = "cursor", .type = integer},
    {.name = "pattern", .type = pattern, .token = "MATCH", .optional = true},
    {.name = "count", .type = integer, .token = "COUNT", .optional = true},
    {.name = "type", .token = "TYPE", .optional = true},
};

constexpr CommandSpec kScanCommands[] = {
    {.name = "scan",
     .arity = at_least(2),
     .flags = readonly,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "2.8.0",
     .complexity = "O(1) for a call, O(N) for a whole scan, N being the number of keys",
     .summary = "Gives the keys of the database, a few at each call.",
     .tips = "nondeterministic_output request_policy:special",
     .arguments = kScanArguments,
     .handler = scan,
     .in_transaction = InTransaction::all_keys},
};

}  // namespace

std::span<const CommandSpec> scan_commands() { return kScanCommands; }

}  // namespace shale::server
