// Requests that no client would send, over several connections at a time, pipelined: every command there is,
// with arguments as it documents them and with others. The server has to stay, to answer each request with
// exactly one reply that the protocol allows, to leave another database's keys alone, and a folder that is
// sound.
//
// TEST_SEED repeats the requests, DISPATCH_FUZZ_ROUNDS makes it longer (scripts/campaigns/dispatch-fuzz).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/integration/client.h"
#include "tests/integration/commands_connection.h"
#include "tests/integration/harmless_requests.h"

namespace shale::integration {
namespace {

// Sends random requests until its rounds are over. One thread.
class FuzzedConnection {
 public:
  FuzzedConnection(const ServerProcess& server, Speech speech, FuzzedRequests requests)
      : speech_(speech),
        requests_(std::move(requests)),
        harmless_(speech, server.port()),
        client_(server, speech) {}

  // What is wrong; empty if nothing is.
  std::string run(std::uint64_t rounds) {
    for (std::uint64_t round = 0; round < rounds; ++round) {
      const std::vector<Request> batch = draw_batch();
      try {
        const std::string wrong = exchange(batch, fmt::format("end of {}", round));
        if (!wrong.empty()) return describe(round, batch, wrong);
      } catch (const std::exception& problem) {
        return describe(round, batch, problem.what());
      }
    }
    return {};
  }
  std::uint64_t answered() const { return answered_; }
  std::uint64_t refused() const { return refused_; }

 private:
  std::vector<Request> draw_batch() {
    std::vector<Request> batch;
    if (speech_ == Speech::resp3) batch.push_back({"HELLO", "3"});
    const std::size_t count = 1 + requests_.below(40);
    const bool transaction = requests_.below(5) == 0;
    if (transaction) batch.push_back({"MULTI"});
    while (batch.size() < count) {
      Request request = requests_.next();
      if (harmless_.make_harmless(request)) batch.push_back(std::move(request));
    }
    if (transaction) batch.push_back({requests_.below(5) == 0 ? "DISCARD" : "EXEC"});
    return batch;
  }

  // RESET ends whatever they have begun, so that the mark is answered in any case.
  std::string exchange(const std::vector<Request>& batch, const std::string& mark) {
    std::string sent;
    for (const Request& request : batch) sent += encode_words(request);
    sent += encode_words({"RESET"}) + encode_words({"ECHO", mark});
    for (std::string_view left = sent; !left.empty();) {  // in pieces that end anywhere
      const std::size_t piece = requests_.below(3) == 0 ? 1 + requests_.below(left.size()) : left.size();
      client_.send(left.substr(0, piece));
      left.remove_prefix(piece);
    }
    std::size_t replies = 0;
    for (;;) {
      const StrictReplies::Reply reply = client_.next_reply();
      if (reply.type == '$' && reply.text == mark && (speech_ == Speech::either || replies > batch.size()))
        break;
      if (!reply.is_push()) ++replies;
      if (reply.is_error()) ++refused_;
      if (speech_ != Speech::either && replies > batch.size() + 1) return "more replies than requests";
    }
    answered_ += batch.size();
    return {};
  }
  static std::string describe(std::uint64_t round, const std::vector<Request>& batch,
                              std::string_view wrong) {
    std::string text = fmt::format("round {}: {}\n", round, wrong);
    for (const Request& request : batch) {
      text += " ";
      constexpr std::size_t kWordsShown = 20;
      for (std::size_t at = 0; at < std::min(request.size(), kWordsShown); ++at) {
        text += fmt::format(" {:?}", request[at].substr(0, 60));
      }
      text += "\n";
    }
    return text;
  }

  const Speech speech_;
  FuzzedRequests requests_;
  const HarmlessRequests harmless_;
  StrictClient client_;
  std::uint64_t answered_ = 0;
  std::uint64_t refused_ = 0;
};

// Keeps the same names as the others use, in a database of its own, and knows what is in them.
class KeyKeeper {
 public:
  KeyKeeper(const ServerProcess& server, std::uint64_t seed) : client_(server), random_(seed) {
    if (client_.ask("SELECT", std::string{kBystandersDatabase}) != "OK") wrong_ = "no database of its own";
  }

