// Large values on their way to a client (docs/large-values.md): where in the output each belongs, and the one
// chunk of the first of them that is in memory. Used by the connection's thread; only Read::run() is for
// another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/large/large_value.h"

namespace shale::server {

// `length` bytes of a value, at least 1, that belong at `offset` of the output. The value has been opened.
struct LargeReply {
  std::size_t offset;
  std::shared_ptr<engine::LargeValue> value;
  std::uint64_t begin;
  std::uint64_t length;
};

class LargeReplies {
 public:
  // Reads the chunk that is sent next, and checks it.
  struct Read {
    std::shared_ptr<engine::LargeValue> value;
    std::uint64_t chunk;
    // Waits for the disk.
    engine::Result<std::string> run() const;
  };

  void add(std::vector<LargeReply> replies);
  bool empty() const { return replies_.empty(); }
  std::size_t count() const { return replies_.size(); }
  std::size_t offset() const { return replies_.front().offset; }  // of the first; requires !empty()

  // What can be sent of the first now; empty if it has to be read.
  std::string_view ready() const;
  void sent(std::size_t count);
  // What has to be read for that; nothing if it is being read. Answer with loaded().
  std::optional<Read> begin_read();
  void loaded(std::string chunk);
  // Gives the memory back; what has not been sent is read again.
  void drop_chunk() { std::string().swap(chunk_); }

  void cut(std::size_t output_bytes);  // the output has been cut off there
  void shift(std::size_t count);       // so many bytes of output have gone from its front
  void clear();
  std::size_t memory_bytes() const { return chunk_.capacity(); }

 private:
  std::deque<LargeReply> replies_;  // in the order of their offsets
  std::string chunk_;               // of the first; empty if it has not been read
  std::uint64_t chunk_number_ = 0;
  bool is_reading_ = false;
};

}  // namespace shale::server
