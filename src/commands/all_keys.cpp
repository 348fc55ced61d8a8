// KEYS and RANDOMKEY: commands that look at the keys of a database without being told which.
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/glob.h"
#include "src/key_walk.h"
#include "src/random_place.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// As much as this is walked on the client's thread, if it is in memory; beyond it others get their turn.
constexpr std::size_t kPiecesAtOnce = 4;

// Keys that match a pattern, as many as one reply may have.
class MatchingKeys final : public KeyWalk {
 public:
  MatchingKeys(cluster::Store& store, unsigned database, std::int64_t now_ms, BytesView pattern,
               std::size_t bytes_max, cluster::Transaction* within)
      : KeyWalk(store, database, now_ms, ScanPlace{}, neighbours_of_pattern(store.placement(), pattern),
                within),
        pattern_(pattern),
        any_key_(glob_matches_all(pattern)),
        bytes_max_(bytes_max) {}

  bool too_many() const { return too_many_; }
  std::size_t count() const { return lengths_.size(); }
  template <class Visit>
  void for_each(Visit visit_name) const {
    std::size_t offset = 0;
    for (const std::uint32_t length : lengths_) {
      visit_name(BytesView{names_}.substr(offset, length));
      offset += length;
    }
  }

 private:
  bool visit(BytesView key, const Value&) override {
    if (!any_key_ && !glob_matches(pattern_, key)) return true;
    too_many_ = names_.size() + key.size() + (lengths_.size() + 1) * kKeyBytes > bytes_max_;
    if (too_many_) return false;
    names_ += key;
    lengths_.push_back(static_cast<std::uint32_t>(key.size()));
    return true;
  }

  static constexpr std::size_t kKeyBytes = 32;  // what one takes beside its bytes, here and in the reply

  const Bytes pattern_;
  const bool any_key_;
  const std::size_t bytes_max_;
  Bytes names_;
  std::vector<std::uint32_t> lengths_;
  bool too_many_ = false;
};

engine::Status reply_keys(CommandContext& context, const MatchingKeys& keys) {
  if (!keys.status()) return keys.status();
  if (keys.too_many()) {
    return reply_error(context,
                       fmt::format("ERR more than {} bytes of keys match, the most in one reply: use "
                                   "SCAN",
                                   reply_bytes_max(context.server)));
  }
  context.reply.array(keys.count());
  keys.for_each([&](BytesView name) { context.reply.bulk(name); });
  return {};
}

