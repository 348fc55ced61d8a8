// Backups as an operator makes and uses them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

std::string info(Client& client, const std::string& field) {
  const std::string text = client.ask("INFO", "persistence");
  const std::size_t begin = text.find("\n" + field + ":") + field.size() + 2;
  return text.substr(begin, text.find('\r', begin) - begin);
}

std::vector<std::string> backups_of(const ServerProcess& server) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(server.folder() + "/data/backups")) {
    paths.push_back(entry.path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

// Writes pairs of keys that are equal, and counts on with each.
class PairWriter {
 public:
  explicit PairWriter(const ServerProcess& server) : client_(server) {
    thread_ = std::thread{[this] { run(); }};
  }
  ~PairWriter() {
    done_ = true;
    thread_.join();
  }
  int written() const { return written_; }
  void wait_until(int written) const {
    while (written_ < written) std::this_thread::yield();
  }

 private:
  void run() {
    for (int number = 1; !done_; ++number) {
      const std::string pair = std::to_string(number % 500);
      const std::string value = std::to_string(number) + std::string(500, 'v');
      const std::string reply =
          client_.ask("MSET", "count", std::to_string(number), "left:" + pair, value, "right:" + pair, value);
      if (reply != "OK") {
        ADD_FAILURE() << reply;
        return;
      }
      written_ = number;
    }
  }

  Client client_;
  std::atomic<int> written_ = 0;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// A server on a backup.
class RestoredServer : public ServerProcess {
 public:
  explicit RestoredServer(const std::string& backup) : ServerProcess({"--dir", backup}) {}
};

void expect_whole_pairs(Client& client) {
  for (int pair = 0; pair < 500; ++pair) {
    EXPECT_EQ(client.ask("GET", "left:" + std::to_string(pair)),
              client.ask("GET", "right:" + std::to_string(pair)))
        << pair;
  }
}

TEST(Backup, OfAServerUnderLoadHoldsTheWritesBeforeOneMoment) {
  ServerProcess server;
  Client client{server};
  const std::string large(3u << 20, 'x');
  EXPECT_EQ(client.ask("SET", "large", large), "OK");
  std::vector<std::pair<int, int>> bounds;  // of the count, by backup
  {
    const PairWriter writer{server};
    writer.wait_until(600);
    int before = writer.written();
    EXPECT_EQ(client.ask("SAVE"), "OK");
    bounds.emplace_back(before, writer.written() + 1);
    EXPECT_THAT(client.ask("SPLIT", "0"), testing::Not(HasSubstr("error")));
    writer.wait_until(bounds[0].second + 300);
    before = writer.written();
    EXPECT_EQ(client.ask("SAVE"), "OK");
    bounds.emplace_back(before, writer.written() + 1);
    writer.wait_until(bounds[1].second + 300);
  }
  EXPECT_EQ(client.ask("SET", "large", "small now"), "OK");
  const auto backups = backups_of(server);
  ASSERT_EQ(backups.size(), 2u);
  EXPECT_THAT(backups[0], testing::ContainsRegex("/[0-9-]+T[0-9-]+\\.[0-9]+Z$"));
  EXPECT_EQ(info(client, "backup_last_path"), backups[1]);
  for (std::size_t i = 0; i < backups.size(); ++i) {
    const Outcome verified = run_server({"--verify", backups[i]});
    EXPECT_EQ(verified.exit_code, 0) << verified.output;
    RestoredServer restored{backups[i]};
    Client reader{restored};
    const int count = std::stoi(reader.ask("GET", "count"));
    EXPECT_GE(count, bounds[i].first);
    EXPECT_LE(count, bounds[i].second);
    expect_whole_pairs(reader);
    EXPECT_EQ(reader.ask("GET", "large"), large);
    EXPECT_EQ(restored.stop(), 0);
  }
  // What the restored servers did was theirs alone.
  expect_whole_pairs(client);
  EXPECT_EQ(server.stop(), 0);
  EXPECT_EQ(run_server({"--verify", server.folder() + "/data"}).exit_code, 0);
}

TEST(Backup, RepliesAsRedisAndIsTold) {
  ServerProcess server{{"--backups-keep", "1"}};
  Client client{server};
  EXPECT_EQ(info(client, "rdb_last_bgsave_time_sec"), "-1");
  EXPECT_EQ(info(client, "rdb_last_save_time"), client.ask("LASTSAVE").substr(sizeof "(integer)"));
  EXPECT_EQ(client.ask("SET", "a", "1"), "OK");
  EXPECT_EQ(info(client, "rdb_changes_since_last_save"), "1");
  EXPECT_EQ(client.ask("BGSAVE", "now"), "(error) ERR syntax error");
  EXPECT_EQ(client.ask("BGSAVE"), "Background saving started");
  while (info(client, "rdb_bgsave_in_progress") != "0") std::this_thread::yield();
  EXPECT_EQ(info(client, "rdb_last_bgsave_status"), "ok");
  EXPECT_EQ(info(client, "rdb_changes_since_last_save"), "0");
  EXPECT_EQ(info(client, "rdb_saves"), "1");
  EXPECT_EQ(client.ask("MULTI"), "OK");
  EXPECT_EQ(client.ask("BGSAVE", "SCHEDULE"), "QUEUED");
  EXPECT_EQ(client.ask("EXEC"), "[Background saving scheduled]");
  while (info(client, "rdb_saves") != "2") std::this_thread::yield();
  EXPECT_EQ(client.ask("MULTI"), "OK");
  EXPECT_THAT(client.ask("SAVE"), HasSubstr("not allowed inside a transaction"));
  EXPECT_EQ(client.ask("DISCARD"), "OK");
  EXPECT_EQ(backups_of(server).size(), 1u);

  const std::string saved_at = client.ask("LASTSAVE");
  const std::string path = info(client, "backup_last_path");
  server.restart();
  Client again{server};
  EXPECT_EQ(again.ask("LASTSAVE"), saved_at);
  EXPECT_EQ(info(again, "backup_last_path"), path);
}

TEST(Backup, ThatCannotBeMadeSaysWhy) {
  ServerProcess server{{"--backup-dir", "/proc/backups"}};
  Client client{server};
  EXPECT_THAT(client.ask("SAVE"), MatchesRegex("\\(error\\) ERR mkdir /proc/backups.*"));
  EXPECT_EQ(info(client, "rdb_last_bgsave_status"), "err");
  EXPECT_THAT(info(client, "backup_last_error"), HasSubstr("/proc/backups"));
  EXPECT_EQ(client.ask("SET", "a", "1"), "OK");
}

}  // namespace
}  // namespace shale::integration