  void work_until(const std::atomic<bool>& stopped) {
    while (!stopped && wrong_.empty()) {
      const std::string key = "key:" + std::to_string(random_() % 12);
      const std::string value = std::to_string(random_());
      switch (random_() % 4) {
        case 0:
          keys_[key] = value;
          expect("OK", client_.ask("SET", key, value));
          break;
        case 1: {
          keys_[key] += value;
          expect(fmt::format("(integer) {}", keys_[key].size()), client_.ask("APPEND", key, value));
          break;
        }
        case 2: expect(fmt::format("(integer) {}", keys_.erase(key)), client_.ask("DEL", key)); break;
        default: expect(known(key), client_.ask("GET", key));
      }
    }
    check_all();
  }
  const std::string& wrong() const { return wrong_; }

 private:
  std::string known(const std::string& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? "(nil)" : found->second;
  }
  void expect(const std::string& expected, const std::string& got) {
    if (got != expected && wrong_.empty()) wrong_ = fmt::format("got {:?} instead of {:?}", got, expected);
  }
  void check_all() {
    for (const auto& [key, value] : keys_) expect(value, client_.ask("GET", key));
    expect(fmt::format("(integer) {}", keys_.size()), client_.ask("DBSIZE"));
  }

  Client client_;
  std::mt19937_64 random_;
  std::map<std::string, std::string> keys_;
  std::string wrong_;
};

std::string dump_of_a_value(StrictClient& client) {
  client.send(encode_words({"SET", "key:1", std::string(300, 'v')}) + encode_words({"DUMP", "key:1"}));
  client.next_reply();
  return client.next_reply().text;
}

// The rest is what DEBUG LOG has been told.
std::string end_of(const std::string& output) {
  constexpr std::size_t kShown = 4000;
  return output.substr(output.size() - std::min(output.size(), kShown));
}

TEST(DispatchFuzz, EveryRequestIsAnsweredOnceAndHarmsNothing) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  const std::uint64_t rounds = engine::asked_of_test("DISPATCH_FUZZ_ROUNDS", engine::rounds_of_test(120));
  // A value of 512 MiB, of which a MGET asks ten times, is for the tests of abuse.
  ServerProcess server{{"--proto-max-bulk-len", "2mb"}};
  StrictClient client{server, Speech::resp2};
  const std::vector<DocumentedCommand> commands = documented_commands(client);
  ASSERT_GT(commands.size(), 150u);
  const std::string payload = dump_of_a_value(client);

  std::vector<std::unique_ptr<FuzzedConnection>> connections;
  for (const Speech speech : {Speech::resp2, Speech::resp3, Speech::either}) {
    FuzzedRequests requests{commands, payload, seed + connections.size()};
    connections.push_back(std::make_unique<FuzzedConnection>(server, speech, std::move(requests)));
  }
  std::atomic<bool> stopped = false;
  KeyKeeper bystander{server, seed};
  std::thread keeping{[&] { bystander.work_until(stopped); }};
  std::vector<std::string> wrong(connections.size());
  std::vector<std::thread> threads;
  for (std::size_t at = 0; at < connections.size(); ++at) {
    threads.emplace_back([&, at] { wrong[at] = connections[at]->run(rounds); });
  }
  for (std::thread& thread : threads) thread.join();
  stopped = true;
  keeping.join();

  for (std::size_t at = 0; at < connections.size(); ++at) {
    EXPECT_EQ(wrong[at], "") << "connection " << at << "\n" << end_of(server.process().output());
    std::printf("connection %zu: %llu requests, %llu errors\n", at,
                static_cast<unsigned long long>(connections[at]->answered()),
                static_cast<unsigned long long>(connections[at]->refused()));
  }
  EXPECT_EQ(bystander.wrong(), "");
  EXPECT_EQ(server.stop(), 0) << end_of(server.process().output());
  const Outcome verified = run_server({"--verify", server.folder() + "/data"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output;
}

}  // namespace
}  // namespace shale::integration
