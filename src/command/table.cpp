#include "src/command/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "src/command/arguments.h"
#include "src/commands/groups.h"

namespace shale::server {
namespace {

// What an error quotes of a request, as Redis bounds it.
constexpr std::size_t kQuotedBytesMax = 128;

// Names are ASCII letters and a few signs. Setting bit 5 lowers the letters and leaves the rest distinct
// enough for hashing; the comparison that follows is exact.
std::uint64_t hash_name(std::string_view name) {
  constexpr std::uint64_t kLowerCaseBits = 0x2020202020202020;
  std::uint64_t head = 0;
  std::uint64_t tail = 0;
  std::memcpy(&head, name.data(), std::min(name.size(), sizeof head));
  if (name.size() > sizeof head) std::memcpy(&tail, name.data() + name.size() - sizeof tail, sizeof tail);
  const std::uint64_t mixed = (head | kLowerCaseBits) ^ ((tail | kLowerCaseBits) * 31) ^ name.size();
  return (mixed * 0x9e3779b97f4a7c15) >> 32;
}

// `lower` is in lower case.
bool names(std::string_view lower, std::string_view text) {
  if (lower.size() != text.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const char letter = text[i];
    const char lowered = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter | 0x20) : letter;
    if (lowered != lower[i]) return false;
  }
  return true;
}

// All rows, and an open-addressing table over them that is at most a quarter full. Constant once it is made.
class Table {
 public:
  Table() {
    for (const auto rows :
         {string_commands(),      counter_commands(),       bit_commands(),      bitfield_commands(),
          hyperloglog_commands(), lcs_commands(),           key_commands(),      copy_commands(),
          dump_commands(),        migrate_commands(),       sort_commands(),     expiry_commands(),
          scan_commands(),        all_keys_commands(),      range_commands(),    object_commands(),
          database_commands(),    connection_commands(),    client_commands(),   server_commands(),
          config_commands(),      stats_commands(),         sharding_commands(), ring_commands(),
          durability_commands(),  introspection_commands(), slowlog_commands(),  latency_commands(),
          memory_commands(),      replication_commands(),   module_commands(),   lolwut_commands(),
          cluster_commands(),     acl_commands(),           pubsub_commands(),   monitor_commands(),
          transaction_commands(), scripting_commands(),     backup_commands()}) {
      for (const CommandSpec& row : rows) rows_.push_back(&row);
    }
    std::ranges::sort(rows_, {}, &CommandSpec::name);
    assert(std::ranges::adjacent_find(rows_, {}, &CommandSpec::name) == rows_.end());
    assert(rows_.size() * 4 <= kSlots);
    std::size_t next_id = 0;
    for (const CommandSpec* row : rows_) {
      std::size_t slot = hash_name(row->name) % kSlots;
      while (slots_[slot].row != nullptr) slot = (slot + 1) % kSlots;
      slots_[slot] = {row, static_cast<CommandId>(next_id)};
      next_id += 1 + row->subcommands.size();
      by_id_.push_back(row);
      for (const CommandSpec& subcommand : row->subcommands) by_id_.push_back(&subcommand);
    }
    assert(next_id < kCommandIdsMax);
  }

  const std::vector<const CommandSpec*>& rows() const { return rows_; }
  const std::vector<const CommandSpec*>& by_id() const { return by_id_; }

  // A row and its number; its subcommands' follow it.
  struct Numbered {
    const CommandSpec* row = nullptr;
    CommandId id = 0;
  };
  Numbered find(std::string_view name) const {
    for (std::size_t slot = hash_name(name) % kSlots; slots_[slot].row != nullptr;
         slot = (slot + 1) % kSlots) {
      if (names(slots_[slot].row->name, name)) return slots_[slot];
    }
    return {};
  }

 private:
  static constexpr std::size_t kSlots = 1024;

  std::vector<const CommandSpec*> rows_;
  std::vector<const CommandSpec*> by_id_;
  std::array<Numbered, kSlots> slots_{};
};

const Table& table() {
  static const Table the_table;
  return the_table;
}

CommandId id_of_subcommand(const CommandSpec& container, CommandId container_id,
                           const CommandSpec& subcommand) {
  return static_cast<CommandId>(container_id + 1 + (&subcommand - container.subcommands.data()));
}

// As C's "%.128s" and its like end a text.
std::string_view quoted(std::string_view text, std::size_t bytes_max) {
  return text.substr(0, std::min(text.find('\0'), bytes_max));
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& letter : upper) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter & ~0x20);
  }
  return upper;
}

}  // namespace

std::span<const CommandSpec* const> all_commands() { return table().rows(); }

const CommandSpec* find_command(std::string_view name) { return table().find(name).row; }

const CommandSpec* find_subcommand(const CommandSpec& command, std::string_view name) {
  const auto found = std::ranges::find_if(
      command.subcommands, [&](const CommandSpec& subcommand) { return names(subcommand.name, name); });
  return found == command.subcommands.end() ? nullptr : &*found;
}

const CommandSpec* find_by_full_name(std::string_view name) {
  const std::size_t bar = name.find('|');
  const CommandSpec* command = find_command(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return find_subcommand(*command, name.substr(bar + 1));
}

ResolvedCommand resolve_command(std::span<const std::string_view> words) {
  const auto [command, id] = table().find(words[0]);
  if (command == nullptr || command->subcommands.empty() || words.size() == 1) return {command, 1, id};
  const CommandSpec* subcommand = find_subcommand(*command, words[1]);
  return {subcommand, 2, subcommand == nullptr ? id : id_of_subcommand(*command, id, *subcommand)};
}

CommandId command_id(const CommandSpec& command) {
  const CommandSpec* container = container_of(command);
  if (container == nullptr) return table().find(command.name).id;
  return id_of_subcommand(*container, table().find(container->name).id, command);
}

std::size_t command_id_count() { return table().by_id().size(); }

const CommandSpec& command_by_id(std::size_t id) { return *table().by_id()[id]; }

std::string unknown_command_error(std::span<const std::string_view> words) {
  if (const CommandSpec* command = find_command(words[0]); command != nullptr && words.size() > 1) {
    return fmt::format("ERR unknown subcommand '{}'. Try {} HELP.", quoted(words[1], kQuotedBytesMax),
                       upper_case(command->name));
  }
  std::string arguments;
  for (const std::string_view word : words.subspan(1)) {
    if (arguments.size() >= kQuotedBytesMax) break;
    arguments += fmt::format("'{}' ", quoted(word, kQuotedBytesMax - arguments.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}",
                     quoted(words[0], kQuotedBytesMax), arguments);
}

std::string wrong_arity_error(const CommandSpec& command) {
  return fmt::format("ERR wrong number of arguments for '{}' command", full_name(command));
}

std::string full_name(const CommandSpec& command) {
  const CommandSpec* parent = container_of(command);
  return parent == nullptr ? std::string(command.name) : fmt::format("{}|{}", parent->name, command.name);
}

const CommandSpec* container_of(const CommandSpec& subcommand) {
  for (const CommandSpec* command : all_commands()) {
    const auto& rows = command->subcommands;
    if (!rows.empty() && !std::less{}(&subcommand, rows.data()) &&
        std::less{}(&subcommand, rows.data() + rows.size())) {
      return command;
    }
  }
  return nullptr;
}

}  // namespace shale::server
