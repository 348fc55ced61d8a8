// Whether it is worth looking for a file's bytes in the page cache.
//
// To look where they are not makes the kernel read ahead, which takes the disk from others where memory is
// short (docs/lsm.md, "What the kernel has"). To ask first costs a system call, half as much as the read. So
// after a miss the next kCautious reads ask; if all of these are hits, the file is taken to be in memory
// until the next miss. Of a file that has one read in fifty elsewhere nearly every read asks, of one that is
// all in memory none.
#pragma once

#include <atomic>
#include <optional>

namespace shale::engine {

// Thread-safe: threads may overwrite each other's counts, which does no harm.
class ResidencyGuess {
 public:
  static constexpr unsigned kCautious = 64;

  // `ask` says whether the bytes are in memory, or nothing if the kernel cannot be asked. Where it cannot,
  // kCautious reads after a miss are left out instead.
  template <class Ask>
  bool is_worth_looking(const Ask& ask) {
    const unsigned cautious = cautious_.load(std::memory_order_relaxed);
    if (cautious == 0) return true;
    const std::optional<bool> answer = ask();
    cautious_.store(answer == false ? kCautious : cautious - 1, std::memory_order_relaxed);
    return answer.value_or(false);
  }
  // To be told when less was found than was looked for.
  void note_miss() { cautious_.store(kCautious, std::memory_order_relaxed); }

 private:
  std::atomic<unsigned> cautious_ = kCautious;  // how many of the next reads ask
};

}  // namespace shale::engine
