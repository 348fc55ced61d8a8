// LCS: what two strings have in common.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/commands/string_values.h"
#include "src/longest_common_subsequence.h"
#include "src/memory_budget.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// As many steps are made under the lock; more is work for the background, a part at a time.
constexpr std::uint64_t kStepsAtOnce = 64U << 10;
constexpr std::uint64_t kStepsPerRun = 32U << 20;

struct LcsOptions {
  bool length_only = false;
  bool matches = false;
  bool match_lengths = false;
  std::int64_t match_bytes_min = 0;

  friend bool operator==(const LcsOptions&, const LcsOptions&) = default;
};

LcsOptions take_lcs_options(Arguments& arguments) {
  LcsOptions options;
  while (!arguments.empty() && !arguments.failed()) {
    if (arguments.take_word("IDX")) {
      options.matches = true;
    } else if (arguments.take_word("LEN")) {
      options.length_only = true;
    } else if (arguments.take_word("WITHMATCHLEN")) {
      options.match_lengths = true;
    } else if (arguments.take_word("MINMATCHLEN", 1)) {
      options.match_bytes_min = std::max<std::int64_t>(0, arguments.take_integer());
    } else {
      arguments.fail(kSyntaxError);
    }
  }
  if (options.matches && options.length_only) {
    arguments.fail("ERR If you want both the length and indexes, please just use IDX.");
  }
  return options;
}

// What a search takes at its worst, in bytes: both strings, a number for each byte of the second, and a bit
// for each pair of bytes unless only the length is wanted.
std::uint64_t memory_of_search(const Value& a, const Value& b, bool length_only) {
  const std::uint64_t path = length_only ? 0 : a.size() * b.size() / 8;
  return a.size() + b.size() + (b.size() + 1) * sizeof(std::uint32_t) + path;
}

// The search, made in the background. Works on copies: the keys are not locked meanwhile.
class LcsSearch final : public engine::Load {
 public:
  LcsSearch(WorkingMemory::Reservation memory, Bytes a, Bytes b, bool length_only)
      : memory_(std::move(memory)),
        a_hash_(engine::hash_bytes(a)),
        b_hash_(engine::hash_bytes(b)),
        length_only_(length_only),
        search_(std::move(a), std::move(b), length_only) {}

  void run() override {
    if (!done() && search_.advance(kStepsPerRun)) done_.store(true, std::memory_order_release);
  }
  bool done() const override { return done_.load(std::memory_order_acquire); }
  bool is_of(BytesView a, BytesView b, bool length_only) const {
    return engine::hash_bytes(a) == a_hash_ && engine::hash_bytes(b) == b_hash_ &&
           length_only == length_only_;
  }
  const LongestCommonSubsequence& search() const { return search_; }

 private:
  const WorkingMemory::Reservation memory_;
  const std::uint64_t a_hash_;
  const std::uint64_t b_hash_;
  const bool length_only_;
  LongestCommonSubsequence search_;
  std::atomic<bool> done_ = false;
};

engine::Status reply_matches(CommandContext& context, const LongestCommonSubsequence& search,
                             const LcsOptions& options) {
  auto matches = search.matches();
  std::erase_if(matches, [&](const LongestCommonSubsequence::Match& match) {
    return static_cast<std::int64_t>(match.length()) < options.match_bytes_min;
  });
  const auto reply_range = [&](std::size_t first, std::size_t last) {
    context.reply.array(2);
    context.reply.integer(static_cast<std::int64_t>(first));
    context.reply.integer(static_cast<std::int64_t>(last));
  };
  context.reply.map(2);
  context.reply.bulk("matches");
  context.reply.array(matches.size());
  for (const auto& match : matches) {
    context.reply.array(options.match_lengths ? 3 : 2);
    reply_range(match.a_first, match.a_last);
    reply_range(match.b_first, match.b_last);
    if (options.match_lengths) context.reply.integer(static_cast<std::int64_t>(match.length()));
  }
  context.reply.bulk("len");
  return reply_integer(context, static_cast<std::int64_t>(search.length()));
}

