#include "src/acl/log.h"

#include <algorithm>

namespace shale::server::acl {
namespace {

// As in Redis: refusals of the same kind are one entry if so few lie between them, and so little time.
constexpr std::size_t kEntriesComparedMax = 10;
constexpr std::int64_t kSameWithinMs = 60'000;

bool is_same(const LogEntry& one, const LogEntry& other) {
  return one.reason == other.reason && one.context == other.context && one.object == other.object &&
         one.username == other.username && other.updated_at_ms - one.updated_at_ms <= kSameWithinMs;
}

}  // namespace

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::command: return "command";
    case Reason::key: return "key";
    case Reason::channel: return "channel";
    case Reason::auth: return "auth";
  }
  return "unknown";
}

std::string_view name_of(LogContext context) {
  switch (context) {
    case LogContext::toplevel: return "toplevel";
    case LogContext::multi: return "multi";
    case LogContext::lua: return "lua";
  }
  return "unknown";
}

void Log::add(LogEntry entry, std::int64_t now_ms, std::size_t entries_max) {
  refusals_[static_cast<std::size_t>(entry.reason)].fetch_add(1, std::memory_order_relaxed);
  entry.created_at_ms = entry.updated_at_ms = now_ms;
  if (entry.object.size() > kNameBytesMax) entry.object.resize(kNameBytesMax);
  if (entry.username.size() > kNameBytesMax) entry.username.resize(kNameBytesMax);

  const std::lock_guard lock{mutex_};
  const auto compared_end =
      entries_.begin() + std::min(std::ssize(entries_), std::ptrdiff_t{kEntriesComparedMax});
  const auto same = std::find_if(entries_.begin(), compared_end,
                                 [&](const LogEntry& earlier) { return is_same(earlier, entry); });
  if (same != compared_end) {
    entry.count = same->count + 1;
    entry.id = same->id;
    entry.created_at_ms = same->created_at_ms;
    entries_.erase(same);
  } else if (entries_max > 0) {
    entry.id = next_id_++;
  }
  entries_.push_front(std::move(entry));
  while (entries_.size() > entries_max) entries_.pop_back();
}

std::vector<LogEntry> Log::newest(std::size_t count) const {
  const std::lock_guard lock{mutex_};
  const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(count, entries_.size()));
  return {entries_.begin(), end};
}

void Log::clear() {
  const std::lock_guard lock{mutex_};
  entries_.clear();
}

}  // namespace shale::server::acl
