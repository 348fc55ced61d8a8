#include "src/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>

#include "engine/io/background.h"
#include "src/client_transaction.h"
#include "src/command/arguments.h"
#include "src/server.h"
#include "tests/server/temporary_store.h"

namespace shale::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Wait = Progress::Wait;

class CountedLoad : public engine::Load {
 public:
  void run() override { ++runs; }
  int runs = 0;
};

// Loads are run by the connection, and here there is none.
class NoBackground : public engine::Background {
 public:
  void submit(engine::Priority, std::function<void()>) override {}
  void stop() override {}
  bool stopping() const override { return false; }
};

// What the fake commands do, and what they have seen: a handler is a plain function.
struct Fakes {
  std::vector<std::string> calls;      // "get a", in order
  std::deque<engine::Error> failures;  // returned by the next calls of `fails`
  std::vector<std::shared_ptr<CountedLoad>> missing;
  Suspension suspension;
  bool saw_timeout = false;
};
Fakes* fakes = nullptr;

std::string joined(Arguments arguments) {
  std::string text;
  for (const auto word : arguments.all()) text += (text.empty() ? "" : " ") + std::string{word};
  return text;
}

engine::Status get(CommandContext& context, Arguments arguments) {
  fakes->calls.push_back(joined(arguments));
  const auto found = context.keyspace.read(arguments.take());
  if (!found) return found.error();
  if (*found) {
    context.reply.bulk((*found)->payload);
  } else {
    context.reply.null();
  }
  return {};
}

engine::Status set(CommandContext& context, Arguments arguments) {
  fakes->calls.push_back(joined(arguments));
  const auto key = arguments.take();
  context.keyspace.store(key, arguments.take());
  context.reply.ok();
  return {};
}

// Writes half a reply and fails as told, or succeeds.
engine::Status fails(CommandContext& context, Arguments arguments) {
  fakes->calls.push_back(joined(arguments));
  context.reply.simple_string("started");
  if (fakes->failures.empty()) return {};
  const engine::Error error = fakes->failures.front();
  fakes->failures.pop_front();
  if (error.kind == engine::ErrorKind::not_resident) {
    for (const auto& load : fakes->missing) context.keyspace.reads().missing.push_back(load);
  }
  return error;
}

engine::Status mode(CommandContext& context, Arguments arguments) {
  const auto wanted = arguments.take();
  if (wanted == "off") context.session.reply_mode = ReplyMode::off;
  if (wanted == "skip") context.session.reply_mode = ReplyMode::skip_next;
  if (wanted == "on") context.session.reply_mode = ReplyMode::on;
  context.reply.ok();
  return {};
}

engine::Status login(CommandContext& context, Arguments) {
  context.session.authenticated = true;
  context.reply.ok();
  return {};
}

engine::Status leave(CommandContext& context, Arguments) {
  context.session.close_after_reply = true;
  context.reply.ok();
  return {};
}

engine::Status sleeps(CommandContext& context, Arguments) {
  context.delay = std::chrono::milliseconds{5};
  context.reply.ok();
  return {};
}

engine::Status tells(CommandContext& context, Arguments arguments) {
  fakes->calls.push_back(joined(arguments));
  context.reply.ok();
  return {};
}

engine::Status waits(CommandContext& context, Arguments) {
  fakes->saw_timeout = context.timed_out;
  if (context.timed_out) {
    context.reply.null();
  } else {
    context.suspend = fakes->suspension;
  }
  return {};
}

CommandSpec fake(std::string_view name, Arity arity, CommandFlags flags, KeyPositions keys, Handler handler) {
  CommandSpec spec{};
  spec.name = name;
  spec.arity = arity;
  spec.flags = flags;
  spec.keys = keys;
  spec.handler = handler;
  return spec;
}

const std::map<std::string, CommandSpec, std::less<>> fake_commands = {
    {"get", fake("get", exactly(2), CommandFlag::readonly, one_key(1, {}), get)},
    {"set", fake("set", exactly(3), CommandFlag::write, one_key(1, {}), set)},
    {"fails", fake("fails", at_least(1), CommandFlag::readonly, one_key(1, {}), fails)},
    {"scan", fake("scan", at_least(1), CommandFlag::readonly, kNoKeys, fails)},
    {"flush", fake("flush", at_least(1), CommandFlag::write, kNoKeys, fails)},
    {"mode", fake("mode", exactly(2), {}, kNoKeys, mode)},
    {"login", fake("login", exactly(1), CommandFlag::no_auth, kNoKeys, login)},
    {"leave", fake("leave", exactly(1), {}, kNoKeys, leave)},
    {"sleep", fake("sleep", exactly(1), {}, kNoKeys, sleeps)},
    {"wait", fake("wait", exactly(1), {}, kNoKeys, waits)},
    {"tell", fake("tell", at_least(1), {}, kNoKeys, tells)},
};

