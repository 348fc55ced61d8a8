#include "src/large_replies.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace shale::server {

engine::Result<std::string> LargeReplies::Read::run() const {
  std::string bytes(value->chunk_bytes(chunk), '\0');
  if (auto read = value->read_chunk(chunk, bytes); !read) return read.error();
  return bytes;
}

void LargeReplies::add(std::vector<LargeReply> replies) {
  std::ranges::move(replies, std::back_inserter(replies_));
}

std::string_view LargeReplies::ready() const {
  if (chunk_.empty()) return {};
  const LargeReply& first = replies_.front();
  const auto offset = static_cast<std::size_t>(first.begin - chunk_number_ * engine::kLargeChunkBytes);
  const std::string_view rest = std::string_view{chunk_}.substr(offset);
  return rest.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), first.length)));
}

void LargeReplies::sent(std::size_t count) {
  LargeReply& first = replies_.front();
  first.begin += count;
  first.length -= count;
  const bool chunk_is_sent = first.begin == chunk_number_ * engine::kLargeChunkBytes + chunk_.size();
  if (chunk_is_sent || first.length == 0) drop_chunk();
  if (first.length == 0) replies_.pop_front();
}

std::optional<LargeReplies::Read> LargeReplies::begin_read() {
  if (is_reading_) return {};
  is_reading_ = true;
  const LargeReply& first = replies_.front();
  return Read{first.value, first.begin / engine::kLargeChunkBytes};
}

void LargeReplies::loaded(std::string chunk) {
  is_reading_ = false;
  if (replies_.empty()) return;
  chunk_ = std::move(chunk);
  chunk_number_ = replies_.front().begin / engine::kLargeChunkBytes;
}

// The first is never among them while it is being sent: what has been sent is not cut off.
void LargeReplies::cut(std::size_t output_bytes) {
  while (!replies_.empty() && replies_.back().offset >= output_bytes) replies_.pop_back();
}

void LargeReplies::shift(std::size_t count) {
  for (LargeReply& reply : replies_) reply.offset -= count;
}

void LargeReplies::clear() {
  replies_.clear();
  drop_chunk();
}

}  // namespace shale::server
