// The server's command table as a client sees it: COMMAND says which commands there are, COMMAND DOCS what
// they take.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/integration/commands_connection.h"
#include "tests/integration/strict_replies.h"

namespace shale::integration {

struct DocumentedArgument {
  std::string name;
  std::string type;
  std::string token;
  std::vector<DocumentedArgument> children = {};
  bool optional = false;
  bool multiple = false;
};

struct DocumentedCommand {
  std::vector<std::string> name;  // "config", "get"
  std::size_t words_min = 1;      // its name included
  std::vector<DocumentedArgument> arguments;
};

namespace documentation {

using Documentation = StrictReplies::Reply;

// The value of a map that came as an array of keys and values; empty if it has none.
inline const Documentation& value_of(const Documentation& map, std::string_view key) {
  static const Documentation kNone;
  for (std::size_t at = 0; at + 1 < map.elements.size(); at += 2) {
    if (map.elements[at].text == key) return map.elements[at + 1];
  }
  return kNone;
}

inline std::vector<DocumentedArgument> arguments_of(const Documentation& map) {
  std::vector<DocumentedArgument> arguments;
  for (const Documentation& row : value_of(map, "arguments").elements) {
    DocumentedArgument argument{.name = value_of(row, "name").text,
                                .type = value_of(row, "type").text,
                                .token = value_of(row, "token").text,
                                .children = arguments_of(row)};
    for (const Documentation& flag : value_of(row, "flags").elements) {
      argument.optional |= flag.text == "optional";
      argument.multiple |= flag.text == "multiple";
    }
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

inline std::vector<std::string> words_of(const std::string& full_name) {
  const std::size_t bar = full_name.find('|');
  if (bar == full_name.npos) return {full_name};
  return {full_name.substr(0, bar), full_name.substr(bar + 1)};
}

}  // namespace documentation

// Every command and every subcommand. `client` speaks RESP2.
inline std::vector<DocumentedCommand> documented_commands(StrictClient& client) {
  using namespace documentation;
  std::vector<DocumentedCommand> commands;
  const auto ask = [&](const Words& words) {
    client.send(encode_words(words));
    return client.next_reply();
  };
  const auto add = [&](const Documentation& info) {
    const std::string& full_name = info.elements[0].text;
    const Documentation docs = ask({"COMMAND", "DOCS", full_name});
    commands.push_back({.name = words_of(full_name),
                        .words_min = static_cast<std::size_t>(std::abs(std::stoi(info.elements[1].text))),
                        .arguments = docs.elements.size() == 2 ? arguments_of(docs.elements[1])
                                                               : std::vector<DocumentedArgument>{}});
  };
  for (const Documentation& info : ask({"COMMAND"}).elements) {
    constexpr std::size_t kSubcommands = 9;
    add(info);
    for (const Documentation& subcommand : info.elements[kSubcommands].elements) add(subcommand);
  }
  return commands;
}

}  // namespace shale::integration
