#include "src/metering/slow_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace shale::server {
namespace {

constexpr std::size_t kWordsMax = 32;
constexpr std::size_t kWordBytesMax = 128;

std::size_t bytes_of(const SlowCommand& command) {
  std::size_t bytes = sizeof command + command.client_address.size() + command.client_name.size();
  for (const std::string& word : command.words) bytes += sizeof word + word.size();
  return bytes;
}

}  // namespace

std::vector<std::string> SlowLog::shorten(std::span<const std::string_view> words) {
  const bool too_many = words.size() > kWordsMax;
  const auto kept = words.first(too_many ? kWordsMax - 1 : words.size());
  std::vector<std::string> shortened;
  shortened.reserve(kept.size() + 1);
  for (const std::string_view word : kept) {
    if (word.size() <= kWordBytesMax) {
      shortened.emplace_back(word);
    } else {
      shortened.push_back(
          fmt::format("{}... ({} more bytes)", word.substr(0, kWordBytesMax), word.size() - kWordBytesMax));
    }
  }
  if (too_many) shortened.push_back(fmt::format("... ({} more arguments)", words.size() - kept.size()));
  return shortened;
}

void SlowLog::set_length_max(std::size_t entries) {
  const std::lock_guard lock{mutex_};
  length_max_ = entries;
  drop_beyond_limits();
}

void SlowLog::add(SlowCommand command) {
  const std::lock_guard lock{mutex_};
  if (length_max_ == 0) return;
  command.id = next_id_++;
  bytes_ += bytes_of(command);
  commands_.push_front(std::move(command));
  drop_beyond_limits();
}

std::size_t SlowLog::length() const {
  const std::lock_guard lock{mutex_};
  return commands_.size();
}

std::vector<SlowCommand> SlowLog::newest(std::size_t count) const {
  const std::lock_guard lock{mutex_};
  const auto end = commands_.begin() + static_cast<std::ptrdiff_t>(std::min(count, commands_.size()));
  return {commands_.begin(), end};
}

void SlowLog::reset() {
  const std::lock_guard lock{mutex_};
  commands_.clear();
  bytes_ = 0;
}

void SlowLog::drop_beyond_limits() {
  while (!commands_.empty() && (commands_.size() > length_max_ || bytes_ > kBytesMax)) {
    bytes_ -= bytes_of(commands_.back());
    commands_.pop_back();
  }
}

}  // namespace shale::server
