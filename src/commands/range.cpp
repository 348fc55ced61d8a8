// RANGE: keys and values in the order of the keys: on the ring of one hash tag, else of the database.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "cluster/position.h"
#include "src/command/arguments.h"
#include "src/command/table.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/range_read.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// As much as this is read on the client's thread, if it is in memory; beyond it others get their turn.
constexpr std::size_t kPiecesAtOnce = 4;

constexpr std::string_view kInvalidBound = "ERR min or max not valid string range item";
constexpr std::string_view kNoTag =
    "ERR RANGE works within one hash tag on the hash ring: a bound must name it, as in [{tag}key";
constexpr std::string_view kTwoTags =
    "ERR RANGE works within one hash tag on the hash ring: both bounds must have the same tag";
constexpr std::string_view kNegativeLimit = "ERR LIMIT can't be negative";

// As in ZRANGE BYLEX.
struct Bound {
  enum class Kind : std::uint8_t { lowest, highest, inclusive, exclusive };

  Kind kind = Kind::lowest;
  BytesView key = {};  // of the last two kinds

  bool has_key() const { return kind == Kind::inclusive || kind == Kind::exclusive; }
  bool names_tag() const { return has_key() && cluster::hash_tag(key).size() != key.size(); }
};

struct RangeOptions {
  Bound low = {};
  Bound high = {};
  bool reverse = false;
  bool keys_only = false;
  std::uint64_t limit = UINT64_MAX;
};

// Fails `arguments` if it is none.
Bound parse_bound(BytesView text, Arguments& arguments) {
  using enum Bound::Kind;
  if (text == "-") return {lowest};
  if (text == "+") return {highest};
  if (text.starts_with('[')) return {inclusive, text.substr(1)};
  if (text.starts_with('(')) return {exclusive, text.substr(1)};
  arguments.fail(kInvalidBound);
  return {};
}

RangeOptions take_range_options(Arguments& arguments) {
  RangeOptions options;
  const BytesView start = arguments.take();
  const BytesView end = arguments.take();
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("REV")) {
      options.reverse = true;
    } else if (arguments.take_word("KEYS")) {
      options.keys_only = true;
    } else if (arguments.take_word("LIMIT", 1)) {
      const std::int64_t limit = arguments.take_integer();
      if (limit < 0) arguments.fail(kNegativeLimit);
      options.limit = static_cast<std::uint64_t>(limit);
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  options.low = parse_bound(options.reverse ? end : start, arguments);
  options.high = parse_bound(options.reverse ? start : end, arguments);
  return options;
}

// The hash tag of all keys that are wanted: of both bounds, where an open one is open within the tag. One of
// them must name it in braces, so that nobody who thinks of all keys gets those of a tag. Fails `arguments`.
BytesView tag_of(const RangeOptions& options, Arguments& arguments) {
  const Bound& named = options.low.names_tag() ? options.low : options.high;
  const Bound& other = options.low.names_tag() ? options.high : options.low;
  if (!named.names_tag()) {
    arguments.fail(kNoTag);
  } else if (other.has_key() && cluster::hash_tag(other.key) != cluster::hash_tag(named.key)) {
    arguments.fail(kTwoTags);
  }
  return cluster::hash_tag(named.key);
}

// The first key behind `key`.
Bytes after(BytesView key) { return Bytes(key) + '\0'; }

KeyRange key_range(const RangeOptions& options, cluster::Placement placement) {
  using enum Bound::Kind;
  const BytesView any_key = options.low.has_key() ? options.low.key : options.high.key;
  KeyRange range{.token = placement.token(any_key), .begin = {}, .end = {}, .reverse = options.reverse};
  const Bound& low = options.low;
  const Bound& high = options.high;
  if (low.has_key()) range.begin = low.kind == inclusive ? Bytes(low.key) : after(low.key);
  if (high.has_key()) range.end = high.kind == inclusive ? after(high.key) : Bytes(high.key);
  if (low.kind == highest || high.kind == lowest) range.end = range.begin;  // none
  return range;
}

