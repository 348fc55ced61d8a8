#include "engine/testing/manual_background.h"

#include <algorithm>
#include <utility>

namespace shale::engine {

void ManualBackground::submit(Priority priority, std::function<void()> work) {
  const std::lock_guard lock{mutex_};
  if (!stopped_) items_.push_back({priority, std::move(work)});
}

void ManualBackground::stop() {
  std::vector<Item> dropped;  // destroyed without the lock: closures own things
  const std::lock_guard lock{mutex_};
  stopped_ = true;
  dropped.swap(items_);
}

bool ManualBackground::run_one() {
  std::function<void()> work;
  {
    const std::lock_guard lock{mutex_};
    if (items_.empty()) return false;
    auto item = random_ ? items_.begin() + static_cast<std::ptrdiff_t>((*random_)() % items_.size())
                        : std::min_element(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
                            return a.priority < b.priority;
                          });
    work = std::move(item->work);
    items_.erase(item);
  }
  work();
  return true;
}

std::size_t ManualBackground::run_all(std::size_t limit) {
  std::size_t count = 0;
  while (count < limit && run_one()) ++count;
  return count;
}

std::size_t ManualBackground::waiting() const {
  const std::lock_guard lock{mutex_};
  return items_.size();
}

bool ManualBackground::stopping() const {
  const std::lock_guard lock{mutex_};
  return stopped_;
}

}  // namespace shale::engine
