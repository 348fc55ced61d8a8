// The command table: finds a row by name.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "src/command/spec.h"

namespace shale::server {

// All top-level rows, sorted by name.
std::span<const CommandSpec* const> all_commands();
// By name in any case; nullptr if there is none. No allocation; a few nanoseconds for names in lower or upper
// case.
const CommandSpec* find_command(std::string_view name);
const CommandSpec* find_subcommand(const CommandSpec& command, std::string_view name);

// What a request asks for: the row that will run, and how many words name it.
struct ResolvedCommand {
  const CommandSpec* spec = nullptr;
  std::size_t name_words = 1;
};

}  // namespace shale::server
