// One row of data per command: everything the server needs to know to route, check, document and run it.
// COMMAND, COMMAND DOCS, GETKEYS and the dispatcher all answer from these rows (src/command/table.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/result.h"

namespace shale::server {

class Arguments;
struct CommandContext;

// Runs the command: writes exactly one reply into the context. Returns success also when that reply is an
// error the client made; an engine Error is returned as it is: not_resident and busy run the command again
// later (the reply written so far is taken back), any other is sent to the client by the dispatcher.
using Handler = engine::Status (*)(CommandContext& context, Arguments arguments);

// A set of an enum's values, which are bits.
template <class Bit>
class BitSet {
 public:
  constexpr BitSet() = default;
  constexpr BitSet(Bit bit) : bits_(static_cast<std::uint32_t>(bit)) {}  // NOLINT: meant to convert
  constexpr bool has(Bit bit) const { return (bits_ & static_cast<std::uint32_t>(bit)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr BitSet operator|(BitSet a, BitSet b) {
    a.bits_ |= b.bits_;
    return a;
  }
  friend constexpr bool operator==(BitSet, BitSet) = default;

 private:
  std::uint32_t bits_ = 0;
};

// Redis's command flags, in the order in which COMMAND INFO prints them (documentation.cpp has their names).
enum class CommandFlag : std::uint32_t {
  write = 1u << 0,
  readonly = 1u << 1,
  denyoom = 1u << 2,
  admin = 1u << 3,
  pubsub = 1u << 4,
  noscript = 1u << 5,
  blocking = 1u << 6,
  loading = 1u << 7,
  stale = 1u << 8,
  fast = 1u << 9,
  no_auth = 1u << 10,  // allowed before AUTH
  no_async_loading = 1u << 11,
  no_multi = 1u << 12,
  movablekeys = 1u << 13,
  allow_busy = 1u << 14,
  skip_monitor = 1u << 15,
  skip_slowlog = 1u << 16,
  asking = 1u << 17,
};
using CommandFlags = BitSet<CommandFlag>;
constexpr CommandFlags operator|(CommandFlag a, CommandFlag b) { return CommandFlags{a} | CommandFlags{b}; }

// ACL categories, in Redis's order (src/acl/categories.h has their names). A row names those that do not
// follow from its flags (@read, @write, @fast, @slow, @admin, @pubsub, @blocking, ...) or its group (@string,
// @bitmap, ...).
enum class AclCategory : std::uint32_t {
  keyspace = 1u << 0,
  read = 1u << 1,
  write = 1u << 2,
  set = 1u << 3,
  sortedset = 1u << 4,
  list = 1u << 5,
  hash = 1u << 6,
  string = 1u << 7,
  bitmap = 1u << 8,
  hyperloglog = 1u << 9,
  geo = 1u << 10,
  stream = 1u << 11,
  pubsub = 1u << 12,
  admin = 1u << 13,
  fast = 1u << 14,
  slow = 1u << 15,
  blocking = 1u << 16,
  dangerous = 1u << 17,
  connection = 1u << 18,
  transaction = 1u << 19,
  scripting = 1u << 20,
};
constexpr std::size_t kAclCategoryCount = 21;
using AclCategories = BitSet<AclCategory>;
constexpr AclCategories operator|(AclCategory a, AclCategory b) {
  return AclCategories{a} | AclCategories{b};
}

// Number of arguments, the command's name included: Redis's arity is `least` if exact, else -least.
struct Arity {
  std::uint32_t least = 1;
  bool exact = true;
  constexpr bool accepts(std::size_t count) const { return exact ? count == least : count >= least; }
  constexpr int redis_arity() const { return exact ? static_cast<int>(least) : -static_cast<int>(least); }
};
constexpr Arity exactly(std::uint32_t count) { return {count, true}; }
constexpr Arity at_least(std::uint32_t count) { return {count, false}; }

// What a command does with its keys, as COMMAND INFO's key specifications say it.
enum class KeyFlag : std::uint32_t {
  ro = 1u << 0,  // one of the first four
  rw = 1u << 1,
  ow = 1u << 2,
  rm = 1u << 3,
  access = 1u << 4,    // what it does with the user's data: reads it out,
  update = 1u << 5,    // changes it,
  insert = 1u << 6,    // adds to it without looking at what is there,
  erases = 1u << 7,    // deletes it
  variable = 1u << 8,  // depends on the arguments: see CommandSpec::key_flags_of
};
using KeyFlags = BitSet<KeyFlag>;
constexpr KeyFlags operator|(KeyFlag a, KeyFlag b) { return KeyFlags{a} | KeyFlags{b}; }

// Which arguments are keys: from `first` to `last` by `step`; last counts from the end if negative (-1 the
// last argument). first 0: none. Counted from the command's first word, also in a subcommand's row.
struct KeyPositions {
  int first = 0;
  int last = 0;
  int step = 0;
  KeyFlags flags;
};
constexpr KeyPositions kNoKeys{};
constexpr KeyPositions one_key(int at, KeyFlags flags) { return {at, at, 1, flags}; }
constexpr KeyPositions keys_from(int first, KeyFlags flags, int step = 1) { return {first, -1, step, flags}; }
// Keys that no position tells: their place, or their names, depend on arguments or data (SORT).
constexpr KeyPositions keys_somewhere(KeyFlags flags) { return {0, 0, 0, flags}; }

// A key that has no fixed position, or is of another database than the client's.
struct ExtraKey {
  std::size_t word;  // the argument that names it
  unsigned database;
  KeyFlags flags;
};

// Which arguments are channels of pub/sub that an ACL has to allow, and as what: from `first` to `last`, as
// with keys.
enum class ChannelUse : std::uint8_t {
  name,     // published to, or subscribed to: has to match one of the user's patterns
  pattern,  // a pattern that is subscribed to: has to be one of the user's patterns, letter by letter
};
struct ChannelPositions {
  int first = 0;  // 0: none
  int last = 0;
  ChannelUse use = ChannelUse::name;
};
constexpr ChannelPositions one_channel(int at) { return {at, at, ChannelUse::name}; }
constexpr ChannelPositions channels_from(int first, ChannelUse use) { return {first, -1, use}; }

// Which arguments become values as they are, and may be larger than memory: `first`, then every `step`-th;
// step 0: no more. Counted as KeyPositions. Handlers take them with Arguments::take_value().
struct ValuePositions {
  std::size_t first = 0;  // 0: none
  std::size_t step = 0;

  constexpr bool include(std::size_t argument) const {
    if (first == 0 || argument < first) return false;
    return step == 0 ? argument == first : (argument - first) % step == 0;
  }
};

// The argument tree of COMMAND DOCS, as redis-cli's hints need it.
enum class ArgumentType : std::uint8_t {
  string,
  integer,
  double_number,
  key,
  pattern,
  unix_time,
  pure_token,
  oneof,
  block
};
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order in which a row reads
struct ArgumentSpec {
  std::string_view name;
  ArgumentType type = ArgumentType::string;
  std::string_view token = {};  // the literal word before it (or that it is)
  bool optional = false;
  bool multiple = false;
  std::span<const ArgumentSpec> children = {};  // of oneof and block
};

// What becomes of a command in a transaction, and when EXEC runs it (docs/transactions.md). Commands with
// keys are queued, and run in order whatever this says.
enum class InTransaction : std::uint8_t {
  after_commit,  // queued; touches no keys: runs when what has keys is committed, without locks
  in_order,      // queued; decides what later ones do: runs in order with those that have keys
  all_keys,      // queued; works on keys that it does not name: EXEC holds all shards' locks. Outside of a
                 // transaction one that writes runs so, too, while one that reads takes locks itself
  at_once,       // not queued
  exec,          // likewise: runs what is queued
};

// What a command means for the time of its keys' last use (OBJECT IDLETIME).
enum class KeyUse : std::uint8_t {
  use,    // but not where it only reads, for a client that has said CLIENT NO-TOUCH
  look,   // does not use them, or notes it by itself
  touch,  // uses them whatever the client has said
};

struct CommandSpec {
  std::string_view name;  // lower case; a subcommand's alone ("info" of COMMAND INFO)
  Arity arity;            // a subcommand's counts the command's word too
  CommandFlags flags = {};
  KeyPositions keys = {};
  // Further runs of keys, with which the command does something else: what RENAME makes, what BITOP reads.
  std::span<const KeyPositions> more_keys = {};
  ValuePositions values = {};
  ChannelPositions channels = {};
  AclCategories categories = {};
  std::string_view group;  // as COMMAND DOCS: "string", "generic", "connection", "server", ...
  std::string_view since;
  std::string_view complexity;
  std::string_view summary;
  std::string_view tips = {};  // for proxies, separated by blanks
  std::string_view deprecated_since = {};
  std::string_view replaced_by = {};
  std::span<const ArgumentSpec> arguments = {};
  Handler handler = nullptr;  // none: a command that is nothing without its subcommand
  // For rows whose keys are flagged `variable`: what these arguments (the name included) make of them.
  KeyFlags (*key_flags_of)(std::span<const std::string_view> words) = nullptr;
  // For rows whose keys stand elsewhere with some arguments: where they are, in place of `keys` (MIGRATE).
  KeyPositions (*positions_of)(std::span<const std::string_view> words) = nullptr;
  // For rows that have a key beside those: SORT's behind STORE, and where COPY and MOVE go with it in another
  // database, which then stands at one of the positions, too. `selected` is the client's database. Nothing:
  // these arguments have none. It is the last of the command's declared keys (Keyspace::of_extra_key).
  std::optional<ExtraKey> (*extra_key)(std::span<const std::string_view> words, unsigned selected) = nullptr;
  std::span<const CommandSpec> subcommands = {};
  InTransaction in_transaction = InTransaction::after_commit;
  KeyUse key_use = KeyUse::use;
};

// Rows in the order of their names, which is how people find one.
constexpr bool sorted_and_unique(std::span<const CommandSpec> rows) {
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (!(rows[i - 1].name < rows[i].name)) return false;
  }
  return true;
}

}  // namespace shale::server
