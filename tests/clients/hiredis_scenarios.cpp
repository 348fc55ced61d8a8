// hiredis's scenarios (scenarios.md). Debian 12 has its version 0.14, which speaks RESP2. Argument: the port.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Reply = std::unique_ptr<redisReply, void (*)(void*)>;
using Words = std::vector<std::string>;

int server_port = 0;

void require(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string{what});
}

class Client {
 public:
  Client() : context_(redisConnect("127.0.0.1", server_port), redisFree) {
    require(context_ && context_->err == 0, "no connection");
  }

  void send(const Words& words) {
    std::vector<const char*> arguments;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      arguments.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), arguments.data(), lengths.data());
  }
  Reply read() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) throw std::runtime_error(context_->errstr);
    return {static_cast<redisReply*>(reply), freeReplyObject};
  }
  Reply call(const Words& words) {
    send(words);
    return read();
  }

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

std::string_view text(const redisReply& reply) { return {reply.str, reply.len}; }
std::string_view text(const Reply& reply) { return text(*reply); }
const redisReply& element(const Reply& reply, std::size_t index) {
  require(reply->elements > index, "an element is missing");
  return *reply->element[index];
}

void connect() {
  Client client;
  require(text(client.call({"PING"})) == "PONG", "PING");
  client.call({"CLIENT", "SETNAME", "shale-scenarios"});
  require(text(client.call({"CLIENT", "GETNAME"})) == "shale-scenarios", "the name");
  const Reply info = client.call({"INFO", "server"});
  const std::size_t version = text(info).find("redis_version:");
  require(version != std::string_view::npos, "INFO has a version");
  require(std::atoi(info->str + version + 14) >= 7, "version 7");
  client.call({"SELECT", "3"});
  client.call({"SET", "only-in-3", "here"});
  require(client.call({"DBSIZE"})->integer == 1, "DBSIZE");
  require(Client{}.call({"EXISTS", "only-in-3"})->integer == 0, "databases are apart");
}

void binary() {
  std::string value;
  while (value.size() < 1u << 20) value.push_back(static_cast<char>(value.size()));
  const std::string key = value.substr(0, 256);
  Client client;
  client.call({"SET", key, value});
  require(text(client.call({"GET", key})) == value, "what was set comes back");
  client.call({"DEL", key});
}

void pipeline() {
  Client client;
  for (int number = 0; number < 500; ++number) {
    client.send({"SET", "pipeline:" + std::to_string(number), std::to_string(number)});
    client.send({"GET", "pipeline:" + std::to_string(number)});
  }
  for (int number = 0; number < 500; ++number) {
    require(text(client.read()) == "OK", "SET");
    require(text(client.read()) == std::to_string(number), "GET");
  }
}

void transaction() {
  Client client;
  require(text(client.call({"MULTI"})) == "OK", "MULTI");
  for (const Words& words :
       {Words{"SET", "t:a", "1"}, {"SET", "t:b", "2"}, {"INCR", "t:a"}, {"MGET", "t:a", "t:b", "t:c"}})
    require(text(client.call(words)) == "QUEUED", "QUEUED");
  const Reply done = client.call({"EXEC"});
  require(done->elements == 4 && element(done, 2).integer == 2, "EXEC");
  const redisReply& values = element(done, 3);
  require(text(*values.element[0]) == "2" && text(*values.element[1]) == "2", "values of MGET");
  require(values.element[2]->type == REDIS_REPLY_NIL, "null of MGET");
  client.call({"MULTI"});
  client.call({"SET", "t:a", "changed"});
  require(client.call({"NO-SUCH-COMMAND"})->type == REDIS_REPLY_ERROR, "an unknown command");
  require(text(client.call({"EXEC"})).starts_with("EXECABORT"), "EXECABORT");
  require(text(client.call({"GET", "t:a"})) == "2", "nothing was changed");
}

void count(int times) {
  Client client;
  while (times > 0) {
    client.call({"WATCH", "counter"});
    const std::string next = std::to_string(1 + std::atoi(client.call({"GET", "counter"})->str));
    client.call({"MULTI"});
    client.call({"SET", "counter", next});
    if (client.call({"EXEC"})->type != REDIS_REPLY_NIL) --times;
  }
}

void watch() {
  Client client;
  client.call({"SET", "counter", "0"});
  {
    std::vector<std::jthread> threads;
    for (int index = 0; index < 8; ++index) threads.emplace_back(count, 25);
  }
  require(text(client.call({"GET", "counter"})) == "200", "no update is lost");
}