engine::Status reply_excess(CommandContext& context, RangeRead::Excess excess) {
  const std::string what = excess == RangeRead::Excess::large_values
                               ? fmt::format("{} large values", RangeRead::kLargeValuesMax)
                               : fmt::format("{} bytes of keys and values", reply_bytes_max(context.server));
  return reply_error(
      context,
      fmt::format(
          "ERR the range has more than {}, the most in one reply: use LIMIT, and go on behind the last key",
          what));
}

void reply_value(CommandContext& context, const RangeRead::Pair& pair) {
  if (pair.large == nullptr) return context.reply.bulk(pair.value);
  const std::size_t offset = context.reply.bulk_without_bytes(pair.large_bytes);
  context.large_replies.push_back({offset, pair.large, 0, pair.large_bytes});
}

// Pairs as Redis has them in ZRANGE WITHSCORES: nested in RESP3, flat in RESP2.
engine::Status reply_range(CommandContext& context, const RangeRead& read) {
  if (!read.status()) return read.status();
  if (read.excess() != RangeRead::Excess::nothing) return reply_excess(context, read.excess());
  const bool keys_only = read.query().keys_only;
  const bool nested = !keys_only && context.reply.version() == protocol::Version::resp3;
  const std::size_t count = read.pair_count();
  context.reply.array(keys_only || nested ? count : 2 * count);
  for (std::size_t index = 0; index < count; ++index) {
    const RangeRead::Pair pair = read.pair(index);
    if (nested) context.reply.array(2);
    context.reply.bulk(pair.key);
    if (!keys_only) reply_value(context, pair);
  }
  return {};
}

// RANGE start end [REV] [LIMIT n] [KEYS] -> the keys between the bounds and their values
engine::Status range(CommandContext& context, Arguments arguments) {
  Keyspace& keyspace = context.keyspace;
  if (const auto* read = keyspace.waited_for<RangeRead>()) return reply_range(context, *read);
  const RangeOptions options = take_range_options(arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  const cluster::Placement placement = context.server.store().placement();
  std::optional<Bytes> tag;
  if (placement.is_ring()) tag = tag_of(options, arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());
  // No argument names the keys. Their names alone are as free as KEYS and SCAN give them.
  const acl::UserRules* rules = context.session.identity.rules(context.server.users());
  if (!options.keys_only && rules != nullptr && !rules->unrestricted() &&
      !rules->allows_reading_all_keys(resolve_command(arguments.all()), arguments.all())) {
    return reply_error(context, "NOPERM RANGE gives values only to users who may read all keys");
  }

  RangeQuery query{.keys = key_range(options, placement),
                   .tag = std::move(tag),
                   .keys_only = options.keys_only,
                   .pairs_max = options.limit,
                   .bytes_max = reply_bytes_max(context.server)};
  const auto read = std::make_shared<RangeRead>(context.server.store(), keyspace.database(),
                                                keyspace.now_ms(), std::move(query), keyspace.exclusive());
  const bool alone = keyspace.exclusive() != nullptr;  // in a transaction nobody else gets a turn
  read->begin(alone ? SIZE_MAX : kPiecesAtOnce);
  if (read->done()) return reply_range(context, *read);
  if (!alone) keyspace.reads().missing.push_back(read);
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

constexpr ArgumentSpec kRangeArguments[] = {
    {.name = "start"},
    {.name = "end"},
    {.name = "rev", .type = pure_token, .token = "REV", .optional = true},
    {.name = "limit", .type = integer, .token = "LIMIT", .optional = true},
    {.name = "keys", .type = pure_token, .token = "KEYS", .optional = true},
};

constexpr CommandSpec kRangeCommands[] = {
    {.name = "range",
     .arity = at_least(3),
     .flags = readonly,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "0.1.0",
     .complexity = "O(log(N)+M), N being the number of keys and M of those between the bounds",
     .summary =
         "Gives the keys between two bounds, in order, with their values; on the hash ring, of one hash tag.",
     .arguments = kRangeArguments,
     .handler = range,
     .in_transaction = InTransaction::all_keys},
};

}  // namespace

std::span<const CommandSpec> range_commands() { return kRangeCommands; }

}  // namespace shale::server
