#include "src/acl/users.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/acl/file.h"
#include "src/acl/log.h"

namespace shale::server::acl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Words = std::vector<std::string_view>;

TEST(Users, BeginWithADefaultUserWhoMayDoEverything) {
  const Users users;
  EXPECT_FALSE(users.password_required());
  EXPECT_EQ(describe_users(users), "user default on nopass sanitize-payload ~* &* +@all\n");
  EXPECT_EQ(users.log_in("default", "anything"), users.default_user());
}

TEST(Users, ASessionSeesChangesOfItsUserAtOnceAndIsNothingWhenItIsGone) {
  Users users;
  ASSERT_EQ(users.set("alice", Words{"on", ">x", "+get", "~*"}, false), std::nullopt);
  SessionUser session;
  EXPECT_EQ(session.rules(users), nullptr);
  EXPECT_EQ(users.log_in("alice", "y"), nullptr);
  EXPECT_EQ(users.log_in("bob", "x"), nullptr);
  session.become(users.log_in("alice", "x"));
  const Words get{"get", "a"};
  EXPECT_TRUE(session.rules(users)->check(resolve_command(get), get).allowed());
  ASSERT_EQ(users.set("alice", Words{"-get"}, false), std::nullopt);
  EXPECT_FALSE(session.rules(users)->check(resolve_command(get), get).allowed());
  ASSERT_EQ(users.set("alice", Words{"+@all"}, false), std::nullopt);
  EXPECT_TRUE(users.remove("alice"));
  EXPECT_FALSE(users.remove("alice"));
  EXPECT_FALSE(users.remove("default"));
  EXPECT_FALSE(session.rules(users)->check(resolve_command(get), get).allowed());
}

TEST(Users, RulesApplyAllOrNone) {
  Users users;
  EXPECT_EQ(users.set("alice", Words{"on", "+get", "frobnicate"}, false),
            "Error in ACL SETUSER modifier 'frobnicate': Syntax error");
  EXPECT_EQ(users.find("alice"), nullptr);
  EXPECT_EQ(users.set("a b", {}, false), "Usernames can't contain spaces or null characters");
  EXPECT_EQ(users.set("alice", Words{"(+get", "~a"}, false),
            "Unmatched parenthesis in acl selector starting at '(+get'.");
  EXPECT_THAT(users.list(), SizeIs(1));
}

TEST(Users, AnEmptyPasswordOfTheDefaultUserIsNone) {
  Users users;
  users.set_default_password("secret");
  EXPECT_TRUE(users.password_required());
  EXPECT_FALSE(users.default_is_open());
  EXPECT_EQ(users.log_in("default", "x"), nullptr);
  EXPECT_NE(users.log_in("default", "secret"), nullptr);
  users.set_default_password("");
  EXPECT_FALSE(users.password_required());
  ASSERT_EQ(users.set("default", Words{"off"}, false), std::nullopt);
  EXPECT_TRUE(users.password_required());
  EXPECT_TRUE(users.default_is_open());
}

TEST(Users, AFileReplacesThemAllAndUsersOfTheSameNameStay) {
  Users users;
  for (const std::string_view name : {"alice", "bob"})
    ASSERT_EQ(users.set(name, Words{"on", "+@all"}, false), std::nullopt);
  const auto alice = users.find("alice");
  std::string errors;
  auto definitions = parse_file("user alice on +get\n\nuser carol off\n", "users.acl", false, errors);
  ASSERT_TRUE(definitions) << errors;
  EXPECT_THAT(users.replace_all(std::move(*definitions), false), ElementsAre("bob"));
  EXPECT_EQ(users.find("alice"), alice);
  EXPECT_EQ(describe_users(users),
            "user alice on sanitize-payload resetchannels -@all +get\n"
            "user carol off sanitize-payload resetchannels -@all\n"
            "user default on nopass sanitize-payload ~* &* +@all\n");
}

TEST(AclFile, NamesEveryMistakeAndItsLine) {
  const auto errors_of = [](std::string_view contents) {
    std::string errors;
    EXPECT_FALSE(parse_file(contents, "f", false, errors));
    return errors;
  };
  EXPECT_THAT(errors_of("user a on\nnonsense\n"), HasSubstr("f:2 should start with user keyword"));
  EXPECT_THAT(errors_of("user a on\nuser a off\n"),
              HasSubstr("WARNING: Duplicate user 'a' found on line 2. "));
  EXPECT_THAT(errors_of("user a +frob"),
              HasSubstr("f:1: Error in applying operation '+frob': Unknown command"));
  EXPECT_THAT(errors_of("user a #hash x"), testing::StartsWith("f:1: The password hash must be exactly 64"));
  EXPECT_THAT(errors_of("user a (+get"), HasSubstr("f:1: Unmatched parenthesis in selector definition."));
  EXPECT_THAT(errors_of("# comment"),
              testing::EndsWith("no change to the previously active ACL rules was performed"));
}

LogEntry entry(Reason reason, std::string object, std::string user) {
  LogEntry made;
  made.reason = reason;
  made.object = std::move(object);
  made.username = std::move(user);
  return made;
}

TEST(AclLog, CountsWhatIsRefusedAgainSoonAndKeepsTheNewest) {
  Log log;
  log.add(entry(Reason::command, "get", "a"), 1000, 3);
  log.add(entry(Reason::key, "x", "a"), 2000, 3);
  log.add(entry(Reason::command, "get", "a"), 61'000, 3);
  auto entries = log.newest(10);
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].object, "get");
  EXPECT_EQ(entries[0].count, 2);
  EXPECT_EQ(entries[0].id, 0);
  EXPECT_EQ(entries[0].created_at_ms, 1000);
  EXPECT_EQ(entries[0].updated_at_ms, 61'000);
  log.add(entry(Reason::command, "get", "a"), 121'001, 3);
  log.add(entry(Reason::auth, "AUTH", "b"), 121'002, 3);
  entries = log.newest(10);
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0].reason, Reason::auth);
  EXPECT_EQ(entries[1].count, 1);
  EXPECT_THAT(log.newest(1), SizeIs(1));
  EXPECT_EQ(log.refusals(Reason::command), 3);
  log.add(entry(Reason::key, std::string(5000, 'k'), "a"), 121'003, 1);
  EXPECT_EQ(log.newest(10).front().object.size(), Log::kNameBytesMax);
  log.clear();
  EXPECT_THAT(log.newest(10), IsEmpty());
  log.add(entry(Reason::key, "x", "a"), 121'004, 0);
  EXPECT_THAT(log.newest(10), IsEmpty());
  EXPECT_EQ(log.refusals(Reason::key), 3);
}

}  // namespace
}  // namespace shale::server::acl
