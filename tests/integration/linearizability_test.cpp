// What clients see of a live server is linearizable, per key and for keys that are always written together,
// while shards split, merge and move between engines, the ring grows and shrinks, and the server is killed.
//
//   LINEARIZABILITY_ROUNDS  kills of the server (default 2)
//   LINEARIZABILITY_SEED    of the workload; not SHALE_..., which the server would take for an option
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "tests/integration/client.h"
#include "tests/integration/register_history.h"
#include "tests/integration/server_process.h"

namespace shale::integration {
namespace {

using Kind = RegisterOperation::Kind;

constexpr unsigned kClients = 6;
constexpr unsigned kRegisters = 12;
constexpr unsigned kGroups = 4;  // registers of several keys: written by MSET, read by MGET
constexpr unsigned kKeysOfGroup = 3;
constexpr unsigned kFiller = 3000;
constexpr std::uint64_t kOperationsPerRound = 2000;
constexpr int kChangesPerRound = 10;

unsigned rounds() {
  const char* const given = std::getenv("LINEARIZABILITY_ROUNDS");
  return given == nullptr ? 2 : static_cast<unsigned>(std::stoul(given));
}

std::uint64_t seed() {
  const char* const given = std::getenv("LINEARIZABILITY_SEED");
  const std::uint64_t seed = given == nullptr ? std::random_device{}() : std::stoull(given);
  fmt::print("LINEARIZABILITY_SEED={}\n", seed);
  return seed;
}

std::int64_t now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};

// A connection that may break at any moment, and says so.
class Session {
 public:
  explicit Session(unsigned port) : context_(redisConnect("127.0.0.1", static_cast<int>(port))) {}

  bool sound() const { return context_ && context_->err == 0; }
  Reply ask(const std::vector<std::string>& words) {
    std::vector<const char*> starts;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      starts.push_back(word.data());
      lengths.push_back(word.size());
    }
    return Reply{static_cast<redisReply*>(
        redisCommandArgv(context_.get(), static_cast<int>(words.size()), starts.data(), lengths.data()))};
  }

 private:
  std::unique_ptr<redisContext, FreeContext> context_;
};

std::uint64_t value_of(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STRING ? std::stoull(reply.str) : 0;
}

class Workload {
 public:
  Workload() {
    for (unsigned i = 0; i < kRegisters; ++i) keys_.push_back({fmt::format("register:{}", i)});
    for (unsigned group = 0; group < kGroups; ++group) {
      std::vector<std::string> keys;
      for (unsigned i = 0; i < kKeysOfGroup; ++i) keys.push_back(fmt::format("group:{}:{}", group, i));
      keys_.push_back(std::move(keys));
    }
    histories_.resize(keys_.size());
  }