class DispatcherTest : public TemporaryStoreTest {
 protected:
  void SetUp() override {
    fakes = &fakes_;
    open();
    server_.emplace(config_, store(), background_, divide_memory(64 << 20).value(), 1);
    dispatcher_.emplace(*server_, server_->stats().of_thread(0));
    session_.authenticated = true;
  }
  void TearDown() override {
    session_.transaction.reset();
    dispatcher_.reset();
    server_.reset();
    fakes = nullptr;
  }

  // Requests are lines of words.
  void request(std::initializer_list<const char*> lines) {
    for (const std::string line : lines) {
      const std::size_t first = batch_.arguments.size();
      for (std::size_t at = 0; at <= line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        words_.push_back(line.substr(at, end - at));
        batch_.arguments.push_back(words_.back());
        at = end + 1;
      }
      const auto found = fake_commands.find(batch_.arguments[first]);
      batch_.requests.push_back(
          {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(batch_.arguments.size() - first),
           found != fake_commands.end() ? ResolvedCommand{&found->second, 1}
                                        : resolve_command(std::span{batch_.arguments}.subspan(first))});
    }
  }
  Progress execute(std::size_t output_bytes_max = 1 << 20) {
    return dispatcher_->execute(batch_, session_, output_, output_bytes_max);
  }
  std::string take_output() { return std::exchange(output_, {}); }
  void new_batch() { batch_.clear(); }
  static engine::Error not_resident() { return {engine::ErrorKind::not_resident, ""}; }

  Fakes fakes_;
  Config config_;
  Session session_;
  Batch batch_;
  std::string output_;
  std::optional<Server> server_;
  std::optional<Dispatcher> dispatcher_;
  std::deque<std::string> words_;  // what the batch's views point to

 private:
  NoBackground background_;
};

TEST_F(DispatcherTest, RepliesInTheOrderOfTheRequests) {
  request({"set a 1", "get a", "mode on", "get b", "set a 2", "get a"});
  const Progress progress = execute();
  EXPECT_EQ(progress.wait, Wait::nothing);
  EXPECT_EQ(progress.replies, 6);
  EXPECT_EQ(output_, "+OK\r\n$1\r\n1\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n2\r\n");
  EXPECT_TRUE(batch_.done());
  EXPECT_EQ(server_->stats().totals().commands, 6);
  EXPECT_EQ(server_->stats().totals().keyspace_hits, 2);
  EXPECT_EQ(server_->stats().totals().keyspace_misses, 1);
  EXPECT_GT(session_.last_write_lsn, 0);
}

TEST_F(DispatcherTest, ARequestThatIsNoCommandDoesNotDisturbItsNeighbours) {
  request({"set a 1", "frobnicate x y", "get", "get a"});
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_,
            "+OK\r\n-ERR unknown command 'frobnicate', with args beginning with: 'x' 'y' \r\n"
            "-ERR wrong number of arguments for 'get' command\r\n$1\r\n1\r\n");
  EXPECT_EQ(server_->stats().totals().error_replies, 2);
}

TEST_F(DispatcherTest, WhoHasNotAuthenticatedIsAskedToUntilItHas) {
  server_->users().set_default_password("secret");
  session_.authenticated = false;
  request({"get a", "get", "login", "get a"});
  execute();
  EXPECT_EQ(output_,
            "-NOAUTH Authentication required.\r\n-ERR wrong number of arguments for 'get' "
            "command\r\n+OK\r\n$-1\r\n");
}

TEST_F(DispatcherTest, DatabasesAreSeparate) {
  request({"set a zero"});
  execute();
  new_batch();
  session_.database = 1;
  request({"get a"});
  take_output();
  execute();
  EXPECT_EQ(output_, "$-1\r\n");
}

