#include "src/pubsub/push.h"

#include <initializer_list>

#include "protocol/reply_writer.h"

namespace shale::server {
namespace {

SharedPush make_push(std::initializer_list<std::string_view> words) {
  auto push = std::make_shared<Push>();
  std::size_t bytes = 0;
  for (const std::string_view word : words) bytes += word.size() + 16;
  push->encoded.reserve(bytes);
  protocol::ReplyWriter writer{push->encoded, protocol::Version::resp3};
  writer.push(words.size());
  for (const std::string_view word : words) writer.bulk(word);
  return push;
}

void write_keys(protocol::ReplyWriter& writer, std::span<const std::string_view> keys) {
  if (keys.empty()) return writer.null();
  writer.array(keys.size());
  for (const std::string_view key : keys) writer.bulk(key);
}

}  // namespace

SharedPush make_message(std::string_view channel, std::string_view payload) {
  return make_push({"message", channel, payload});
}

SharedPush make_pattern_message(std::string_view pattern, std::string_view channel,
                                std::string_view payload) {
  return make_push({"pmessage", pattern, channel, payload});
}

SharedPush make_shard_message(std::string_view channel, std::string_view payload) {
  return make_push({"smessage", channel, payload});
}

SharedPush make_invalidation(std::span<const std::string_view> keys) {
  auto push = std::make_shared<Push>();
  protocol::ReplyWriter writer{push->encoded, protocol::Version::resp3};
  writer.push(2);
  writer.bulk("invalidate");
  write_keys(writer, keys);
  return push;
}

SharedPush make_invalidation_message(std::span<const std::string_view> keys) {
  auto push = std::make_shared<Push>();
  protocol::ReplyWriter writer{push->encoded, protocol::Version::resp2};
  writer.push(3);
  writer.bulk("message");
  writer.bulk("__redis__:invalidate");
  write_keys(writer, keys);
  return push;
}

SharedPush make_broken_redirection(std::uint64_t client) {
  auto push = std::make_shared<Push>();
  protocol::ReplyWriter writer{push->encoded, protocol::Version::resp3};
  writer.push(2);
  writer.bulk("tracking-redir-broken");
  writer.integer(static_cast<std::int64_t>(client));
  return push;
}

SharedPush make_line(std::string_view text) {
  auto push = std::make_shared<Push>();
  protocol::ReplyWriter{push->encoded, protocol::Version::resp3}.simple_string(text);
  return push;
}

}  // namespace shale::server
