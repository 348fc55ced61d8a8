#include "src/command/redaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/command/table.h"

namespace shale::server {
namespace {

using testing::ElementsAre;
using Words = std::vector<std::string_view>;

std::vector<std::string_view> shown(const Words& words) {
  return redacted(*resolve_command(words).spec, words);
}

TEST(Redaction, HidesPasswords) {
  EXPECT_THAT(shown({"AUTH", "user", "secret"}), ElementsAre("AUTH", "(redacted)", "(redacted)"));
  EXPECT_THAT(shown({"hello", "3", "auth", "user", "secret", "setname", "me"}),
              ElementsAre("hello", "3", "auth", "(redacted)", "(redacted)", "setname", "me"));
  EXPECT_THAT(
      shown({"HELLO", "3", "AUTH", "a", "b", "AUTH", "u", "secret"}),
      ElementsAre("HELLO", "3", "AUTH", "(redacted)", "(redacted)", "AUTH", "(redacted)", "(redacted)"));
  EXPECT_THAT(shown({"HELLO", "3", "SETNAME", "AUTH", "AUTH", "u", "secret"}),
              ElementsAre("HELLO", "3", "SETNAME", "AUTH", "AUTH", "(redacted)", "(redacted)"));
  EXPECT_THAT(shown({"CONFIG", "SET", "maxclients", "5", "RequirePass", "secret"}),
              ElementsAre("CONFIG", "SET", "maxclients", "5", "RequirePass", "(redacted)"));
  EXPECT_THAT(shown({"config", "set", "masterauth", "x"}),
              ElementsAre("config", "set", "masterauth", "(redacted)"));
}

TEST(Redaction, LeavesTheRestAsItIs) {
  EXPECT_THAT(shown({"SET", "requirepass", "x"}), ElementsAre("SET", "requirepass", "x"));
  EXPECT_THAT(shown({"HELLO", "3"}), ElementsAre("HELLO", "3"));
  EXPECT_THAT(shown({"HELLO", "3", "AUTH"}), ElementsAre("HELLO", "3", "AUTH"));
}

}  // namespace
}  // namespace shale::server
