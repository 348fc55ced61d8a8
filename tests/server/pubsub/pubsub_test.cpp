#include "src/pubsub/pubsub.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "src/pubsub/subscriptions.h"
#include "tests/server/pubsub/recording_receiver.h"

namespace shale::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string message(std::string_view channel, std::string_view payload) {
  return make_message(channel, payload)->encoded;
}

// What an I/O thread does with its inbox.
void hand_out(PubSub& pubsub, unsigned thread) {
  std::vector<Delivery> deliveries;
  pubsub.inbox(thread).take(deliveries);
  for (const Delivery& delivery : deliveries) {
    delivery.channel->hand_out(thread, delivery.message, delivery.push);
  }
}

struct Client {
  Client(PubSub& pubsub, unsigned thread) : subscriptions(pubsub, {thread, &receiver}, counts) {}

  SubscriptionCounts counts;
  RecordingReceiver receiver;
  Subscriptions subscriptions;
};

TEST(PubSub, CarriesAMessageToTheSubscribersOfEveryThread) {
  PubSub pubsub{2};
  Client first{pubsub, 0};
  Client second{pubsub, 1};
  Client other{pubsub, 1};
  first.subscriptions.add(ChannelKind::channel, "a");
  second.subscriptions.add(ChannelKind::channel, "a");
  other.subscriptions.add(ChannelKind::channel, "b");
  EXPECT_EQ(pubsub.publish("a", "x"), 2u);
  EXPECT_EQ(pubsub.publish("nobody", "x"), 0u);
  hand_out(pubsub, 0);
  hand_out(pubsub, 1);
  EXPECT_THAT(first.receiver.take(), ElementsAre(message("a", "x")));
  EXPECT_THAT(second.receiver.take(), ElementsAre(message("a", "x")));
  EXPECT_THAT(other.receiver.take(), IsEmpty());
}

TEST(PubSub, EncodesAMessageOnceForAllSubscribers) {
  PubSub pubsub{2};
  Client first{pubsub, 0};
  Client second{pubsub, 1};
  first.subscriptions.add(ChannelKind::channel, "a");
  second.subscriptions.add(ChannelKind::channel, "a");
  pubsub.publish("a", "x");
  hand_out(pubsub, 0);
  hand_out(pubsub, 1);
  EXPECT_EQ(first.receiver.received()[0], second.receiver.received()[0]);
}

TEST(PubSub, SendsAMessageForThePatternsThatMatchBehindThatOfTheChannel) {
  PubSub pubsub{1};
  Client client{pubsub, 0};
  client.subscriptions.add(ChannelKind::pattern, "n*");
  client.subscriptions.add(ChannelKind::pattern, "x*");
  client.subscriptions.add(ChannelKind::channel, "news");
  EXPECT_EQ(pubsub.publish("news", "x"), 2u);
  hand_out(pubsub, 0);
  EXPECT_THAT(client.receiver.take(),
              ElementsAre(message("news", "x"), make_pattern_message("n*", "news", "x")->encoded));
}

TEST(PubSub, KeepsShardChannelsApart) {
  PubSub pubsub{1};
  Client client{pubsub, 0};
  client.subscriptions.add(ChannelKind::shard_channel, "a");
  client.subscriptions.add(ChannelKind::pattern, "*");
  EXPECT_EQ(pubsub.publish("a", "x"), 1u);
  EXPECT_EQ(pubsub.publish_to_shard_channel("a", "y"), 1u);
  hand_out(pubsub, 0);
  EXPECT_THAT(client.receiver.take(), ElementsAre(make_pattern_message("*", "a", "x")->encoded,
                                                  make_shard_message("a", "y")->encoded));
}

TEST(PubSub, GivesASubscriberNothingFromBeforeItSubscribed) {
  PubSub pubsub{1};
  Client early{pubsub, 0};
  early.subscriptions.add(ChannelKind::channel, "a");
  pubsub.publish("a", "old");  // on its way when the other comes
  Client late{pubsub, 0};
  late.subscriptions.add(ChannelKind::channel, "a");
  pubsub.publish("a", "new");
  hand_out(pubsub, 0);
  EXPECT_THAT(early.receiver.take(), ElementsAre(message("a", "old"), message("a", "new")));
  EXPECT_THAT(late.receiver.take(), ElementsAre(message("a", "new")));
}

TEST(PubSub, GivesASubscriberThatHasLeftAndComeBackNothingFromBetween) {
  PubSub pubsub{1};
  Client client{pubsub, 0};
  client.subscriptions.add(ChannelKind::channel, "a");
  pubsub.publish("a", "x");
  client.subscriptions.remove(ChannelKind::channel, "a");  // the channel is forgotten
  client.subscriptions.add(ChannelKind::channel, "a");     // and made anew
  hand_out(pubsub, 0);
  EXPECT_THAT(client.receiver.take(), IsEmpty());
}

