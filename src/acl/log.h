// ACL LOG: the last refusals, and how many there were. What is refused again soon only raises a count.
// Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace shale::server::acl {

enum class Reason : std::uint8_t { command, key, channel, auth };
constexpr std::size_t kReasonCount = 4;
enum class LogContext : std::uint8_t { toplevel, multi, lua };

std::string_view name_of(Reason reason);
std::string_view name_of(LogContext context);

struct LogEntry {
  std::int64_t count = 1;
  Reason reason = Reason::command;
  LogContext context = LogContext::toplevel;
  std::string object;    // the command, key or channel
  std::string username;  // who the client was, or wanted to be
  std::string client;    // the last one's line of CLIENT LIST
  std::int64_t id = 0;
  std::int64_t created_at_ms = 0;  // Unix milliseconds
  std::int64_t updated_at_ms = 0;
};

class Log {
 public:
  // Of longer names of objects and users only so much is kept.
  static constexpr std::size_t kNameBytesMax = 1024;

  // `entry` as of now, with count 1; at most `entries_max` are kept, the newest.
  void add(LogEntry entry, std::int64_t now_ms, std::size_t entries_max);
  std::vector<LogEntry> newest(std::size_t count) const;
  void clear();
  // Since the start.
  std::int64_t refusals(Reason reason) const {
    return refusals_[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::int64_t>, kReasonCount> refusals_{};
  mutable std::mutex mutex_;      // guards what follows
  std::deque<LogEntry> entries_;  // the newest first
  std::int64_t next_id_ = 0;
};

}  // namespace shale::server::acl
