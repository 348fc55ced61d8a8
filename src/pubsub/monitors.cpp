#include "src/pubsub/monitors.h"

#include <fmt/format.h>

#include <iterator>
#include <string>

#include "src/command/redaction.h"

namespace shale::server {
namespace {

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char byte : text) {
    switch (byte) {
      case '\\':
      case '"': line += '\\', line += byte; break;
      case '\n': line += "\\n"; break;
      case '\r': line += "\\r"; break;
      case '\t': line += "\\t"; break;
      case '\a': line += "\\a"; break;
      case '\b': line += "\\b"; break;
      default:
        if (byte >= ' ' && byte <= '~') {
          line += byte;
        } else {
          fmt::format_to(std::back_inserter(line), "\\x{:02x}", static_cast<unsigned char>(byte));
        }
    }
  }
  line += '"';
}

std::string address_of(const Session& session) {
  return session.address.starts_with('/') ? "unix:" + session.local_address : session.address;
}

}  // namespace

void Monitors::add(Session& session) {
  if (session.is_monitor.exchange(true, std::memory_order_relaxed)) return;
  const std::lock_guard lock{mutex_};
  stream_->add(session.subscriber);
  count_.store(stream_->subscriber_count(), std::memory_order_relaxed);
}

void Monitors::remove(Session& session) {
  if (!session.is_monitor.exchange(false, std::memory_order_relaxed)) return;
  const std::lock_guard lock{mutex_};
  stream_->remove(session.subscriber);
  count_.store(stream_->subscriber_count(), std::memory_order_relaxed);
}

void Monitors::show(const Session& session, const CommandSpec& command,
                    std::span<const std::string_view> words, std::int64_t at_us) {
  if (command.flags.has(CommandFlag::admin)) return;
  constexpr std::int64_t kSecond = 1000'000;
  std::string line = fmt::format("{}.{:06} [{} {}]", at_us / kSecond, at_us % kSecond,
                                 session.database.load(std::memory_order_relaxed), address_of(session));
  for (const std::string_view word : redacted(command, words)) {
    line += ' ';
    append_quoted(line, word);
  }
  const SharedPush push = make_line(line);
  const std::lock_guard lock{mutex_};
  pubsub_.send(stream_, push);
}

}  // namespace shale::server
