// An engine on a simulated disk whose background work runs when the test says so: one thread, so a seed
// repeats a run. The test plays the log: what it has written, it may write again after a crash. Each engine's
// SimulatedTree opens and closes it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/engine.h"
#include "engine/testing/manual_background.h"
#include "engine/testing/manual_clock.h"

namespace shale::engine {

class SimulatedEngine {
 public:
  Status put(BytesView key, BytesView value, Lsn lsn) { return write(key, value, lsn); }
  Status erase(BytesView key, Lsn lsn) { return write(key, {}, lsn); }
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

 protected:
  SimulatedEngine() = default;
  ~SimulatedEngine() = default;

  // Background work runs in the order that `seed` draws, or by priority.
  void begin_background(std::optional<std::uint64_t> seed) {
    background_ = seed ? std::make_unique<ManualBackground>(*seed) : std::make_unique<ManualBackground>();
  }

  ManualClock clock_;
  std::unique_ptr<ManualBackground> background_;
  std::mutex mutex_;
  std::unique_ptr<Engine> engine_;

 private:
  // An empty value erases.
  Status write(BytesView key, BytesView value, Lsn lsn) {
    for (;;) {
      {
        const std::lock_guard lock{mutex_};
        Status admitted = engine_->admit_write(key.size() + value.size());
        if (admitted) {
          if (value.empty()) {
            engine_->erase(HashedKey{key}, lsn);
          } else {
            engine_->put(HashedKey{key}, value, lsn);
          }
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
