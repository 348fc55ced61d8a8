// Background work on real threads, and the machine's own clock.
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "engine/io/background.h"

namespace shale::engine {
namespace {

using Work = std::function<void()>;

// Who waits for a reply goes first, but other programs must not starve what keeps writers from being slowed
// (docs/lsm.md, "Back-pressure").
constexpr int kWorkNice = 2;
constexpr std::size_t kPriorityCount = 4;
static_assert(static_cast<std::size_t>(Priority::deep_compaction) + 1 == kPriorityCount);

class ThreadBackground final : public Background {
 public:
  ThreadBackground(unsigned read_threads, unsigned work_threads) : reads_apart_(read_threads > 0) {
    for (unsigned i = 0; i < read_threads; ++i) {
      start(Priority::client_read, Priority::client_read);
    }
    for (unsigned i = 0; i < work_threads; ++i) {
      // Without threads of their own reads go first everywhere. The first of several work threads keeps away
      // from deep compactions: they take minutes, and a flush that waits for one stops the writers.
      start(read_threads == 0 ? Priority::client_read : Priority::flush,
            i == 0 && work_threads > 1 ? Priority::shallow_compaction : Priority::deep_compaction);
    }
  }
  ~ThreadBackground() override { stop(); }

  void submit(Priority priority, Work work) override {
    {
      const std::lock_guard lock{mutex_};
      if (stopping_) return;
      waiting_[static_cast<std::size_t>(priority)].push_back(std::move(work));
    }
    // A read wakes one of the threads that take nothing else. Other work wakes all: who sleeps may be the one
    // thread that must not take it.
    if (priority == Priority::client_read && reads_apart_) {
      read_added_.notify_one();
    } else {
      work_added_.notify_all();
    }
  }

  bool stopping() const override { return stopping_.load(std::memory_order_relaxed); }

  void stop() override {
    const std::lock_guard one_at_a_time{stop_mutex_};
    {
      std::array<std::deque<Work>, kPriorityCount>
          dropped;  // destroyed without the lock: closures own things
      const std::lock_guard lock{mutex_};
      stopping_ = true;
      dropped.swap(waiting_);
    }
    read_added_.notify_all();
    work_added_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void start(Priority first, Priority last) {
    threads_.emplace_back([this, first, last] {
      // On Linux a priority is a thread's own. Failure changes nothing but who waits.
      if (first != Priority::client_read) static_cast<void>(::setpriority(PRIO_PROCESS, 0, kWorkNice));
      serve(first, last);
    });
  }

  // Runs work of the priorities first..last until stop().
  void serve(Priority first, Priority last) {
    std::condition_variable& added = last == Priority::client_read ? read_added_ : work_added_;
    std::unique_lock lock{mutex_};
    while (!stopping_) {
      Work work = take(first, last);
      if (!work) {
        added.wait(lock);
        continue;
      }
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }

  Work take(Priority first, Priority last) {
    for (auto p = static_cast<std::size_t>(first); p <= static_cast<std::size_t>(last); ++p) {
      if (waiting_[p].empty()) continue;
      Work work = std::move(waiting_[p].front());
      waiting_[p].pop_front();
      return work;
    }
    return nullptr;
  }

  const bool reads_apart_;
  std::mutex stop_mutex_;             // held by stop(); guards threads_ after construction
  std::vector<std::thread> threads_;  // last to first: started in the constructor, joined by stop()

  std::mutex mutex_;  // guards everything below
  std::condition_variable read_added_;
  std::condition_variable work_added_;
  std::array<std::deque<Work>, kPriorityCount> waiting_;
  std::atomic<bool> stopping_ = false;  // written under the mutex
};

class SystemClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return std::chrono::steady_clock::now(); }
  std::int64_t unix_ms() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  }
};

}  // namespace

std::unique_ptr<Background> make_thread_background(unsigned read_threads, unsigned work_threads) {
  return std::make_unique<ThreadBackground>(read_threads, work_threads);
}

std::unique_ptr<Clock> make_system_clock() { return std::make_unique<SystemClock>(); }

}  // namespace shale::engine
