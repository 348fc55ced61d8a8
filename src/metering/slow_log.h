// SLOWLOG: the newest commands that took long. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shale::server {

struct SlowCommand {
  std::int64_t id = 0;  // counts from 0 on, also over reset()
  std::int64_t unix_seconds = 0;
  std::chrono::microseconds duration{0};
  std::vector<std::string> words;  // shortened, see shorten()
  std::string client_address;
  std::string client_name;
};

class SlowLog {
 public:
  // So many entries, and no more than kBytesMax, are kept; the oldest go first.
  void set_length_max(std::size_t entries);
  static constexpr std::size_t kBytesMax = 16u << 20;

  void add(SlowCommand command);  // which gets its id here
  std::size_t length() const;
  std::vector<SlowCommand> newest(std::size_t count) const;  // the newest first
  void reset();

  // A request as Redis keeps it: at most 32 words of at most 128 bytes; the last says what was left out.
  static std::vector<std::string> shorten(std::span<const std::string_view> words);

 private:
  void drop_beyond_limits();

  mutable std::mutex mutex_;          // guards everything below
  std::deque<SlowCommand> commands_;  // the newest first
  std::size_t bytes_ = 0;             // of their words
  std::size_t length_max_ = 128;
  std::int64_t next_id_ = 0;
};

}  // namespace shale::server
