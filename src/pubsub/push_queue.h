// The pushes that wait to be sent to one client, each behind the replies that had been made when it came. A
// push is sent between two replies, never inside one. Used by the connection's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/reply_writer.h"
#include "src/pubsub/push.h"

namespace shale::server {

class PushQueue {
 public:
  // Behind the first `output_bytes` of the output as it is now, and in the protocol that the client speaks
  // there: it may have changed that (RESET) when the push is sent.
  void add(SharedPush push, std::size_t output_bytes, protocol::Version version);
  bool empty() const { return first_ == entries_.size(); }
  std::size_t count() const { return entries_.size() - first_; }
  // Where in the output the first belongs; requires !empty().
  std::size_t offset() const { return static_cast<std::size_t>(entries_[first_].place - output_begin_); }
  // Of those that wait: what a client that does not read keeps in memory, though others may share it.
  std::size_t bytes() const { return bytes_; }

  // Appends what comes next to `chunk` as far as it belongs at `offset` or before, until that is
  // `chunk_bytes_max` long.
  void copy_to(std::string& chunk, std::size_t offset, std::size_t chunk_bytes_max) const;
  // So many of those bytes have been sent.
  void sent(std::size_t count);

  void shift(std::size_t count) {
    output_begin_ += count;
  }                                    // so many bytes of output have gone from its front
  void cut(std::size_t output_bytes);  // the output has been cut off there
  void clear();
  // Of the queue itself.
  std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry) + bytes_; }

 private:
  struct Entry {
    SharedPush push;
    std::uint64_t place;  // in the output, counted from the connection's begin
    protocol::Version version;
  };
  std::vector<Entry> entries_;
  std::size_t first_ = 0;       // that has not been sent as a whole
  std::size_t first_sent_ = 0;  // bytes of it
  std::size_t bytes_ = 0;
  std::uint64_t output_begin_ = 0;
};

}  // namespace shale::server