TEST_F(DispatcherTest, WhatIsNotInMemoryIsLoadedAndTheCommandRunAgain) {
  fakes_.missing = {std::make_shared<CountedLoad>(), std::make_shared<CountedLoad>()};
  fakes_.failures = {not_resident()};
  request({"set a 1", "fails a", "set a 2"});
  Progress progress = execute();
  EXPECT_EQ(progress.wait, Wait::loads);
  EXPECT_EQ(output_, "+OK\r\n");  // the half reply is gone
  EXPECT_EQ(batch_.next, 1);
  ASSERT_THAT(batch_.loads, SizeIs(2));
  EXPECT_EQ(batch_.loads_begun, 0);
  EXPECT_FALSE(progress.suspension);

  batch_.loads_begun = 2;  // as the connection does it
  progress = execute();
  EXPECT_EQ(progress.wait, Wait::nothing);
  EXPECT_EQ(output_, "+OK\r\n+started\r\n+OK\r\n");
  EXPECT_THAT(batch_.loads, IsEmpty());
  EXPECT_THAT(fakes_.calls, ElementsAre("set a 1", "fails a", "fails a", "set a 2"));
  EXPECT_EQ(server_->stats().totals().cold_reads, 1);
}

// The second round needs what the first has loaded: an index block, and then the block that it names.
TEST_F(DispatcherTest, WhatAnEarlierRoundHasLoadedIsKeptUntilTheCommandIsDone) {
  const auto first = std::make_shared<CountedLoad>();
  const auto second = std::make_shared<CountedLoad>();
  fakes_.failures = {not_resident(), not_resident()};
  request({"fails a"});
  fakes_.missing = {first};
  execute();
  batch_.loads_begun = batch_.loads.size();
  fakes_.missing = {first, second};
  execute();
  EXPECT_THAT(batch_.loads, ElementsAre(first, second));
  EXPECT_EQ(batch_.loads_begun, 1);
  batch_.loads_begun = 2;
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(first.use_count(), 2);  // ours and the fakes'
}

TEST_F(DispatcherTest, CommandsWithoutKeysWaitForLoadsToo) {
  fakes_.missing = {std::make_shared<CountedLoad>()};
  fakes_.failures = {not_resident()};
  request({"scan 0", "get a"});
  EXPECT_EQ(execute().wait, Wait::loads);
  EXPECT_THAT(batch_.loads, SizeIs(1));
  EXPECT_EQ(output_, "");
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_, "+started\r\n$-1\r\n");
}

TEST_F(DispatcherTest, BusyIsTriedAgainShortly) {
  fakes_.failures = {{engine::ErrorKind::busy, ""}};
  request({"fails a"});
  const Progress progress = execute();
  EXPECT_EQ(progress.wait, Wait::retry);
  EXPECT_GT(progress.pause.count(), 0);
  EXPECT_EQ(output_, "");
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_, "+started\r\n");
}

TEST_F(DispatcherTest, FailuresOfTheStoreBecomeErrorsAndTheBatchGoesOn) {
  fakes_.failures = {{engine::ErrorKind::corruption, "table 7, offset 4096: checksum"},
                     {engine::ErrorKind::stopped, "fdatasync of log/1: No space left"},
                     {engine::ErrorKind::io, "read of table 8: Input/output error"},
                     {engine::ErrorKind::no_space, "disk full"}};
  request({"fails a", "fails a", "fails a", "flush", "get a"});
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_,
            "-ERR corruption: table 7, offset 4096: checksum\r\n"
            "-MISCONF Errors writing to the AOF file: fdatasync of log/1: No space left\r\n"
            "-ERR read of table 8: Input/output error\r\n"
            "-MISCONF Errors writing to the AOF file: disk full\r\n"
            "$-1\r\n");
}

TEST_F(DispatcherTest, RepliesThatTheClientDoesNotWantAreNotSent) {
  request({"mode skip", "get a", "get a", "mode off", "get a", "nonsense", "mode on", "get a"});
  const Progress progress = execute();
  EXPECT_EQ(output_, "$-1\r\n+OK\r\n$-1\r\n");
  EXPECT_EQ(progress.replies, 3);
}

