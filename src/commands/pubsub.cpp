// Pub/sub: SUBSCRIBE and its relatives, PUBLISH, PUBSUB.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/pubsub/subscriptions.h"
#include "src/server.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

// The names of the commands, as their replies begin.
struct Words {
  std::string_view subscribe;
  std::string_view unsubscribe;
};
constexpr Words words_of(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::pattern: return {"psubscribe", "punsubscribe"};
    case ChannelKind::shard_channel: return {"ssubscribe", "sunsubscribe"};
    case ChannelKind::channel: break;
  }
  return {"subscribe", "unsubscribe"};
}

Subscriptions& subscriptions_of(CommandContext& context) {
  Session& session = context.session;
  if (!session.subscriptions) {
    session.subscriptions = std::make_unique<Subscriptions>(context.server.pubsub(), session.subscriber,
                                                            session.subscription_counts);
  }
  return *session.subscriptions;
}

// What subscribe and unsubscribe count: shard channels alone, or channels and patterns together.
std::size_t counted_with(const Subscriptions& subscriptions, ChannelKind kind) {
  if (kind == ChannelKind::shard_channel) return subscriptions.count(kind);
  return subscriptions.count(ChannelKind::channel) + subscriptions.count(ChannelKind::pattern);
}

void push_subscription(CommandContext& context, std::string_view word, std::string_view name,
                       std::size_t count) {
  context.reply.push(3);
  context.reply.bulk(word);
  context.reply.bulk(name);
  context.reply.integer(static_cast<std::int64_t>(count));
}

// One reply for each channel.
engine::Status subscribe_to(CommandContext& context, Arguments& arguments, ChannelKind kind) {
  context.replies_are_pushes = true;
  Subscriptions& subscriptions = subscriptions_of(context);
  while (!arguments.empty()) {
    const std::string_view name = arguments.take();
    if (subscriptions.memory_bytes() > context.server.memory_budget().connections / 4) {
      return reply_error(context,
                         "OOM subscriptions of one client may use a quarter of the connections' memory");
    }
    subscriptions.add(kind, name);
    push_subscription(context, words_of(kind).subscribe, name, counted_with(subscriptions, kind));
  }
  return {};
}

// One reply for each channel that is named; without any, one for each that there is, or one that says there
// is none.
engine::Status unsubscribe_from(CommandContext& context, Arguments& arguments, ChannelKind kind) {
  context.replies_are_pushes = true;
  Subscriptions& subscriptions = subscriptions_of(context);
  const std::string_view word = words_of(kind).unsubscribe;
  std::vector<std::string> names;
  if (arguments.empty()) {
    for (const std::string_view name : subscriptions.names(kind)) names.emplace_back(name);
    if (names.empty()) {
      context.reply.push(3);
      context.reply.bulk(word);
      context.reply.null();
      context.reply.integer(static_cast<std::int64_t>(counted_with(subscriptions, kind)));
    }
  }
  while (!arguments.empty()) names.emplace_back(arguments.take());
  for (const std::string& name : names) {
    subscriptions.remove(kind, name);
    push_subscription(context, word, name, counted_with(subscriptions, kind));
  }
  return {};
}

// SUBSCRIBE channel [channel ...] -> for each: "subscribe", its name, how many subscriptions there are now
engine::Status subscribe(CommandContext& context, Arguments arguments) {
  return subscribe_to(context, arguments, ChannelKind::channel);
}

// UNSUBSCRIBE [channel ...] -> for each: "unsubscribe", its name, how many subscriptions are left
engine::Status unsubscribe(CommandContext& context, Arguments arguments) {
  return unsubscribe_from(context, arguments, ChannelKind::channel);
}

// PSUBSCRIBE pattern [pattern ...] -> as SUBSCRIBE
engine::Status psubscribe(CommandContext& context, Arguments arguments) {
  return subscribe_to(context, arguments, ChannelKind::pattern);
}

// PUNSUBSCRIBE [pattern ...] -> as UNSUBSCRIBE
engine::Status punsubscribe(CommandContext& context, Arguments arguments) {
  return unsubscribe_from(context, arguments, ChannelKind::pattern);
}

