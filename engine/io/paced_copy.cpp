#include "engine/io/paced_copy.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace shale::engine {
namespace {

constexpr std::uint64_t kCopyPartBytes = 1u << 20;
// Of dirty pages at a time: what a sync by others may have to write along.
constexpr std::uint64_t kCopySyncBytes = 8u << 20;

using SteadyClock = std::chrono::steady_clock;

void rest(const std::stop_token& stop, SteadyClock::duration time) {
  constexpr auto kTimeMax = std::chrono::milliseconds{200};
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock{mutex};
  wake.wait_for(lock, stop, std::min<SteadyClock::duration>(time, kTimeMax), [] { return false; });
}

}  // namespace

Status PacedCopy::check_stop() const {
  if (stop_.stop_requested()) return Error{ErrorKind::stopped, "was told to stop"};
  return {};
}

Status PacedCopy::range(const File& from, File& to, std::uint64_t offset, std::uint64_t length) {
  while (length != 0) {
    if (Status status = check_stop(); !status) return status;
    const auto begun = SteadyClock::now();
    buffer_.resize(std::min(length, kCopyPartBytes));
    if (Status read = from.read_at(offset, buffer_); !read) return read;
    if (Status written = to.write_at(offset, buffer_); !written) return written;
    const std::uint64_t unsynced = bytes_ % kCopySyncBytes + buffer_.size();
    bytes_ += buffer_.size();
    if (unsynced >= kCopySyncBytes) {
      if (Status synced = to.sync(); !synced) return synced;
      to.drop_cache(0, offset + buffer_.size());
    }
    offset += buffer_.size();
    length -= buffer_.size();
    rest(stop_, SteadyClock::now() - begun);
  }
  return {};
}

Status PacedCopy::file(const std::string& from, const std::string& to) {
  const auto source = files_.open(from);
  if (!source) return source.error();
  const auto length = (*source)->size();
  if (!length) return length.error();
  auto copy = files_.create(to);
  if (!copy) return copy.error();
  if (Status copied = range(**source, **copy, 0, *length); !copied) return copied;
  return (*copy)->sync();
}

}  // namespace shale::engine