TEST(PubSub, ForgetsChannelsWithoutSubscribers) {
  PubSub pubsub{2};
  {
    Client client{pubsub, 1};
    for (int number = 0; number < 1000; ++number) {
      client.subscriptions.add(ChannelKind::channel, fmt::format("c{}", number));
    }
    client.subscriptions.add(ChannelKind::pattern, "p");
    client.subscriptions.add(ChannelKind::shard_channel, "s");
    EXPECT_EQ(pubsub.channel_count(), 1000u);
    EXPECT_EQ(pubsub.client_count(), 1u);
    EXPECT_GT(client.subscriptions.memory_bytes(), 1000u);
    EXPECT_FALSE(client.subscriptions.add(ChannelKind::channel, "c7"));
  }
  EXPECT_EQ(pubsub.channel_count() + pubsub.pattern_count() + pubsub.shard_channel_count(), 0u);
  EXPECT_EQ(pubsub.client_count(), 0u);
  EXPECT_FALSE(pubsub.has_listeners());
}

TEST(PubSub, NamesItsChannels) {
  PubSub pubsub{1};
  Client first{pubsub, 0};
  Client second{pubsub, 0};
  first.subscriptions.add(ChannelKind::channel, "news.a");
  first.subscriptions.add(ChannelKind::channel, "news.b");
  second.subscriptions.add(ChannelKind::channel, "news.b");
  second.subscriptions.add(ChannelKind::channel, "sport");
  second.subscriptions.add(ChannelKind::shard_channel, "shard");
  EXPECT_THAT(pubsub.channels("*"), UnorderedElementsAre("news.a", "news.b", "sport"));
  EXPECT_THAT(pubsub.channels("news.*"), UnorderedElementsAre("news.a", "news.b"));
  EXPECT_THAT(pubsub.shard_channels("*"), ElementsAre("shard"));
  EXPECT_EQ(pubsub.subscriber_count("news.b"), 2u);
  EXPECT_EQ(pubsub.subscriber_count("shard"), 0u);
  EXPECT_EQ(pubsub.shard_subscriber_count("shard"), 1u);
}

TEST(PubSub, SaysWhenAThreadDoesNotCatchUp) {
  PubSub pubsub{2};
  Client client{pubsub, 1};
  client.subscriptions.add(ChannelKind::channel, "a");
  const std::string large(1u << 20, 'x');
  pubsub.publish("a", large);
  EXPECT_FALSE(pubsub.is_congested());
  for (std::size_t sent = 0; sent < PushInbox::kBytesMax; sent += large.size()) pubsub.publish("a", large);
  EXPECT_TRUE(pubsub.is_congested());
  hand_out(pubsub, 1);
  EXPECT_FALSE(pubsub.is_congested());
}

// Publishers on several threads, subscribers on others: everybody gets all of each publisher's messages in
// its order, and all subscribers get those of a channel in the same order.
TEST(PubSub, KeepsTheOrderOfMessagesBetweenThreads) {
  constexpr int kMessages = 2000;
  PubSub pubsub{2};
  std::atomic<int> waking = 0;
  std::atomic<bool> publishing = true;
  std::vector<std::vector<std::string>> received(2);
  std::vector<std::thread> subscribers;
  std::atomic<int> ready = 0;
  for (unsigned thread = 0; thread < 2; ++thread) {
    subscribers.emplace_back([&, thread] {
      Client client{pubsub, thread};
      pubsub.inbox(thread).set_wake([&waking] { ++waking; });
      client.subscriptions.add(ChannelKind::channel, "a");
      ++ready;
      while (publishing || !pubsub.inbox(thread).empty()) hand_out(pubsub, thread);
      hand_out(pubsub, thread);
      received[thread] = client.receiver.take();
      pubsub.inbox(thread).set_wake({});
    });
  }
  while (ready != 2) std::this_thread::yield();
  std::vector<std::thread> publishers;
  for (int publisher = 0; publisher < 2; ++publisher) {
    publishers.emplace_back([&pubsub, publisher] {
      for (int number = 0; number < kMessages; ++number) {
        pubsub.publish("a", fmt::format("{}-{:05}", publisher, number));
      }
    });
  }
  for (std::thread& publisher : publishers) publisher.join();
  publishing = false;
  for (std::thread& subscriber : subscribers) subscriber.join();
  EXPECT_EQ(received[0], received[1]);
  EXPECT_GT(waking, 0);
  for (int publisher = 0; publisher < 2; ++publisher) {
    std::vector<std::string> own;
    std::ranges::copy_if(received[0], std::back_inserter(own), [&](const std::string& text) {
      return text.find(fmt::format("{}-", publisher)) != std::string::npos;
    });
    EXPECT_EQ(own.size(), std::size_t{kMessages});
    EXPECT_TRUE(std::ranges::is_sorted(own));
  }
}

}  // namespace
}  // namespace shale::server
