// A subscriber and a publisher at redis-server and at Shale: both hear and are answered the same.
#include <utility>

#include "tests/integration/command_differential.h"

namespace shale::integration {
namespace {

// A subscriber and a publisher, who says what.
constexpr std::pair<char, std::string_view> kConversation[] = {
    {'s', "SUBSCRIBE"},
    {'s', "SUBSCRIBE a b a"},
    {'s', "PSUBSCRIBE a* b"},
    {'s', "SSUBSCRIBE a"},
    {'p', "PUBLISH a x"},
    {'p', "PUBLISH nobody x"},
    {'p', "PUBLISH a"},
    {'p', "SPUBLISH a x"},
    {'s', "PING"},
    {'s', "PING x"},
    {'s', "PING x y"},
    {'s', "FOO"},
    {'s', "UNSUBSCRIBE nothing"},
    {'p', "PUBSUB NUMSUB a b c"},
    {'p', "PUBSUB NUMPAT"},
    {'p', "PUBSUB CHANNELS a*"},
    {'p', "PUBSUB CHANNELS x*"},
    {'p', "PUBSUB CHANNELS a b"},
    {'p', "PUBSUB SHARDCHANNELS"},
    {'p', "PUBSUB SHARDNUMSUB a b"},
    {'p', "PUBSUB FOO"},
    {'p', "PUBSUB"},
    {'p', "CLIENT GETREDIR"},
    {'p', "CLIENT TRACKINGINFO"},
    {'p', "CLIENT CACHING YES"},
    {'p', "CLIENT CACHING"},
    {'p', "CLIENT TRACKING"},
    {'p', "CLIENT TRACKING ON REDIRECT"},
    {'p', "CLIENT TRACKING ON REDIRECT abc"},
    {'p', "CLIENT TRACKING ON REDIRECT 999999"},
    {'p', "CLIENT TRACKING ON PREFIX a"},
    {'p', "CLIENT TRACKING ON BCAST OPTIN"},
    {'p', "CLIENT TRACKING ON OPTIN OPTOUT"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab"},
    {'p', "CLIENT TRACKING ON OPTIN"},
    {'p', "CLIENT TRACKING ON OPTOUT"},
    {'p', "CLIENT TRACKING ON BCAST"},
    {'p', "CLIENT CACHING NO"},
    {'p', "CLIENT CACHING MAYBE"},
    {'p', "CLIENT CACHING YES"},
    {'p', "CLIENT GETREDIR"},
    {'p', "CLIENT TRACKING OFF"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX a NOLOOP"},
    {'p', "CLIENT TRACKINGINFO"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX ab"},
    {'p', "CLIENT TRACKING ON BCAST PREFIX b"},
    {'p', "CLIENT TRACKING OFF"},
    {'p', "CONFIG SET client-output-buffer-limit \"pubsub 1 2\""},
    {'p', "CONFIG SET client-output-buffer-limit \"foo 1 2 3\""},
    {'p', "CONFIG SET client-output-buffer-limit \"pubsub 1 2 x\""},
    {'p', "CONFIG SET client-output-buffer-limit \"pubsub 16mb 8mb 60\""},
    {'p', "CONFIG GET client-output-buffer-limit"},
    {'s', "PUNSUBSCRIBE a* b"},  // which comes first without names is not said
    {'s', "SUNSUBSCRIBE a"},
    {'s', "SUNSUBSCRIBE"},
    {'s', "UNSUBSCRIBE a b"},
    {'s', "UNSUBSCRIBE"},
    {'s', "PUNSUBSCRIBE x"},
    {'s', "GET a"},
};

class PubSubDifferential : public CommandDifferential {};
INSTANTIATE_TEST_SUITE_P(Resp, PubSubDifferential, ::testing::Values(2, 3));

TEST_P(PubSubDifferential, GetsRedissRepliesAndMessages) {
  CommandConnection of_shale(shale_->port());
  CommandConnection of_redis(redis_->port());
  const std::string hello = fmt::format("HELLO {}", GetParam());
  of_shale.run(hello);
  of_redis.run(hello);
  for (const auto& [who, line] : kConversation) {
    if (who == 'p') {
      same(split_words(line));
      EXPECT_EQ(of_shale.messages(), of_redis.messages()) << line;
    } else {
      EXPECT_EQ(of_shale.run(line), of_redis.run(line)) << line;
    }
  }
}

}  // namespace
}  // namespace shale::integration