engine::Status reply_found(CommandContext& context, const LongestCommonSubsequence& search,
                           const LcsOptions& options) {
  if (options.matches) return reply_matches(context, search, options);
  if (options.length_only) return reply_integer(context, static_cast<std::int64_t>(search.length()));
  return reply_bulk(context, search.subsequence());
}

// In Redis's words: it refuses more than proto-max-bulk-len for its table of four bytes for each pair of
// bytes.
engine::Status refuse_for_memory(CommandContext& context, const Value& a, const Value& b) {
  const std::uint64_t of_redis = (a.size() + 1) * (b.size() + 1) * sizeof(std::uint32_t);
  if (of_redis > string_bytes_max(context)) {
    return reply_error(context,
                       "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  return reply_error(context, "ERR Insufficient memory, failed allocating transient memory for LCS");
}

// LCS key1 key2 [LEN | IDX] [MINMATCHLEN length] [WITHMATCHLEN] -> the longest common subsequence, its
// length, or the ranges that it is made of
engine::Status lcs(CommandContext& context, Arguments arguments) {
  const auto found_a = context.keyspace.read(arguments.take());
  if (!found_a) return found_a.error();
  const auto found_b = context.keyspace.read(arguments.take());
  if (!found_b) return found_b.error();
  if (is_other_type(*found_a) || is_other_type(*found_b)) {
    return reply_error(context, "ERR The specified keys must contain string values");
  }
  const LcsOptions options = take_lcs_options(arguments);
  if (arguments.failed()) return reply_error(context, arguments.error());

  const Value a = found_a->value_or(Value{});
  const Value b = found_b->value_or(Value{});
  if (a.large || b.large) return refuse_for_memory(context, a, b);
  const std::uint64_t steps = (a.size() + 1) * (b.size() + 1);
  if (steps <= kStepsAtOnce) {
    LongestCommonSubsequence search(Bytes(a.payload), Bytes(b.payload), options.length_only);
    search.advance(steps);
    return reply_found(context, search, options);
  }
  for (const auto& load : context.keyspace.loads()) {
    const auto* made = dynamic_cast<const LcsSearch*>(load.get());
    if (made != nullptr && made->is_of(a.payload, b.payload, options.length_only)) {
      return reply_found(context, made->search(), options);
    }
  }
  auto memory = context.server.working_memory().reserve(memory_of_search(a, b, options.length_only));
  if (!memory) return refuse_for_memory(context, a, b);
  context.keyspace.reads().missing.push_back(std::make_shared<LcsSearch>(
      std::move(*memory), Bytes(a.payload), Bytes(b.payload), options.length_only));
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

constexpr ArgumentSpec kLcsArguments[] = {
    {.name = "key1", .type = key},
    {.name = "key2", .type = key},
    {.name = "len", .type = pure_token, .token = "LEN", .optional = true},
    {.name = "idx", .type = pure_token, .token = "IDX", .optional = true},
    {.name = "min-match-len", .type = integer, .token = "MINMATCHLEN", .optional = true},
    {.name = "withmatchlen", .type = pure_token, .token = "WITHMATCHLEN", .optional = true},
};

constexpr CommandSpec kLcsCommands[] = {
    {.name = "lcs",
     .arity = at_least(3),
     .flags = readonly,
     .keys = {1, 2, 1, KeyFlag::ro | KeyFlag::access},
     .group = "string",
     .since = "7.0.0",
     .complexity = "O(N*M), N and M being the lengths of the strings",
     .summary = "Finds the longest subsequence that two strings have in common.",
     .arguments = kLcsArguments,
     .handler = lcs},
};

}  // namespace

std::span<const CommandSpec> lcs_commands() { return kLcsCommands; }

}  // namespace shale::server