  void set_port(unsigned port) { port_ = port; }
  // Until so many operations have been called in all.
  void wait_for(std::uint64_t operations) const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (calls_ < operations && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  void stop() { stopping_ = true; }
  const std::vector<std::string>& keys(std::size_t number) const { return keys_[number]; }
  std::size_t count() const { return keys_.size(); }
  const std::vector<RegisterOperation>& history(std::size_t number) const { return histories_[number]; }

  // One client, until stop().
  void run(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    while (!stopping_) {
      Session session{port_};
      while (!stopping_ && session.sound()) {
        operate(session, random);
        // As fast as it goes, histories would grow by tens of thousands a second.
        std::this_thread::sleep_for(std::chrono::microseconds{200});
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{1});  // it is being restarted
    }
  }

 private:
  void operate(Session& session, std::mt19937_64& random) {
    const std::size_t number = random() % keys_.size();
    const bool is_group = keys_[number].size() > 1;
    RegisterOperation operation;
    const unsigned chance = random() % 100;
    operation.kind = chance < 45 ? Kind::read : chance < 60 && !is_group ? Kind::swap : Kind::write;
    const bool erases = chance >= 95;
    if (operation.kind != Kind::read && !erases) operation.written = next_value_++;
    ++calls_;
    operation.called = now();
    const Reply reply = session.ask(words_of(number, operation));
    if (!reply) {  // cut off: a write may have happened, or still happen
      if (operation.kind == Kind::read) return;
      if (operation.kind == Kind::swap) operation.kind = Kind::write;  // what it saw nobody knows
      return remember(number, operation);
    }
    operation.returned = now();
    if (reply->type == REDIS_REPLY_ERROR) {
      // Refused: nothing has happened. An operation that is starting or stopping may say so.
      ADD_FAILURE() << reply->str;
      return;
    }
    if (operation.kind != Kind::write) operation.seen = seen_in(*reply);
    remember(number, operation);
  }

  std::vector<std::string> words_of(std::size_t number, const RegisterOperation& operation) const {
    const std::vector<std::string>& keys = keys_[number];
    const std::string value = std::to_string(operation.written);
    if (operation.kind == Kind::swap) return {"SET", keys[0], value, "GET"};
    const bool erases = operation.kind == Kind::write && operation.written == 0;
    std::vector<std::string> words{operation.kind == Kind::read ? "MGET" : erases ? "DEL" : "MSET"};
    for (const std::string& key : keys) {
      words.push_back(key);
      if (words.front() == "MSET") words.push_back(value);
    }
    return words;
  }

  // Of MGET all values, which are one's.
  static std::uint64_t seen_in(const redisReply& reply) {
    if (reply.type != REDIS_REPLY_ARRAY) return value_of(reply);
    const std::uint64_t first = value_of(*reply.element[0]);
    for (std::size_t i = 1; i < reply.elements; ++i)
      EXPECT_EQ(value_of(*reply.element[i]), first) << "written together, seen apart: key " << i;
    return first;
  }

  void remember(std::size_t number, const RegisterOperation& operation) {
    const std::lock_guard lock{mutex_};
    histories_[number].push_back(operation);
  }

  std::vector<std::vector<std::string>> keys_;  // of each register
  std::atomic<unsigned> port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> next_value_ = 1;
  std::atomic<std::uint64_t> calls_ = 0;
  std::mutex mutex_;  // guards the histories
  std::vector<std::vector<RegisterOperation>> histories_;
};

// Splits, merges, moves and changes of the ring, some of which cannot be. Returns how many were made.
int change_layout(const ServerProcess& server, const Workload& workload, std::mt19937_64& random) {
  Client client{server};
  int made = 0;
  for (int change = 0; change < kChangesPerRound; ++change) {
    const auto shard = [&] { return std::to_string(random() % 8); };
    const std::string key = workload.keys(random() % workload.count()).front();
    const bool lsm = random() % 2 == 0;
    std::vector<std::string> command;
    switch (random() % 6) {
      case 0: command = {"SPLIT", shard()}; break;
      case 3: command = {"RING", "ADD"}; break;
      case 4: command = {"RING", "REMOVE", shard()}; break;
      case 1: command = {"SPLIT", shard(), "AT", key}; break;
      case 2: command = {"MERGE", shard(), shard()}; break;
      default: command = {"ENGINE", shard(), lsm ? "lsm" : "btree"}; break;
    }
    std::string reply = to_text(client.command(command).get());
    for (; reply.starts_with("(error) BUSY"); reply = to_text(client.command(command).get()))
      std::this_thread::sleep_for(std::chrono::milliseconds{1});  // a move goes on
    made += reply.starts_with("(error)") ? 0 : 1;
  }
  return made;
}

TEST(Linearizability, HoldsWhileShardsChangeAndTheServerIsKilled) {
  std::mt19937_64 random{seed()};
  ServerProcess server{{"--shards", "3", "--memory", "64mb", "--auto-split", "no"}};
  {
    Client client{server};
    for (unsigned i = 0; i < kFiller; ++i)
      client.append({"SET", fmt::format("filler:{}", i), std::string(200, 'f')});
    for (unsigned i = 0; i < kFiller; ++i) ASSERT_EQ(client.next_text(), "OK");
  }
  Workload workload;
  workload.set_port(server.port());
  std::vector<std::jthread> clients;
  for (unsigned i = 0; i < kClients; ++i)
    clients.emplace_back([&workload, client_seed = random()] { workload.run(client_seed); });

  int changes = 0;
  for (unsigned round = 0; round < rounds(); ++round) {
    changes += change_layout(server, workload, random);
    workload.wait_for(kOperationsPerRound * (round + 1));
    server.kill();
    server.start();
    workload.set_port(server.port());
  }
  changes += change_layout(server, workload, random);
  workload.stop();
  clients.clear();

  EXPECT_GT(changes, 0);
  std::size_t operations = 0;
  for (std::size_t number = 0; number < workload.count(); ++number) {
    const auto& history = workload.history(number);
    operations += history.size();
    EXPECT_TRUE(RegisterHistory{history}.is_linearizable())
        << workload.keys(number).front() << ": no order explains its " << history.size() << " operations";
  }
  fmt::print("{} operations, {} changes of the layout, {} kills\n", operations, changes, rounds());
  EXPECT_GT(operations, 100u);
  EXPECT_EQ(Client{server}.ask("GET", "filler:17"), std::string(200, 'f'));
}

}  // namespace
}  // namespace shale::integration
