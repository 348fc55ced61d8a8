#include "src/pubsub/push_queue.h"

#include <algorithm>
#include <utility>

namespace shale::server {
namespace {

constexpr std::size_t kKeptEntriesMax = 256;
// Sent entries are cut off the front of a longer queue.
constexpr std::size_t kSentEntriesMin = 1024;

}  // namespace

void PushQueue::add(SharedPush push, std::size_t output_bytes, protocol::Version version) {
  bytes_ += push->encoded.size();
  entries_.push_back({std::move(push), output_begin_ + output_bytes, version});
}

void PushQueue::copy_to(std::string& chunk, std::size_t offset, std::size_t chunk_bytes_max) const {
  std::size_t from = first_sent_;
  for (std::size_t at = first_; at < entries_.size() && chunk.size() < chunk_bytes_max; ++at, from = 0) {
    if (entries_[at].place > output_begin_ + offset) return;
    const std::string_view encoded = entries_[at].push->encoded;
    const std::size_t begin = chunk.size();
    chunk.append(encoded.substr(from, chunk_bytes_max - begin));
    const bool is_resp2 = entries_[at].version == protocol::Version::resp2;
    if (from == 0 && encoded.front() == '>' && is_resp2) chunk[begin] = '*';
  }
}

void PushQueue::sent(std::size_t count) {
  bytes_ -= count;
  while (count != 0) {
    const std::size_t left = entries_[first_].push->encoded.size() - first_sent_;
    if (count < left) {
      first_sent_ += count;
      return;
    }
    count -= left;
    first_sent_ = 0;
    entries_[first_++].push.reset();
  }
  if (empty()) {
    entries_.clear();
    first_ = 0;
    if (entries_.capacity() > kKeptEntriesMax)
      std::vector<Entry>().swap(entries_);  // {} would keep the memory
  } else if (first_ > kSentEntriesMin && first_ > entries_.size() / 2) {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void PushQueue::cut(std::size_t output_bytes) {
  const std::uint64_t end = output_begin_ + output_bytes;
  for (std::size_t at = first_; at < entries_.size(); ++at) {
    entries_[at].place = std::min(entries_[at].place, end);
  }
}

void PushQueue::clear() {
  std::vector<Entry>().swap(entries_);
  first_ = 0;
  first_sent_ = 0;
  bytes_ = 0;
}

}  // namespace shale::server
