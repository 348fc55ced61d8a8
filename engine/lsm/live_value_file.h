// A value file that tables refer to, and how it goes when none does any more.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "engine/lsm/value_file.h"

namespace shale::engine::lsm {

// Every table that the manifest names, or is about to, claims the value files that its entries refer to. When
// the last holder lets go of a file without claims, `remove` is called: a new file of which no table came to
// be, or one whose tables have all been discarded. A stop leaves the claims as they are, and the files.
class LiveValueFile : public std::enable_shared_from_this<LiveValueFile> {
 public:
  using Remove = std::function<void(std::shared_ptr<const ValueFile>)>;

  LiveValueFile(std::shared_ptr<const ValueFile> file, Remove remove)
      : file_(std::move(file)), remove_(std::move(remove)) {}
  ~LiveValueFile() {
    if (claims_.load(std::memory_order_acquire) == 0) remove_(std::move(file_));
  }
  LiveValueFile(const LiveValueFile&) = delete;
  LiveValueFile& operator=(const LiveValueFile&) = delete;

  std::uint64_t number() const { return file_->number(); }
  const ValueFile& file() const { return *file_; }

  // What the records of all trees refer to, by their censuses (value_census.h).
  std::int64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  void note_live(std::int64_t change) const { live_bytes_.fetch_add(change, std::memory_order_relaxed); }

  void claim() const { claims_.fetch_add(1, std::memory_order_relaxed); }
  void unclaim() const {
    [[maybe_unused]] const std::uint32_t before = claims_.fetch_sub(1, std::memory_order_acq_rel);
    assert(before != 0);
  }

 private:
  std::shared_ptr<const ValueFile> file_;
  Remove remove_;
  mutable std::atomic<std::uint32_t> claims_ = 0;
  mutable std::atomic<std::int64_t> live_bytes_ = 0;
};

using ValueFileRef = std::shared_ptr<const LiveValueFile>;

}  // namespace shale::engine::lsm