TEST_F(DispatcherTest, AQueuedRequestOutlivesItsInput) {
  request({"multi", "set a 1", "get a"});
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(take_output(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n");
  EXPECT_THAT(fakes_.calls, IsEmpty());
  for (std::string& word : words_) word.assign(word.size(), '?');
  new_batch();
  request({"exec", "get a"});
  const Progress progress = execute();
  EXPECT_EQ(progress.replies, 2u);
  EXPECT_EQ(output_, "*2\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
  EXPECT_THAT(fakes_.calls, ElementsAre("set a 1", "get a", "get a"));
}

// What touches no keys cannot be taken back, and runs once.
TEST_F(DispatcherTest, ATransactionThatLacksSomethingHasNotHappenedAndRunsAgain) {
  fakes_.missing = {std::make_shared<CountedLoad>()};
  fakes_.failures = {not_resident(), {engine::ErrorKind::busy, ""}};
  request({"multi", "set a 1", "tell x", "fails a", "wait", "exec"});
  EXPECT_EQ(execute().wait, Wait::loads);
  EXPECT_THAT(batch_.loads, SizeIs(1));
  take_output();
  EXPECT_EQ(execute().wait, Wait::retry);
  EXPECT_EQ(output_, "");
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_, "*4\r\n+OK\r\n+OK\r\n+started\r\n$-1\r\n");
  EXPECT_THAT(fakes_.calls,
              ElementsAre("set a 1", "fails a", "set a 1", "fails a", "set a 1", "fails a", "tell x"));
  EXPECT_THAT(batch_.loads, IsEmpty());
}

TEST_F(DispatcherTest, AWatchedKeyMayChangeUntilTheLastRunOfATransaction) {
  fakes_.failures = {not_resident()};
  request({"watch a", "multi", "fails a", "exec"});
  EXPECT_EQ(execute().wait, Wait::loads);
  EXPECT_EQ(take_output(), "+OK\r\n+OK\r\n+QUEUED\r\n");
  const Batch waiting = std::exchange(batch_, {});
  request({"set a 2"});
  Session other;
  other.authenticated = true;
  dispatcher_->execute(batch_, other, output_, 1 << 20);
  take_output();
  batch_ = waiting;
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_, "*-1\r\n");
}

TEST_F(DispatcherTest, ACommandOfATransactionThatFailsHasWrittenNothing) {
  fakes_.failures = {{engine::ErrorKind::corruption, "table 7"}};
  request({"multi", "set a 1", "fails a", "set b 2", "exec", "get a", "get b"});
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_.substr(output_.find('*')),
            "*3\r\n+OK\r\n-ERR corruption: table 7\r\n+OK\r\n$1\r\n1\r\n$1\r\n2\r\n");
}

TEST_F(DispatcherTest, NothingRunsBehindACommandThatEndsTheConnection) {
  request({"leave", "set a 1"});
  EXPECT_EQ(execute().wait, Wait::disconnect);
  EXPECT_EQ(output_, "+OK\r\n");
  EXPECT_THAT(fakes_.calls, IsEmpty());
}

TEST_F(DispatcherTest, ADelayedReplyIsHeldFromWhereItBegins) {
  request({"get a", "sleep", "get a"});
  const Progress progress = execute();
  EXPECT_EQ(progress.wait, Wait::delay);
  EXPECT_EQ(progress.pause, std::chrono::milliseconds{5});
  EXPECT_EQ(progress.held_from, 5);
  EXPECT_EQ(output_, "$-1\r\n+OK\r\n");
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_EQ(output_, "$-1\r\n+OK\r\n$-1\r\n");
}

TEST_F(DispatcherTest, ASuspendedCommandRunsAgainAndHearsOfItsTimeout) {
  fakes_.suspension.timeout = std::chrono::milliseconds{7};
  request({"wait", "get a"});
  const Progress progress = execute();
  EXPECT_EQ(progress.wait, Wait::suspension);
  ASSERT_TRUE(progress.suspension);
  EXPECT_EQ(progress.suspension->timeout, std::chrono::milliseconds{7});
  EXPECT_EQ(output_, "");
  batch_.timed_out = true;
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_TRUE(fakes_.saw_timeout);
  EXPECT_FALSE(batch_.timed_out);
  EXPECT_EQ(output_, "$-1\r\n$-1\r\n");
}

TEST_F(DispatcherTest, StopsWhenTheOutputIsLongEnough) {
  request({"set a 0123456789", "get a", "get a", "get a"});
  EXPECT_EQ(execute(20).wait, Wait::output);
  EXPECT_LT(batch_.next, 4);
  while (!batch_.done()) {
    take_output();
    execute(20);
  }
  EXPECT_THAT(fakes_.calls, SizeIs(4));
}

TEST_F(DispatcherTest, LongBatchesAreExecutedInSeveralRuns) {
  for (int i = 0; i < 100; ++i) request({"set a 1", "get a"});
  EXPECT_EQ(execute().wait, Wait::nothing);
  EXPECT_THAT(fakes_.calls, SizeIs(200));
}

}  // namespace
}  // namespace shale::server
