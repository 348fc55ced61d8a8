// Requests that no client would send: every command there is, with arguments that may or may not make sense
// to it. The server has to answer each with exactly one reply, stay, and leave a folder that is sound.
//
// RANDOM_COMMANDS_SEED repeats a run, RANDOM_COMMANDS_ROUNDS makes it longer.
#include <algorithm>
#include <random>
#include <set>

#include "tests/integration/client.h"

namespace shale::integration {
namespace {

struct Row {
  std::string name;
  std::size_t words_min = 1;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string_view text_of(const redisReply& reply) { return {reply.str, reply.len}; }

// Commands that end or bend the connection, wait, or have more replies than one; and those that lock us out.
bool is_left_out(const std::string& name) {
  static const std::set<std::string, std::less<>> kLeftOut = {
      "shutdown",     "quit",    "hello",     "reset",      "monitor",    "debug",
      "wait",         "waitaof", "subscribe", "psubscribe", "ssubscribe", "unsubscribe",
      "punsubscribe", "client",  "acl",       "auth",       "config",     "sunsubscribe"};
  return kLeftOut.contains(name);
}

// Words that commands know: options, and subcommands.
constexpr const char* kTokens[] = {"NX",
                                   "XX",
                                   "GET",
                                   "EX",
                                   "PX",
                                   "EXAT",
                                   "PXAT",
                                   "KEEPTTL",
                                   "PERSIST",
                                   "MATCH",
                                   "COUNT",
                                   "TYPE",
                                   "REPLACE",
                                   "DB",
                                   "LIMIT",
                                   "REV",
                                   "KEYS",
                                   "STORE",
                                   "BY",
                                   "ASC",
                                   "DESC",
                                   "ALPHA",
                                   "LEN",
                                   "IDX",
                                   "BYTE",
                                   "BIT",
                                   "AND",
                                   "OR",
                                   "XOR",
                                   "NOT",
                                   "WRAP",
                                   "SAT",
                                   "FAIL",
                                   "INCRBY",
                                   "SET",
                                   "GT",
                                   "LT",
                                   "ABSTTL",
                                   "DRYRUN",
                                   "AT",
                                   "ASYNC",
                                   "SYNC",
                                   "SHARDS",
                                   "SHARD",
                                   "JSON",
                                   "HISTORY",
                                   "LOG",
                                   "RING",
                                   "RANGES",
                                   "LSM",
                                   "BTREE",
                                   "MEMORY",
                                   "HELP",
                                   "LIST",
                                   "INFO",
                                   "DOCS",
                                   "GETKEYS",
                                   "GETKEYSANDFLAGS",
                                   "FILTERBY",
                                   "PATTERN",
                                   "ENCODING",
                                   "FREQ",
                                   "IDLETIME",
                                   "REFCOUNT",
                                   "USAGE",
                                   "STATS",
                                   "DOCTOR",
                                   "RESET",
                                   "LATEST",
                                   "HISTOGRAM",
                                   "GRAPH",
                                   "SLOTS",
                                   "NODES",
                                   "KEYSLOT",
                                   "MYID",
                                   "CHANNELS",
                                   "NUMSUB",
                                   "NUMPAT",
                                   "OVERFLOW",
                                   "MINMATCHLEN",
                                   "ADD",
                                   "REMOVE",
                                   "EXISTS",
                                   "FLUSH",
                                   "lsm",
                                   "btree",
                                   "WITHMATCHLEN",
                                   "GETKEYSINSLOT",
                                   "COUNTKEYSINSLOT",
                                   "SAMPLES"};

class RandomRequests {
 public:
  RandomRequests(Client& client, std::uint64_t seed) : random_(seed) {
    const Reply commands = client.command({"COMMAND"});
    for (std::size_t index = 0; index < commands->elements; ++index) {
      const redisReply& row = *commands->element[index];
      std::string name{text_of(*row.element[0])};
      const long long arity = row.element[1]->integer;
      if (!is_left_out(name)) rows_.push_back({name, static_cast<std::size_t>(arity < 0 ? -arity : arity)});
    }
  }

