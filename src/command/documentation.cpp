#include "src/command/documentation.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "src/acl/categories.h"
#include "src/command/table.h"

namespace shale::server {
namespace {

template <class Bit>
struct NamedBit {
  Bit bit;
  std::string_view name;
};

constexpr NamedBit<CommandFlag> kFlagNames[] = {
    {CommandFlag::write, "write"},
    {CommandFlag::readonly, "readonly"},
    {CommandFlag::denyoom, "denyoom"},
    {CommandFlag::admin, "admin"},
    {CommandFlag::pubsub, "pubsub"},
    {CommandFlag::noscript, "noscript"},
    {CommandFlag::blocking, "blocking"},
    {CommandFlag::loading, "loading"},
    {CommandFlag::stale, "stale"},
    {CommandFlag::skip_monitor, "skip_monitor"},
    {CommandFlag::skip_slowlog, "skip_slowlog"},
    {CommandFlag::asking, "asking"},
    {CommandFlag::fast, "fast"},
    {CommandFlag::no_auth, "no_auth"},
    {CommandFlag::no_async_loading, "no_async_loading"},
    {CommandFlag::no_multi, "no_multi"},
    {CommandFlag::movablekeys, "movablekeys"},
    {CommandFlag::allow_busy, "allow_busy"},
};

constexpr NamedBit<KeyFlag> kKeyFlagNames[] = {
    {KeyFlag::ro, "RO"},         {KeyFlag::rw, "RW"},         {KeyFlag::ow, "OW"},
    {KeyFlag::rm, "RM"},         {KeyFlag::access, "access"}, {KeyFlag::update, "update"},
    {KeyFlag::insert, "insert"}, {KeyFlag::erases, "delete"}, {KeyFlag::variable, "variable_flags"},
};

template <class Bit>
std::vector<std::string_view> names_of(BitSet<Bit> bits, std::span<const NamedBit<Bit>> names) {
  std::vector<std::string_view> set;
  for (const auto& [bit, name] : names) {
    if (bits.has(bit)) set.push_back(name);
  }
  return set;
}

std::string_view type_name_of(ArgumentType type) {
  switch (type) {
    case ArgumentType::string: return "string";
    case ArgumentType::integer: return "integer";
    case ArgumentType::double_number: return "double";
    case ArgumentType::key: return "key";
    case ArgumentType::pattern: return "pattern";
    case ArgumentType::unix_time: return "unix-time";
    case ArgumentType::pure_token: return "pure-token";
    case ArgumentType::oneof: return "oneof";
    case ArgumentType::block: return "block";
  }
  return "string";
}

void write_statuses(const std::vector<std::string_view>& names, protocol::ReplyWriter& reply) {
  reply.set(names.size());
  for (const std::string_view name : names) reply.simple_string(name);
}

void write_categories(AclCategories categories, protocol::ReplyWriter& reply) {
  const std::vector<std::string_view> names = acl::names_of(categories);
  reply.set(names.size());
  for (const std::string_view name : names) reply.simple_string(fmt::format("@{}", name));
}

void write_tips(std::string_view tips, protocol::ReplyWriter& reply) {
  const auto written = reply.begin_set();
  std::size_t count = 0;
  for (; !tips.empty(); ++count) {
    const std::size_t blank = std::min(tips.find(' '), tips.size());
    reply.bulk(tips.substr(0, blank));
    tips.remove_prefix(std::min(blank + 1, tips.size()));
  }
  reply.finish(written, count);
}

// A part of a key specification: its type, and a map of what belongs to it.
template <class... Figures>
void write_specification_part(protocol::ReplyWriter& reply, std::string_view part, std::string_view type,
                              Figures... figures) {
  reply.bulk(part);
  reply.map(2);
  reply.bulk("type");
  reply.bulk(type);
  reply.bulk("spec");
  reply.map(sizeof...(figures));
  [[maybe_unused]] const auto write = [&](const std::pair<std::string_view, int>& figure) {
    reply.bulk(figure.first);
    reply.integer(figure.second);
  };
  (write(figures), ...);
}

void write_key_specification(const KeyPositions& keys, protocol::ReplyWriter& reply) {
  using Figure = std::pair<std::string_view, int>;
  reply.map(3);
  reply.bulk("flags");
  write_statuses(key_flag_names(keys.flags), reply);
  if (keys.first == 0) {
    write_specification_part(reply, "begin_search", "unknown");
    write_specification_part(reply, "find_keys", "unknown");
    return;
  }
  write_specification_part(reply, "begin_search", "index", Figure{"index", keys.first});
  const int last = keys.last < 0 ? keys.last : keys.last - keys.first;  // relative to the first
  write_specification_part(reply, "find_keys", "range", Figure{"lastkey", last}, Figure{"keystep", keys.step},
                           Figure{"limit", 0});
}

void write_key_specifications(const CommandSpec& command, protocol::ReplyWriter& reply) {
  if (command.keys.first == 0) return reply.set(0);
  reply.set(1 + command.more_keys.size());
  write_key_specification(command.keys, reply);
  for (const KeyPositions& keys : command.more_keys) write_key_specification(keys, reply);
}

// The last key of the run that all positions make together: COMMAND INFO's, of the days before key
// specifications.
int last_key(const CommandSpec& command) {
  int last = command.keys.last;
  for (const KeyPositions& keys : command.more_keys) {
    if (keys.first != 0) last = keys.last;
  }
  return last;
}

// Pairs of a map whose number is known at its end.
class MapWriter {
 public:
  explicit MapWriter(protocol::ReplyWriter& reply) : reply_(reply), written_(reply.begin_map(8)) {}