void pubsub() {
  Client sender;
  Client listener;
  for (const Words& words : {Words{"SUBSCRIBE", "news"}, {"PSUBSCRIBE", "new?"}})
    require(listener.call(words)->type == REDIS_REPLY_ARRAY, "a subscription is confirmed");
  int of_channel = 0;
  int of_pattern = 0;
  for (int number = 0; number < 100; ++number)
    require(sender.call({"PUBLISH", "news", std::to_string(number)})->integer == 2, "receivers");
  while (of_channel + of_pattern < 200) {
    const Reply message = listener.read();
    int& expected = text(element(message, 0)) == "message" ? of_channel : of_pattern;
    require(text(*message->element[message->elements - 1]) == std::to_string(expected++),
            "messages are in order");
  }
  require(text(element(listener.call({"UNSUBSCRIBE"}), 0)) == "unsubscribe", "UNSUBSCRIBE");
  require(text(element(listener.call({"PUNSUBSCRIBE"}), 0)) == "punsubscribe", "PUNSUBSCRIBE");
  require(sender.call({"PUBLISH", "news", "nobody"})->integer == 0, "nobody listens");
}

void scan() {
  Client client;
  client.call({"SELECT", "1"});
  constexpr int kKeys = 100'000;
  constexpr int kKeysAtOnce = 5000;
  for (int begin = 0; begin < kKeys; begin += kKeysAtOnce) {
    Words words{"MSET"};
    for (int number = begin; number < begin + kKeysAtOnce; ++number) {
      words.push_back("scan:" + std::to_string(number));
      words.emplace_back("x");
    }
    client.call(words);
  }
  std::set<std::string> found;
  std::string cursor = "0";
  do {
    const Reply page = client.call({"SCAN", cursor, "MATCH", "scan:*", "COUNT", "1000"});
    cursor = text(element(page, 0));
    const redisReply& keys = element(page, 1);
    for (std::size_t index = 0; index < keys.elements; ++index) found.emplace(text(*keys.element[index]));
  } while (cursor != "0");
  require(found.size() == kKeys, "every key is found");
  require(client.call({"DBSIZE"})->integer == kKeys, "DBSIZE");
  client.call({"FLUSHDB"});
  require(client.call({"DBSIZE"})->integer == 0, "DBSIZE after FLUSHDB");
}

void expiry() {
  Client client;
  client.call({"SET", "short", "life", "PX", "50"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (client.call({"EXISTS", "short"})->integer != 0)
    require(std::chrono::steady_clock::now() < deadline, "it expires");
  require(client.call({"TTL", "short"})->integer == -2, "TTL");
}

void errors() {
  Client client;
  client.call({"SET", "text", "abc"});
  const Reply error = client.call({"INCR", "text"});
  require(error->type == REDIS_REPLY_ERROR, "an error");
  require(text(error) == "ERR value is not an integer or out of range", "its text");
  require(text(client.call({"GET", "text"})) == "abc", "the connection goes on");
}

void types() {
  Client client;
  require(client.call({"GET", "not there"})->type == REDIS_REPLY_NIL, "null");
  require(text(client.call({"INCRBYFLOAT", "float", "1.5"})) == "1.5", "INCRBYFLOAT");
  require(client.call({"CONFIG", "GET", "maxclients"})->type == REDIS_REPLY_ARRAY, "pairs");
  require(client.call({"COMMAND", "INFO", "get"})->type == REDIS_REPLY_ARRAY, "a row");
  require(client.call({"DBSIZE"})->type == REDIS_REPLY_INTEGER, "an integer");
}

void reconnect() {
  Client{}.call({"SET", "kept", "over a kill"});
  Client lost;
  std::cout << "restart" << std::endl;  // NOLINT: it must be flushed
  std::string answer;
  std::getline(std::cin, answer);
  require(answer == "restarted", "the server was started again");
  bool was_lost = false;
  try {
    lost.call({"PING"});
  } catch (const std::runtime_error&) {
    was_lost = true;
  }
  require(was_lost, "the old connection is lost");
  require(text(Client{}.call({"GET", "kept"})) == "over a kill", "what was acknowledged is there");
}

bool run(std::string_view name, const std::function<void()>& scenario) {
  try {
    scenario();
    std::cout << "ok " << name << std::endl;  // NOLINT: it must be flushed
    return true;
  } catch (const std::exception& reason) {
    std::cout << "failed " << name << ": " << reason.what() << std::endl;  // NOLINT: likewise
    return false;
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 2) return 2;
  server_port = std::atoi(arguments[1]);
  const std::pair<std::string_view, std::function<void()>> scenarios[] = {
      {"connect", connect}, {"binary", binary}, {"pipeline", pipeline},  {"transaction", transaction},
      {"watch", watch},     {"pubsub", pubsub}, {"scan", scan},          {"expiry", expiry},
      {"errors", errors},   {"types", types},   {"reconnect", reconnect}};
  const auto passed =
      std::ranges::count_if(scenarios, [](const auto& one) { return run(one.first, one.second); });
  return passed == std::ssize(scenarios) ? 0 : 1;
}