// SSUBSCRIBE shardchannel [shardchannel ...] -> as SUBSCRIBE
engine::Status ssubscribe(CommandContext& context, Arguments arguments) {
  if (context.behind_commit) {
    return reply_error(context, "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  return subscribe_to(context, arguments, ChannelKind::shard_channel);
}

// SUNSUBSCRIBE [shardchannel ...] -> as UNSUBSCRIBE
engine::Status sunsubscribe(CommandContext& context, Arguments arguments) {
  return unsubscribe_from(context, arguments, ChannelKind::shard_channel);
}

// A publisher that is quicker than the subscribers' threads waits for them: it is run again in a moment.
engine::Status wait_for_threads() { return engine::Error{engine::ErrorKind::busy, {}}; }

// PUBLISH channel message -> how many subscriptions it goes to
engine::Status publish(CommandContext& context, Arguments arguments) {
  PubSub& pubsub = context.server.pubsub();
  if (pubsub.is_congested() && !context.behind_commit) return wait_for_threads();
  const std::string_view channel = arguments.take();
  return reply_integer(context, static_cast<std::int64_t>(pubsub.publish(channel, arguments.take())));
}

// SPUBLISH shardchannel message -> how many subscriptions it goes to
engine::Status spublish(CommandContext& context, Arguments arguments) {
  PubSub& pubsub = context.server.pubsub();
  if (pubsub.is_congested() && !context.behind_commit) return wait_for_threads();
  const std::string_view channel = arguments.take();
  return reply_integer(context,
                       static_cast<std::int64_t>(pubsub.publish_to_shard_channel(channel, arguments.take())));
}

engine::Status reply_names(CommandContext& context, const std::vector<std::string>& names) {
  context.reply.array(names.size());
  for (const std::string& name : names) context.reply.bulk(name);
  return {};
}

// PUBSUB CHANNELS [pattern] -> channels that somebody has subscribed to
engine::Status pubsub_channels(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 1) return reply_subcommand_error(context, arguments);
  return reply_names(context, context.server.pubsub().channels(arguments.empty() ? "*" : arguments.take()));
}

// PUBSUB SHARDCHANNELS [pattern] -> shard channels that somebody has subscribed to
engine::Status pubsub_shardchannels(CommandContext& context, Arguments arguments) {
  if (arguments.remaining() > 1) return reply_subcommand_error(context, arguments);
  return reply_names(context,
                     context.server.pubsub().shard_channels(arguments.empty() ? "*" : arguments.take()));
}

template <class Count>
engine::Status reply_subscriber_counts(CommandContext& context, Arguments& arguments, Count count) {
  context.reply.array(arguments.remaining() * 2);
  while (!arguments.empty()) {
    const std::string_view channel = arguments.take();
    context.reply.bulk(channel);
    context.reply.integer(static_cast<std::int64_t>(count(channel)));
  }
  return {};
}

// PUBSUB NUMSUB [channel ...] -> each with the number of its subscribers, patterns aside
engine::Status pubsub_numsub(CommandContext& context, Arguments arguments) {
  return reply_subscriber_counts(context, arguments, [&](std::string_view channel) {
    return context.server.pubsub().subscriber_count(channel);
  });
}

// PUBSUB SHARDNUMSUB [shardchannel ...] -> each with the number of its subscribers
engine::Status pubsub_shardnumsub(CommandContext& context, Arguments arguments) {
  return reply_subscriber_counts(context, arguments, [&](std::string_view channel) {
    return context.server.pubsub().shard_subscriber_count(channel);
  });
}

// PUBSUB NUMPAT -> how many different patterns there are
engine::Status pubsub_numpat(CommandContext& context, Arguments) {
  return reply_integer(context, static_cast<std::int64_t>(context.server.pubsub().pattern_count()));
}

// PUBSUB HELP -> lines for people
engine::Status pubsub_help(CommandContext& context, Arguments) {
  return reply_help(context, "PUBSUB",
                    {
                        "CHANNELS [<pattern>]",
                        "    Name the channels that have subscribers (default pattern: '*').",
                        "NUMPAT",
                        "    Count the different patterns that are subscribed to.",
                        "NUMSUB [<channel> ...]",
                        "    Count the subscribers of each channel, those by pattern aside.",
                        "SHARDCHANNELS [<pattern>]",
                        "    Name the shard channels that have subscribers (default pattern: '*').",
                        "SHARDNUMSUB [<shardchannel> ...]",
                        "    Count the subscribers of each shard channel.",
                    });
}

constexpr CommandFlags kSubscribes = pubsub | noscript | loading | stale;
constexpr CommandFlags kAsks = pubsub | loading | stale;

constexpr ArgumentSpec kChannels[] = {{.name = "channel", .multiple = true}};
constexpr ArgumentSpec kOptionalChannels[] = {{.name = "channel", .optional = true, .multiple = true}};
constexpr ArgumentSpec kShardChannels[] = {{.name = "shardchannel", .multiple = true}};
constexpr ArgumentSpec kOptionalShardChannels[] = {
    {.name = "shardchannel", .optional = true, .multiple = true}};
constexpr ArgumentSpec kPatterns[] = {{.name = "pattern", .type = pattern, .multiple = true}};
constexpr ArgumentSpec kOptionalPatterns[] = {
    {.name = "pattern", .type = pattern, .optional = true, .multiple = true}};
constexpr ArgumentSpec kOptionalPattern[] = {{.name = "pattern", .type = pattern, .optional = true}};
constexpr ArgumentSpec kMessage[] = {{.name = "channel"}, {.name = "message"}};
constexpr ArgumentSpec kShardMessage[] = {{.name = "shardchannel"}, {.name = "message"}};

constexpr std::string_view kPerChannel = "O(N), N being the number of channels";
constexpr std::string_view kPerSubscriber = "O(N), N being the number of subscribers and of patterns";

constexpr CommandSpec kPubsubSubcommands[] = {
    {.name = "channels",
     .arity = at_least(2),
     .flags = kAsks,
     .group = "pubsub",
     .since = "2.8.0",
     .complexity = kPerChannel,
     .summary = "Names the channels that have subscribers.",
     .arguments = kOptionalPattern,
     .handler = pubsub_channels},
    {.name = "help",
     .arity = exactly(2),
     .flags = loading | stale,
     .group = "pubsub",
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Explains the subcommands.",
     .handler = pubsub_help},
    {.name = "numpat",
     .arity = exactly(2),
     .flags = kAsks,
     .group = "pubsub",
     .since = "2.8.0",
     .complexity = "O(1)",
     .summary = "Counts the different patterns that are subscribed to.",
     .handler = pubsub_numpat},
    {.name = "numsub",
     .arity = at_least(2),
     .flags = kAsks,
     .group = "pubsub",
     .since = "2.8.0",
     .complexity = kPerChannel,
     .summary = "Counts the subscribers of channels.",
     .arguments = kOptionalChannels,
     .handler = pubsub_numsub},
    {.name = "shardchannels",
     .arity = at_least(2),
     .flags = kAsks,
     .group = "pubsub",
     .since = "7.0.0",
     .complexity = kPerChannel,
     .summary = "Names the shard channels that have subscribers.",
     .arguments = kOptionalPattern,
     .handler = pubsub_shardchannels},
    {.name = "shardnumsub",
     .arity = at_least(2),
     .flags = kAsks,
     .group = "pubsub",
     .since = "7.0.0",
     .complexity = kPerChannel,
     .summary = "Counts the subscribers of shard channels.",
     .arguments = kOptionalShardChannels,
     .handler = pubsub_shardnumsub},
};
static_assert(sorted_and_unique(kPubsubSubcommands));

constexpr CommandSpec kPubsubCommands[] = {
    {.name = "psubscribe",
     .arity = at_least(2),
     .flags = kSubscribes,
     .channels = channels_from(1, ChannelUse::pattern),
     .group = "pubsub",
     .since = "2.0.0",
     .complexity = kPerChannel,
     .summary = "Listens to the channels that match patterns.",
     .arguments = kPatterns,
     .handler = psubscribe},
    {.name = "publish",
     .arity = exactly(3),
     .flags = pubsub | loading | stale | fast,
     .channels = one_channel(1),
     .group = "pubsub",
     .since = "2.0.0",
     .complexity = kPerSubscriber,
     .summary = "Sends a message to a channel.",
     .arguments = kMessage,
     .handler = publish},
    {.name = "pubsub",
     .arity = at_least(2),
     .group = "pubsub",
     .since = "2.8.0",
     .complexity = "Depends on the subcommand",
     .summary = "The channels.",
     .subcommands = kPubsubSubcommands},
    {.name = "punsubscribe",
     .arity = at_least(1),
     .flags = kSubscribes,
     .group = "pubsub",
     .since = "2.0.0",
     .complexity = kPerChannel,
     .summary = "Listens to patterns of channels no longer.",
     .arguments = kOptionalPatterns,
     .handler = punsubscribe},
    {.name = "spublish",
     .arity = exactly(3),
     .flags = pubsub | loading | stale | fast,
     .channels = one_channel(1),
     .group = "pubsub",
     .since = "7.0.0",
     .complexity = kPerSubscriber,
     .summary = "Sends a message to a shard channel.",
     .arguments = kShardMessage,
     .handler = spublish},
    {.name = "ssubscribe",
     .arity = at_least(2),
     .flags = kSubscribes,
     .channels = channels_from(1, ChannelUse::name),
     .group = "pubsub",
     .since = "7.0.0",
     .complexity = kPerChannel,
     .summary = "Listens to shard channels.",
     .arguments = kShardChannels,
     .handler = ssubscribe},
    {.name = "subscribe",
     .arity = at_least(2),
     .flags = kSubscribes,
     .channels = channels_from(1, ChannelUse::name),
     .group = "pubsub",
     .since = "2.0.0",
     .complexity = kPerChannel,
     .summary = "Listens to channels.",
     .arguments = kChannels,
     .handler = subscribe},
    {.name = "sunsubscribe",
     .arity = at_least(1),
     .flags = kSubscribes,
     .group = "pubsub",
     .since = "7.0.0",
     .complexity = kPerChannel,
     .summary = "Listens to shard channels no longer.",
     .arguments = kOptionalShardChannels,
     .handler = sunsubscribe},
    {.name = "unsubscribe",
     .arity = at_least(1),
     .flags = kSubscribes,
     .group = "pubsub",
     .since = "2.0.0",
     .complexity = kPerChannel,
     .summary = "Listens to channels no longer.",
     .arguments = kOptionalChannels,
     .handler = unsubscribe},
};
static_assert(sorted_and_unique(kPubsubCommands));

}  // namespace

std::span<const CommandSpec> pubsub_commands() { return kPubsubCommands; }

}  // namespace shale::server
