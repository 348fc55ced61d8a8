// Damaged table files under a server: it starts, says so, serves the rest, and never serves the damage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/client.h"
#include "tests/integration/numbered_values.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;

constexpr int kKeys = 40'000;  // 40 MB in a server of 32: most of it is in tables

std::vector<std::filesystem::path> tables_of(const ServerProcess& server) {
  std::vector<std::filesystem::path> tables;
  for (const auto& file : std::filesystem::directory_iterator(server.folder() + "/data/lsm")) {
    if (file.path().extension() == ".table") tables.push_back(file.path());
  }
  std::ranges::sort(tables);
  return tables;
}

void flip_bit(const std::filesystem::path& path, std::streamoff offset_from_begin, bool from_end = false) {
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  file.seekg(offset_from_begin, from_end ? std::ios::end : std::ios::beg);
  const auto place = file.tellg();
  const int byte = file.get();
  file.seekp(place);
  file.put(static_cast<char>(byte ^ 4));
}

TEST(Damage, IsNamedAndTheRestIsServed) {
  ServerProcess server{{"--memory", "32mb"}};
  ASSERT_NO_FATAL_FAILURE(load_numbers(server, kKeys));
  server.restart();  // removes what no longer counts
  server.stop();
  const auto tables = tables_of(server);
  ASSERT_GE(tables.size(), 6u);
  const auto& footer = tables[1];
  const auto& missing = tables[tables.size() / 2];
  const auto& block = tables[tables.size() - 2];
  flip_bit(footer, -20, true);
  flip_bit(block, 1000);
  std::filesystem::remove(missing);
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 1);

  server.start();
  EXPECT_THAT(server.process().output(), HasSubstr("damage: " + footer.string()));
  EXPECT_THAT(server.process().output(), HasSubstr(missing.string()));
  Client client{server};
  // What tables count is known without them. But of what was only in memory, the log's replay cannot tell
  // whether a key is new in a range that cannot be read, and takes it to be there.
  const int counted = std::stoi(client.ask("DBSIZE").substr(sizeof "(integer)"));
  EXPECT_LE(counted, kKeys);
  EXPECT_GT(counted, kKeys / 2);
  int right = 0;
  int failed = 0;
  for_each_number(client, kKeys, [&](int key, const std::string& reply) {
    if (reply == value_of_number(key)) {
      ++right;
      return;
    }
    ++failed;
    const bool is_named =
        reply.starts_with("(error) ERR") &&
        (reply.find(footer.filename()) != std::string::npos ||
         reply.find(missing.filename()) != std::string::npos ||
         (reply.find(block.filename()) != std::string::npos && reply.find(": offset ") != std::string::npos));
    ASSERT_TRUE(is_named) << key << ": " << reply;
  });
  EXPECT_GT(failed, 0);
  EXPECT_GT(right, kKeys / 2);
  ASSERT_NO_FATAL_FAILURE(load_numbers(server, kKeys));  // and everything can be written
  EXPECT_THAT(client.ask("INFO", "shale"), HasSubstr("damaged_tables:"));
}

}  // namespace
}  // namespace shale::integration