  void text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    key(name);
    reply_.bulk(value);
  }
  void key(std::string_view name) {
    reply_.bulk(name);
    ++pairs_;
  }
  void finish() { reply_.finish(written_, pairs_); }

 private:
  protocol::ReplyWriter& reply_;
  protocol::ReplyWriter::Deferred written_;
  std::size_t pairs_ = 0;
};

void write_arguments(std::span<const ArgumentSpec> arguments, protocol::ReplyWriter& reply);

void write_argument(const ArgumentSpec& argument, protocol::ReplyWriter& reply) {
  MapWriter map(reply);
  map.text("name", argument.name);
  map.text("type", type_name_of(argument.type));
  if (argument.children.empty()) map.text("display_text", argument.name);
  if (argument.type == ArgumentType::key) {
    map.key("key_spec_index");
    reply.integer(0);
  }
  map.text("token", argument.token);
  if (argument.optional || argument.multiple) {
    map.key("flags");
    std::vector<std::string_view> flags;
    if (argument.optional) flags.push_back("optional");
    if (argument.multiple) flags.push_back("multiple");
    write_statuses(flags, reply);
  }
  if (!argument.children.empty()) {
    map.key("arguments");
    write_arguments(argument.children, reply);
  }
  map.finish();
}

void write_arguments(std::span<const ArgumentSpec> arguments, protocol::ReplyWriter& reply) {
  reply.array(arguments.size());
  for (const ArgumentSpec& argument : arguments) write_argument(argument, reply);
}

}  // namespace

std::vector<std::string_view> key_flag_names(KeyFlags flags) {
  return names_of(flags, std::span<const NamedBit<KeyFlag>>{kKeyFlagNames});
}

void write_command_info(const CommandSpec& command, protocol::ReplyWriter& reply) {
  reply.array(10);
  reply.bulk(full_name(command));
  reply.integer(command.arity.redis_arity());
  write_statuses(names_of(command.flags, std::span<const NamedBit<CommandFlag>>{kFlagNames}), reply);
  reply.integer(command.keys.first);
  reply.integer(last_key(command));
  reply.integer(command.keys.step);
  write_categories(acl::categories_of(command), reply);
  write_tips(command.tips, reply);
  write_key_specifications(command, reply);
  if (command.subcommands.empty()) return reply.set(0);  // a set here, an array below: as Redis has it
  reply.array(command.subcommands.size());
  for (const CommandSpec& subcommand : command.subcommands) write_command_info(subcommand, reply);
}

void write_command_docs(const CommandSpec& command, protocol::ReplyWriter& reply) {
  reply.bulk(full_name(command));
  MapWriter map(reply);
  map.text("summary", command.summary);
  map.text("since", command.since);
  map.text("group", command.group);
  map.text("complexity", command.complexity);
  if (!command.deprecated_since.empty()) {
    map.key("doc_flags");
    write_statuses({"deprecated"}, reply);
    map.text("deprecated_since", command.deprecated_since);
    map.text("replaced_by", command.replaced_by);
  }
  if (!command.arguments.empty()) {
    map.key("arguments");
    write_arguments(command.arguments, reply);
  }
  if (!command.subcommands.empty()) {
    map.key("subcommands");
    reply.map(command.subcommands.size());
    for (const CommandSpec& subcommand : command.subcommands) write_command_docs(subcommand, reply);
  }
  map.finish();
}

}  // namespace shale::server
