// An engine on a simulated disk whose background work runs when the test says so: one thread, so a seed
// repeats a run. The test plays the log: what it has written, it may write again after a crash.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"
#include "engine/verification.h"

namespace shale::engine {

// What a check of a closed engine's folder says.
struct Findings {
  std::vector<std::string> problems;  // what could not be looked at included
  std::vector<std::string> remarks;
  std::uint64_t records = 0;
};

// Calls `check` with a Verification that gathers what it finds.
template <class Check>
Findings findings_of(Check check) {
  Findings findings;
  Verification verification{[&](Finding finding, const std::string& line) {
    (finding == Finding::remark ? findings.remarks : findings.problems).push_back(line);
  }};
  check(verification);
  findings.records = verification.records();
  return findings;
}

// An engine's SimulatedTree says how it is opened, closed and checked.
class SimulatedEngine {
 public:
  virtual ~SimulatedEngine() = default;

  // Background work runs in the order that `seed` draws, or by priority.
  virtual Status open(std::optional<std::uint64_t> seed) = 0;
  // What is not persisted is gone, and what waits in the background is not done.
  virtual void close() = 0;
  // Runs all background work there is. Returns whether there was an end to it.
  virtual bool settle() = 0;
  // Checks what a closed engine has on the disk.
  virtual Findings verify() const = 0;

  Status put(BytesView key, BytesView value, Lsn lsn) {
    return write(key.size() + value.size(), [&] { engine_->put(HashedKey{key}, value, lsn); });
  }
  Status erase(BytesView key, Lsn lsn) {
    return write(key.size(), [&] { engine_->erase(HashedKey{key}, lsn); });
  }
  Result<std::optional<Bytes>> get(BytesView key) {
    ReadContext context;
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        context.pins.clear();
        const auto found = engine_->get(HashedKey{key}, context);
        if (found) return *found ? std::optional<Bytes>{**found} : std::nullopt;
        if (found.error().kind != ErrorKind::not_resident) return found.error();
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // All keys from `from` on.
  Result<std::map<Bytes, Bytes>> scan(BytesView from = {}) {
    ReadContext context;
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        std::map<Bytes, Bytes> found;
        Status walked = walk(from, context, found);
        if (walked) return found;
        if (walked.error().kind != ErrorKind::not_resident) return walked.error();
      }
      for (const auto& load : context.missing) load->run();
    }
  }
  // Begins to persist what is in memory.
  void begin_flush() {
    const std::lock_guard lock{mutex_};
    engine_->flush();
  }
  // Persists it, as far as the disk allows; other background work may run, too.
  void flush() {
    begin_flush();
    while (oldest_unpersisted_lsn() && run_one()) {
    }
  }
  bool run_one() { return background_->run_one(); }
  void reclaim_obsolete(Lsn lsn) {
    const std::lock_guard lock{mutex_};
    engine_->reclaim_obsolete(lsn);
  }
  // The clock goes on by so much, and the engine is told.
  void pass(std::chrono::milliseconds time) {
    clock_.advance(time);
    const std::lock_guard lock{mutex_};
    engine_->tick();
  }
  std::int64_t unix_ms() const { return clock_.unix_ms(); }
  EngineStats stats() {
    const std::lock_guard lock{mutex_};
    return engine_->stats();
  }
  std::int64_t key_count(char count_class) {
    const std::lock_guard lock{mutex_};
    return engine_->key_count(static_cast<std::uint8_t>(count_class));
  }
  Lsn persisted_lsn() {
    const std::lock_guard lock{mutex_};
    return engine_->persisted_lsn();
  }
  std::optional<Lsn> oldest_unpersisted_lsn() {
    const std::lock_guard lock{mutex_};
    return engine_->oldest_unpersisted_lsn();
  }
  bool is_open() const { return engine_ != nullptr; }
  // For calls that take no lock themselves, where all background work runs on the caller's thread.
  Engine& engine() { return *engine_; }

 protected:
  void begin_background(std::optional<std::uint64_t> seed) {
    background_ = seed ? std::make_unique<ManualBackground>(*seed) : std::make_unique<ManualBackground>();
  }

  ManualClock clock_;
  std::unique_ptr<ManualBackground> background_;
  std::mutex mutex_;
  std::shared_ptr<Engine> engine_;

 private:
  template <class Apply>
  Status write(std::size_t bytes, Apply apply) {
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        Status admitted = engine_->admit_write(bytes);
        if (admitted) {
          apply();
          return {};
        }
        if (admitted.error().kind != ErrorKind::busy) return admitted;
      }
      if (!run_one()) return Error{ErrorKind::busy, "writes are refused, and there is no work to wait for"};
    }
  }
  Status walk(BytesView from, ReadContext& context, std::map<Bytes, Bytes>& found) {
    const auto cursor = engine_->cursor({}, context);
    Status moved = cursor->seek(from);
    std::optional<Error> lacking;  // a value; the walk goes on, so that all that lack are loaded at once
    while (moved && cursor->valid()) {
      const auto value = cursor->value();
      if (value) {
        found.emplace(cursor->key(), *value);
      } else if (value.error().kind == ErrorKind::not_resident) {
        lacking = value.error();
      } else {
        return value.error();
      }
      moved = cursor->next();
    }
    return moved && lacking ? Status{*lacking} : moved;
  }
};

}  // namespace shale::engine
