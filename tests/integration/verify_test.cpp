// shale-server --verify as an operator uses it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Verify, SoundDamagedAndInUse) {
  ServerProcess server;
  EXPECT_EQ(Client{server}.ask("SET", "a", "1"), "OK");
  const std::string folder = server.folder() + "/data";
  const Outcome in_use = run_server({"--verify", folder});
  EXPECT_EQ(in_use.exit_code, 2);
  EXPECT_THAT(in_use.output, HasSubstr("a server is using this folder"));
  server.stop();

  const Outcome sound = run_server({"--verify", folder});
  EXPECT_EQ(sound.exit_code, 0);
  EXPECT_THAT(sound.output, AllOf(HasSubstr(folder + ": sound"), HasSubstr("records checked")));
  EXPECT_EQ(run_server({"--verify"}, {"SHALE_DIR=" + folder}).exit_code, 0);

  std::fstream catalog{folder + "/catalog", std::ios::in | std::ios::out | std::ios::binary};
  catalog.seekp(30);
  catalog.put('\x7f');
  catalog.close();
  const Outcome damaged = run_server({"--verify", "--dir", folder});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.output, AllOf(HasSubstr("damaged: " + folder + "/catalog"), HasSubstr("DAMAGED")));

  EXPECT_EQ(run_server({"--verify", server.folder()}).exit_code, 2);
}

}  // namespace
}  // namespace shale::integration
