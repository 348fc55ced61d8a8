#include "src/tracking/tracking.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shale::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string invalidation(std::vector<std::string_view> keys) { return make_invalidation(keys)->encoded; }

class TrackingTest : public ::testing::Test {
 protected:
  std::shared_ptr<TrackedClient> client(std::uint64_t id, TrackingOptions options = {}) {
    auto tracked = std::make_shared<TrackedClient>(id, 0, options.broadcast);
    tracking_.begin(tracked);
    tracking_.add_prefixes(tracked, options.prefixes);
    tracked->set_options(std::move(options), 1);
    return tracked;
  }
  // "<client> <push>" for everything that has been told.
  std::vector<std::string> told() {
    std::vector<Delivery> deliveries;
    pubsub_.inbox(1).take(deliveries);
    std::vector<std::string> texts;
    for (const Delivery& delivery : deliveries) {
      texts.push_back(fmt::format("{} {}", delivery.client, delivery.push->encoded));
    }
    return texts;
  }
  void limit_keys(std::string_view count) {
    const std::string_view words[] = {"tracking-table-max-keys", count};
    ASSERT_FALSE(config_.change(words));
  }

  PubSub pubsub_{2};
  Config config_;
  Tracking tracking_{pubsub_, config_, 1u << 20};
};

TEST_F(TrackingTest, TellsAReaderOnceOfTheNextChange) {
  const auto reader = client(7);
  tracking_.note_read("a", reader);
  tracking_.note_read("a", reader);
  tracking_.note_read("b", reader);
  EXPECT_EQ(tracking_.key_count(), 2u);
  EXPECT_EQ(tracking_.item_count(), 2u);
  tracking_.note_write("a", 1);
  tracking_.note_write("a", 1);
  tracking_.note_write("c", 1);
  EXPECT_THAT(told(), ElementsAre("7 " + invalidation({"a"})));
  EXPECT_EQ(tracking_.key_count(), 1u);
}

TEST_F(TrackingTest, TellsEverybodyWhoHasReadTheKey) {
  const auto first = client(1);
  const auto second = client(2);
  tracking_.note_read("a", first);
  tracking_.note_read("a", second);
  tracking_.note_write("a", 0);
  EXPECT_THAT(told(), ElementsAre("1 " + invalidation({"a"}), "2 " + invalidation({"a"})));
}

TEST_F(TrackingTest, SparesAWriterThatDoesNotWantToHearOfItself) {
  const auto reader = client(5, {.no_loop = true});
  tracking_.note_read("a", reader);
  tracking_.note_write("a", 5);
  EXPECT_THAT(told(), IsEmpty());
  tracking_.note_read("a", reader);
  tracking_.note_write("a", 6);
  EXPECT_THAT(told(), ElementsAre("5 " + invalidation({"a"})));
}

TEST_F(TrackingTest, SendsToTheClientThatIsRedirectedTo) {
  const auto reader = client(5, {.redirect = 9});
  tracking_.note_read("a", reader);
  tracking_.note_write("a", 0);
  EXPECT_THAT(told(), ElementsAre("9 " + invalidation({"a"})));
}

TEST_F(TrackingTest, ForgetsClientsThatTrackNoLonger) {
  const auto reader = client(5);
  const auto broadcaster = client(6, {.broadcast = true, .prefixes = {"a"}});
  tracking_.note_read("a", reader);
  tracking_.end(reader);
  tracking_.end(broadcaster);
  EXPECT_FALSE(tracking_.any());
  EXPECT_FALSE(tracking_.broadcasts());
  tracking_.note_write("a", 0);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(TrackingTest, BroadcastsKeysByPrefixTogether) {
  client(1, {.broadcast = true, .prefixes = {"user:", "object:"}});
  client(2, {.broadcast = true, .prefixes = {""}});
  client(3, {.broadcast = true, .no_loop = true, .prefixes = {"user:"}});
  const std::vector<std::string_view> keys{"object:1", "other", "user:1", "user:2"};
  tracking_.broadcast(keys, 3);
  EXPECT_THAT(told(),
              ElementsAre("2 " + invalidation({"object:1", "other", "user:1", "user:2"}),
                          "1 " + invalidation({"object:1"}), "1 " + invalidation({"user:1", "user:2"})));
}

TEST_F(TrackingTest, TellsEverybodyToForgetEverythingWhenADatabaseIsEmptied) {
  const auto reader = client(1);
  client(2, {.broadcast = true, .prefixes = {"x"}});
  tracking_.note_read("a", reader);
  tracking_.note_flush();
  EXPECT_THAT(told(), ElementsAre("1 " + invalidation({}), "2 " + invalidation({})));
  EXPECT_EQ(tracking_.key_count(), 0u);
  EXPECT_EQ(tracking_.item_count(), 0u);
}

TEST_F(TrackingTest, GivesUpKeysBeyondTheLimitAndTellsOfThem) {
  const auto reader = client(1);
  for (int number = 0; number < 100; ++number) tracking_.note_read(fmt::format("k{}", number), reader);
  limit_keys("10");
  tracking_.trim();
  EXPECT_EQ(tracking_.key_count(), 10u);
  EXPECT_EQ(told().size(), 90u);
}

TEST_F(TrackingTest, GivesUpKeysBeyondItsMemory) {
  const auto reader = client(1);
  limit_keys("0");
  const std::string long_name(1000, 'x');
  for (int number = 0; number < 5000; ++number) {
    tracking_.note_read(long_name + std::to_string(number), reader);
  }
  tracking_.trim();
  EXPECT_LT(tracking_.key_count(), 1000u);
  EXPECT_GT(tracking_.key_count(), 800u);
}

TEST_F(TrackingTest, SaysThatARedirectionIsBrokenToTheClientItself) {
  const auto reader = client(5, {.redirect = 9});
  tracking_.redirection_is_broken(*reader);
  EXPECT_TRUE(reader->redirection_is_broken());
  std::vector<Delivery> deliveries;
  pubsub_.inbox(0).take(deliveries);
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].client, 5u);
  EXPECT_EQ(deliveries[0].push->encoded, ">2\r\n$21\r\ntracking-redir-broken\r\n:9\r\n");
}

}  // namespace
}  // namespace shale::server
