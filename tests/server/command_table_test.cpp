#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "protocol/reply_writer.h"
#include "src/command/arguments.h"
#include "src/command/documentation.h"
#include "src/command/table.h"

namespace shale::server {
namespace {

using Words = std::vector<std::string_view>;

std::vector<const CommandSpec*> all_rows() {
  std::vector<const CommandSpec*> rows;
  for (const CommandSpec* row : all_commands()) {
    rows.push_back(row);
    for (const CommandSpec& subcommand : row->subcommands) rows.push_back(&subcommand);
  }
  return rows;
}

TEST(CommandTable, IsSortedAndEveryNameFindsItsRow) {
  std::string_view previous;
  for (const CommandSpec* row : all_commands()) {
    EXPECT_LT(previous, row->name);
    previous = row->name;
    EXPECT_EQ(find_command(row->name), row);
    std::string upper(row->name);
    for (char& letter : upper) letter = static_cast<char>(std::toupper(letter));
    EXPECT_EQ(find_command(upper), row);
    for (const CommandSpec& subcommand : row->subcommands) {
      EXPECT_EQ(find_subcommand(*row, subcommand.name), &subcommand);
      EXPECT_EQ(find_by_full_name(full_name(subcommand)), &subcommand);
      EXPECT_EQ(container_of(subcommand), row);
    }
  }
}

TEST(CommandTable, FindsNothingElse) {
  for (const std::string_view name : {"", "ge", "gett", "g\0t", "get ", "sentinel", "get|x", "config|",
                                      "averyveryverylongnamethatisnocommandatall"}) {
    EXPECT_EQ(find_command(name), nullptr) << name;
    EXPECT_EQ(find_by_full_name(name), nullptr) << name;
  }
}

TEST(CommandTable, EveryRowSaysAllThatCommandDocsNeeds) {
  for (const CommandSpec* row : all_rows()) {
    const std::string name = full_name(*row);
    EXPECT_EQ(row->name, lower_case(row->name));
    EXPECT_FALSE(row->summary.empty()) << name;
    EXPECT_TRUE(row->summary.ends_with('.')) << name;
    EXPECT_FALSE(row->since.empty()) << name;
    EXPECT_FALSE(row->group.empty()) << name;
    EXPECT_FALSE(row->complexity.empty()) << name;
    EXPECT_TRUE(row->handler != nullptr || !row->subcommands.empty()) << name;
    const std::size_t name_words = container_of(*row) == nullptr ? 1 : 2;
    EXPECT_GE(row->arity.least, name_words) << name;
    const bool takes_arguments = row->arity.least > name_words && row->subcommands.empty();
    EXPECT_TRUE(!takes_arguments || !row->arguments.empty()) << name;
    EXPECT_EQ(row->deprecated_since.empty(), row->replaced_by.empty()) << name;
  }
}

TEST(CommandTable, FlagsAgreeWithKeys) {
  for (const CommandSpec* row : all_rows()) {
    const std::string name = full_name(*row);
    EXPECT_FALSE(row->flags.has(CommandFlag::write) && row->flags.has(CommandFlag::readonly)) << name;
    const KeyPositions& keys = row->keys;
    if (keys.first == 0) {
      EXPECT_TRUE(keys.flags.empty()) << name;
      continue;
    }
    EXPECT_GT(keys.step, 0) << name;
    EXPECT_TRUE(row->flags.has(CommandFlag::write) || row->flags.has(CommandFlag::readonly) ||
                name == "watch")
        << name;
    // Of these Redis says the opposite of their first key: they write another one, or only a cached count.
    const bool is_odd = name == "copy" || name == "sort" || name == "pfcount" || name == "watch";
    EXPECT_EQ(row->flags.has(CommandFlag::readonly) != is_odd, keys.flags.has(KeyFlag::ro)) << name;
    EXPECT_EQ(keys.flags.has(KeyFlag::variable), row->key_flags_of != nullptr) << name;
    EXPECT_GT(row->arity.least, static_cast<std::uint32_t>(keys.first)) << name;
  }
}

TEST(CommandTable, ResolvesCommandsAndSubcommands) {
  const auto resolve = [](Words words) { return resolve_command(words); };
  EXPECT_EQ(resolve({"GET", "key"}).spec, find_command("get"));
  EXPECT_EQ(resolve({"Config", "gEt", "*"}).spec, find_by_full_name("config|get"));
  EXPECT_EQ(resolve({"Config", "gEt", "*"}).name_words, 2u);
  EXPECT_EQ(resolve({"config"}).spec, find_command("config"));
  EXPECT_EQ(resolve({"command"}).spec, find_command("command"));
  EXPECT_EQ(resolve({"command", "docs"}).spec, find_by_full_name("command|docs"));
  EXPECT_EQ(resolve({"config", "nosuch"}).spec, nullptr);
  EXPECT_EQ(resolve({"nosuch"}).spec, nullptr);
}

TEST(CommandTable, WordsErrorsAsRedisDoes) {
  const auto unknown = [](Words words) { return unknown_command_error(words); };
  EXPECT_EQ(unknown({"foo"}), "ERR unknown command 'foo', with args beginning with: ");
  EXPECT_EQ(unknown({"foo", "a", "b c"}), "ERR unknown command 'foo', with args beginning with: 'a' 'b c' ");
  EXPECT_EQ(unknown({"config", "foo"}), "ERR unknown subcommand 'foo'. Try CONFIG HELP.");
  const std::string long_word(500, 'x');
  EXPECT_EQ(unknown({"foo", long_word, "b"}),
            "ERR unknown command 'foo', with args beginning with: '" + std::string(128, 'x') + "' ");
  EXPECT_EQ(unknown({long_word}),
            "ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: ");
  EXPECT_EQ(wrong_arity_error(*find_command("get")), "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(wrong_arity_error(*find_by_full_name("config|get")),
            "ERR wrong number of arguments for 'config|get' command");
}

std::vector<std::size_t> keys_of(const Words& words) {
  std::vector<std::size_t> keys;
  for_each_key(*resolve_command(words).spec, words, [&](std::size_t index) { keys.push_back(index); });
  return keys;
}

TEST(CommandTable, NamesTheKeysOfARequest) {
  using Indices = std::vector<std::size_t>;
  EXPECT_EQ(keys_of({"get", "a"}), Indices{1});
  EXPECT_EQ(keys_of({"mset", "a", "1", "b", "2"}), (Indices{1, 3}));
  EXPECT_EQ(keys_of({"mset", "a", "1", "b"}), (Indices{1, 3}));
  EXPECT_EQ(keys_of({"del", "a", "b", "c"}), (Indices{1, 2, 3}));
  EXPECT_EQ(keys_of({"object", "encoding", "a"}), Indices{2});
  EXPECT_EQ(keys_of({"ping"}), Indices{});
}

TEST(CommandTable, NumbersEveryRowOnceAndTheRequestPathKnowsTheNumber) {
  std::set<CommandId> ids;
  for (const CommandSpec* row : all_rows()) {
    EXPECT_TRUE(ids.insert(command_id(*row)).second) << full_name(*row);
    EXPECT_LT(command_id(*row), kCommandIdsMax);
  }
  const CommandSpec* container = find_command("client");
  EXPECT_EQ(resolve_command(Words{"GET", "a"}).id, command_id(*find_command("get")));
  EXPECT_EQ(resolve_command(Words{"client"}).id, command_id(*container));
  EXPECT_EQ(resolve_command(Words{"client", "kill"}).id, command_id(*find_subcommand(*container, "kill")));
}

TEST(CommandTable, DescribesARowAsRedisDoes) {
  std::string text;
  protocol::ReplyWriter reply(text, protocol::Version::resp3);
  write_command_info(*find_command("get"), reply);
  EXPECT_EQ(
      text,
      "*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
      "~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n"
      "$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n"
      "$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n"
      "$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n");
}

}  // namespace
}  // namespace shale::server