  const std::vector<Row>& rows() const { return rows_; }

  std::vector<std::string> next() {
    const Row& row = rows_[below(rows_.size())];
    std::vector<std::string> words{row.name};
    // Right as a rule, and wrong often enough.
    const std::size_t count = below(10) == 0 ? below(6) : row.words_min - 1 + (below(2) == 0 ? below(5) : 0);
    for (std::size_t index = 0; index < count; ++index) words.push_back(argument(index));
    return words;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }

  std::string argument(std::size_t index) {
    static const char* const kNumbers[] = {"0",
                                           "1",
                                           "-1",
                                           "2",
                                           "7",
                                           "63",
                                           "64",
                                           "100",
                                           "4294967296",
                                           "-0",
                                           "1e308",
                                           "3.25",
                                           "-2.5",
                                           "inf",
                                           "nan",
                                           "+1",
                                           "1 ",
                                           "0x1",
                                           "511",
                                           "-100",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "9223372036854775808",
                                           "536870912",
                                           "17976931348623157e292"};
    static const char* const kTexts[] = {"",       "*",    "[a",    "(z",    "-",   "+",   "u8",  "i64",
                                         "u64",    "#1",   "value", "{t}:a", "k?*", "^%$", "\\x", "a\r\nb",
                                         "[k[0-9", "@all", "OK",    "0-1",   "$1",  "x"};
    switch (below(index == 0 ? 4 : 9)) {
      case 0:
      case 1: return "key:" + std::to_string(below(12));
      case 2: return "{tag}:" + std::to_string(below(6));
      case 3: return below(3) == 0 ? token() : kTexts[below(std::size(kTexts))];
      case 4:
      case 5: return kNumbers[below(std::size(kNumbers))];
      case 6: return token();
      case 7: return kTexts[below(std::size(kTexts))];
      default: return bytes();
    }
  }
  std::string token() { return kTokens[below(std::size(kTokens))]; }
  std::string bytes() {
    std::string made(below(50) == 0 ? below(20'000) : below(40), '\0');
    for (char& byte : made) byte = static_cast<char>(random_());
    return made;
  }

  std::mt19937_64 random_;
  std::vector<Row> rows_;
};

TEST(RandomCommands, AreEachAnsweredOnceAndHarmNothing) {
  const std::uint64_t seed = number_from("RANDOM_COMMANDS_SEED", std::random_device{}());
  SCOPED_TRACE("RANDOM_COMMANDS_SEED=" + std::to_string(seed));
  ServerProcess server;
  Client client{server};
  RandomRequests requests{client, seed};
  ASSERT_GT(requests.rows().size(), 60u);

  constexpr std::size_t kPipelined = 25;
  const std::uint64_t rounds = number_from("RANDOM_COMMANDS_ROUNDS", 120);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<std::vector<std::string>> sent;
    for (std::size_t index = 0; index < kPipelined; ++index) sent.push_back(requests.next());
    for (const auto& request : sent) client.append(request);
    client.append({"DISCARD"});
    client.append({"ECHO", "end of " + std::to_string(round)});
    std::string last;
    for (std::size_t index = 0; index <= kPipelined; ++index) {
      const Reply reply = client.next_reply();
      if (reply != nullptr) continue;
      for (const std::string& word : sent[std::min(index, kPipelined - 1)]) last += word.substr(0, 60) + " ";
      FAIL() << "no reply to number " << index << " of round " << round << ", " << last << "\n"
             << server.process().output();
    }
    ASSERT_EQ(client.next_text(), "end of " + std::to_string(round));
  }
  EXPECT_EQ(client.ask("PING"), "PONG");
  EXPECT_EQ(server.stop(), 0);
  const Outcome verified = run_server({"--verify", server.folder() + "/data"});
  EXPECT_EQ(verified.exit_code, 0) << verified.output;
}

}  // namespace
}  // namespace shale::integration
