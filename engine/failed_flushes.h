// Which trees of a store could not persist what they hold, and why. What they hold takes room from all trees
// of the store: who finds none is told of the failure, instead of to wait for room that does not come.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "engine/result.h"

namespace shale::engine {

class Engine;

// Thread-safe.
class FailedFlushes {
 public:
  void note(const Engine& tree, const Error& error) {
    const std::lock_guard lock{mutex_};
    errors_.insert_or_assign(&tree, error);
  }
  // Its last flush has succeeded, or the tree goes.
  void forget(const Engine& tree) {
    const std::lock_guard lock{mutex_};
    errors_.erase(&tree);
  }
  // The failure of one of them; nothing if all persist what they hold.
  std::optional<Error> any() const {
    const std::lock_guard lock{mutex_};
    return errors_.empty() ? std::nullopt : std::optional{errors_.begin()->second};
  }

 private:
  mutable std::mutex mutex_;
  std::map<const Engine*, Error> errors_;
};

}  // namespace shale::engine
