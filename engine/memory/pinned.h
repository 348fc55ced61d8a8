// Memory that stays where it is for as long as somebody counts on it.
#pragma once

#include <atomic>
#include <cstdint>

#include <boost/smart_ptr/intrusive_ptr.hpp>

namespace shale::engine {

// The count lies in the object itself: whoever is about to read the object has then fetched the count as
// well, where std::shared_ptr would need a second word in every place that refers to it. Thread-safe.
class Pinned {
 public:
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  // How many pins there are: exact only if no other thread makes or drops one.
  std::uint32_t pin_count() const { return pin_count_.load(std::memory_order_acquire); }

 protected:
  Pinned() = default;
  virtual ~Pinned() = default;

 private:
  friend void intrusive_ptr_add_ref(const Pinned* pinned) noexcept {
    pinned->pin_count_.fetch_add(1, std::memory_order_relaxed);
  }
  friend void intrusive_ptr_release(const Pinned* pinned) noexcept {
    if (pinned->pin_count_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete pinned;
  }

  mutable std::atomic<std::uint32_t> pin_count_ = 0;
};

// Keeps a Pinned alive; the last one frees it.
using Pin = boost::intrusive_ptr<const Pinned>;

}  // namespace shale::engine
