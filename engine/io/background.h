// Background execution and time, behind a seam like files: tests run the work by hand and set the clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace shale::engine {

// Lower runs first (SILK, ATC'19: flushes before shallow compactions, shallow before deep, so that memory is
// freed and reads stay short first). Reads that clients wait for have threads of their own.
enum class Priority : std::uint8_t { client_read, flush, shallow_compaction, deep_compaction };

// A bounded set of threads that run closures. Thread-safe.
class Background {
 public:
  virtual ~Background() = default;
  // Runs `work` later on a background thread. `work` may wait for disks; it must not throw.
  // After stop() has begun, work is dropped without being run.
  virtual void submit(Priority priority, std::function<void()> work) = 0;
  // Refuses new work, drops what has not begun, waits for what is running. May be called twice.
  virtual void stop() = 0;
  // Whether stop() has begun: long work asks now and then, and gives up.
  virtual bool stopping() const = 0;
};

// `read_threads` serve only client_read; `work_threads` serve the rest in order of priority, first come first
// served within one. At least one of the work threads is never given a deep compaction, if there are two or
// more. Work threads yield the processor to others (nice 5): who waits for a reply goes first.
std::unique_ptr<Background> make_thread_background(unsigned read_threads, unsigned work_threads);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point now() const = 0;  // never goes back
  virtual std::int64_t unix_ms() const = 0;                       // wall clock, milliseconds since 1970
};
std::unique_ptr<Clock> make_system_clock();

}  // namespace shale::engine