// In a transaction the walk goes to the end at once, over what is in memory, and nobody else gets a turn. A
// walk in the background, outside of the transaction, first fetches what is not; what has gone again by then
// is fetched piece by piece, as for other commands, until it is clear that memory does not hold it all.
template <class MakeWalk>
engine::Status keys_in_transaction(CommandContext& context, MatchingKeys& found, MakeWalk background_walk) {
  constexpr std::size_t kFetchesMax = 256;
  Keyspace& keyspace = context.keyspace;
  found.begin(SIZE_MAX);
  if (found.done()) return reply_keys(context, found);
  if (keyspace.waited_for<MatchingKeys>() == nullptr) {
    keyspace.reads().missing.clear();
    return keyspace.wait_for(background_walk());
  }
  if (keyspace.loads().size() > kFetchesMax) {
    return reply_error(context, "ERR the keys are more than memory holds: use KEYS outside of a transaction");
  }
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

// KEYS pattern -> all keys of the database that match it
engine::Status keys(CommandContext& context, Arguments arguments) {
  Keyspace& keyspace = context.keyspace;
  const BytesView pattern = arguments.take();
  const auto walk = [&](cluster::Transaction* within) {
    return std::make_shared<MatchingKeys>(context.server.store(), keyspace.database(), keyspace.now_ms(),
                                          pattern, reply_bytes_max(context.server), within);
  };
  if (keyspace.exclusive() != nullptr) {
    const auto found = walk(keyspace.exclusive());
    return keys_in_transaction(context, *found, [&] { return walk(nullptr); });
  }
  if (const auto* found = keyspace.waited_for<MatchingKeys>()) return reply_keys(context, *found);
  const auto found = walk(nullptr);
  found->begin(kPiecesAtOnce);
  if (found->done()) return reply_keys(context, *found);
  return keyspace.wait_for(found);
}

// The first live keys from a place on; one of them is drawn, so that a key behind a wide gap is not drawn for
// all others in the gap alone.
class SomeKeys final : public KeyWalk {
 public:
  SomeKeys(cluster::Store& store, unsigned database, std::int64_t now_ms, ScanPlace from,
           cluster::Transaction* within)
      : KeyWalk(store, database, now_ms, std::move(from), std::nullopt, within) {}
  const std::vector<Bytes>& names() const { return names_; }

 private:
  static constexpr std::size_t kNames = 16;
  bool visit(BytesView key, const Value&) override {
    names_.emplace_back(key);
    return names_.size() < kNames;
  }
  std::vector<Bytes> names_;
};

std::mt19937_64& random_source() {
  thread_local std::mt19937_64 source{std::random_device{}()};
  return source;
}

// A walk from `from` on, when it has been made, which is the `number`-th of this command. Errors:
// not_resident until then; corruption, io.
engine::Result<std::shared_ptr<const SomeKeys>> some_keys(CommandContext& context, std::size_t number,
                                                          ScanPlace from) {
  Keyspace& keyspace = context.keyspace;
  for (const auto& load : keyspace.loads()) {
    auto made = std::dynamic_pointer_cast<const SomeKeys>(load);
    if (made == nullptr || number-- != 0) continue;
    if (!made->status()) return made->status().error();
    return made;
  }
  auto walk = std::make_shared<SomeKeys>(context.server.store(), keyspace.database(), keyspace.now_ms(),
                                         std::move(from), keyspace.exclusive());
  const bool alone = keyspace.exclusive() != nullptr;
  walk->begin(alone ? SIZE_MAX : kPiecesAtOnce);
  if (!walk->done()) {
    if (!alone) keyspace.reads().missing.push_back(walk);
    return engine::Error{engine::ErrorKind::not_resident, {}};
  }
  if (!walk->status()) return walk->status().error();
  return walk;
}

// RANDOMKEY -> a key of the database, or null if there is none
engine::Status randomkey(CommandContext& context, Arguments) {
  Keyspace& keyspace = context.keyspace;
  const auto place = random_place(context.server.store(), keyspace.reads(), keyspace.database(),
                                  random_source(), keyspace.exclusive());
  if (!place) return place.error();
  if (!*place) return reply_null(context);
  // There may be none behind the place, or none that lives.
  for (std::size_t number = 0; number < 2; ++number) {
    const auto walk = some_keys(context, number, number == 0 ? **place : ScanPlace{});
    if (!walk) return walk.error();
    const auto& names = (*walk)->names();
    if (!names.empty()) return reply_bulk(context, names[random_source()() % names.size()]);
  }
  return reply_null(context);
}

constexpr ArgumentSpec kKeysArguments[] = {{.name = "pattern", .type = pattern}};

constexpr CommandSpec kAllKeysCommands[] = {
    {.name = "keys",
     .arity = exactly(2),
     .flags = readonly,
     .categories = AclCategory::keyspace | AclCategory::dangerous,
     .group = "generic",
     .since = "1.0.0",
     .complexity = "O(N), N being the number of keys, or of those that begin as the pattern does",
     .summary = "Gives all keys that match a pattern.",
     .tips = "request_policy:all_shards nondeterministic_output_order",
     .arguments = kKeysArguments,
     .handler = keys,
     .in_transaction = InTransaction::all_keys},
    {.name = "randomkey",
     .arity = exactly(1),
     .flags = readonly,
     .categories = AclCategory::keyspace,
     .group = "generic",
     .since = "1.0.0",
     .complexity = "O(S), S being the number of shards",
     .summary = "Gives some key of the database.",
     .tips = "request_policy:all_shards nondeterministic_output",
     .handler = randomkey,
     .in_transaction = InTransaction::all_keys},
};
static_assert(sorted_and_unique(kAllKeysCommands));

}  // namespace

std::span<const CommandSpec> all_keys_commands() { return kAllKeysCommands; }

}  // namespace shale::server
