// Work on a thread of its own, whose outcome others may wait for without a thread.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/result.h"

namespace shale::cluster {

// Thread-safe.
template <class Outcome>
class BackgroundJob {
 public:
  // What came of it; nothing as long as it goes on.
  std::optional<engine::Result<Outcome>> result() const {
    const std::lock_guard lock{mutex_};
    return result_;
  }

  // Called when there is a result, by the thread that has it: at once, or later. Once.
  void when_done(std::function<void()> resume) {
    {
      const std::lock_guard lock{mutex_};
      if (!result_) {
        resume_ = std::move(resume);
        return;
      }
    }
    resume();
  }

  // For the thread that does the work, at its end.
  void finish(engine::Result<Outcome> result) {
    std::function<void()> resume;
    {
      const std::lock_guard lock{mutex_};
      result_ = std::move(result);
      resume = std::move(resume_);
    }
    if (resume) resume();
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::optional<engine::Result<Outcome>> result_;
  std::function<void()> resume_;
};

}  // namespace shale::cluster
