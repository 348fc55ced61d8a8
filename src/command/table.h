// The command table: finds a row by name.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "src/command/spec.h"

namespace shale::server {

// All top-level rows, sorted by name.
std::span<const CommandSpec* const> all_commands();
// By name in any case; nullptr if there is none. No allocation; a few nanoseconds for names in lower or upper
// case.
const CommandSpec* find_command(std::string_view name);
const CommandSpec* find_subcommand(const CommandSpec& command, std::string_view name);
const CommandSpec* find_by_full_name(std::string_view name);  // "get", "config|get"

// Numbers all rows, subcommands included: what bitmaps of commands are indexed by.
using CommandId = std::uint16_t;
constexpr std::size_t kCommandIdsMax = 1024;
// `command` must be a row of the table. Searches: not for the request path.
CommandId command_id(const CommandSpec& command);
std::size_t command_id_count();  // all ids are below it
const CommandSpec& command_by_id(std::size_t id);

// What a request asks for: the row that will run, its number, and how many words name it. `spec` is null if
// there is no such command or subcommand. A command with a handler of its own and subcommands (COMMAND) runs
// as itself when it stands alone; arity is for the caller to check.
struct ResolvedCommand {
  const CommandSpec* spec = nullptr;
  std::size_t name_words = 1;
  CommandId id = 0;
};
ResolvedCommand resolve_command(std::span<const std::string_view> words);

// The errors, with their code, for a request that resolve_command found no row for, and for one whose arity
// is wrong. They quote a bounded part of what the client sent.
std::string unknown_command_error(std::span<const std::string_view> words);
std::string wrong_arity_error(const CommandSpec& command);

// "config|get": how COMMAND and INFO name a subcommand. `command` must be a row of the table.
std::string full_name(const CommandSpec& command);
// The command whose subcommand this is; nullptr for a command that stands alone.
const CommandSpec* container_of(const CommandSpec& subcommand);

// Calls visit(word) with the index into `words` of every key at these positions.
template <class Visit>
void for_each_position(const KeyPositions& keys, std::span<const std::string_view> words, Visit visit) {
  if (keys.first == 0) return;
  const auto count = static_cast<int>(words.size());
  const int last = keys.last < 0 ? count + keys.last : keys.last;
  for (int at = keys.first; at <= last && at < count; at += keys.step) visit(static_cast<std::size_t>(at));
}

// Likewise for channels.
template <class Visit>
void for_each_channel(const CommandSpec& command, std::span<const std::string_view> words, Visit visit) {
  const ChannelPositions& channels = command.channels;
  if (channels.first == 0) return;
  const auto count = static_cast<int>(words.size());
  const int last = channels.last < 0 ? count + channels.last : channels.last;
  for (int at = channels.first; at <= last && at < count; ++at) visit(static_cast<std::size_t>(at));
}

inline KeyPositions positions_of_keys(const CommandSpec& command, std::span<const std::string_view> words) {
  return command.positions_of == nullptr ? command.keys : command.positions_of(words);
}

// Calls visit(database, word) for every key that the command has locked while it runs, for a client that has
// selected `database`: in the order in which the handler's Keyspace has them.
template <class Visit>
void for_each_locked_key(const CommandSpec& command, std::span<const std::string_view> words,
                         unsigned database, Visit visit) {
  const auto visit_selected = [&](std::size_t word) { visit(database, word); };
  for_each_position(positions_of_keys(command, words), words, visit_selected);
  for (const KeyPositions& keys : command.more_keys) for_each_position(keys, words, visit_selected);
  if (command.extra_key == nullptr) return;
  if (const auto extra = command.extra_key(words, database)) visit(extra->database, extra->word);
}

// Calls visit(word), or visit(word, flags), once for every argument that names a key, wherever it is. The
// arity must be right.
template <class Visit>
void for_each_key(const CommandSpec& command, std::span<const std::string_view> words, Visit visit) {
  const auto visit_with = [&](KeyFlags flags) {
    return [&visit, flags](std::size_t word) {
      if constexpr (std::invocable<Visit, std::size_t, KeyFlags>) {
        visit(word, flags);
      } else {
        visit(word);
      }
    };
  };
  const bool variable = command.key_flags_of != nullptr;
  for_each_position(positions_of_keys(command, words), words,
                    visit_with(variable ? command.key_flags_of(words) : command.keys.flags));
  for (const KeyPositions& keys : command.more_keys) for_each_position(keys, words, visit_with(keys.flags));
  if (command.extra_key == nullptr) return;
  constexpr unsigned kSelected = 0;
  const auto extra = command.extra_key(words, kSelected);
  if (extra && extra->database == kSelected) visit_with(extra->flags)(extra->word);
}

}  // namespace shale::server
