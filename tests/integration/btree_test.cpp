// A server whose shards are B+ trees, where that shows: figures, restarts, damage. All other tests run over
// them as well (tests/CMakeLists.txt).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/client.h"
#include "tests/integration/numbered_values.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;

constexpr int kKeys = 30'000;  // 30 MB in a server of 32

TEST(Btree, KeepsWhatItWasGivenThroughKillsAndGivesSpaceBack) {
  ServerProcess server{{"--memory", "32mb", "--engine", "btree"}};
  ASSERT_NO_FATAL_FAILURE(load_numbers(server, kKeys));
  server.restart();
  Client client{server};
  // The replay guesses which keys are new; soon that is looked up.
  const std::string all = fmt::format("(integer) {}", kKeys);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (client.ask("DBSIZE") != all && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(client.ask("DBSIZE"), all);
  for (int key = 0; key < kKeys; key += 37)
    ASSERT_EQ(client.ask("GET", std::to_string(key)), value_of_number(key));
  EXPECT_THAT(client.ask("STATS", "JSON", "SHARD", "0"), HasSubstr(R"("engine":"btree")"));
  EXPECT_THAT(client.ask("STATS", "JSON", "BTREE"), HasSubstr(R"("page_file":{"file_bytes":)"));
  EXPECT_THAT(client.ask("STATS", "JSON", "BTREE", "0"), HasSubstr(R"("nodes":{"height":)"));
  server.stop();
  const std::string pages = server.folder() + "/data/btree/pages";
  EXPECT_GT(std::filesystem::file_size(pages), 20'000'000u);
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 0);
}

TEST(Btree, NamesDamageAndServesTheRest) {
  ServerProcess server{{"--memory", "32mb", "--engine", "btree"}};
  ASSERT_NO_FATAL_FAILURE(load_numbers(server, kKeys));
  server.stop();
  const std::string path = server.folder() + "/data/btree/pages";
  std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
  std::string contents{std::istreambuf_iterator<char>{file}, {}};
  file.clear();
  // Wherever it stands: all but one are in free space.
  for (std::size_t place = 0; (place = contents.find("value of 77:", place)) != std::string::npos; ++place) {
    file.seekp(static_cast<std::streamoff>(place));
    file.put('V');
  }
  file.close();
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 1);
  server.start();
  Client client{server};
  int failed = 0;
  for_each_number(client, kKeys, [&](int key, const std::string& reply) {
    if (reply == value_of_number(key)) return;
    ++failed;
    EXPECT_THAT(reply, HasSubstr(path + ": page at offset"));
  });
  EXPECT_GT(failed, 0);
  EXPECT_LT(failed, 40);
}

}  // namespace
}  // namespace shale::integration
