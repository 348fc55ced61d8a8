// A client that wants to be told when keys change that it caches (CLIENT TRACKING ON), as others see it:
// those who change keys, and the threads that carry the news. The session holds it as long as tracking is on;
// the tables may hold it longer.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace shale::server {

struct TrackingOptions {
  bool broadcast = false;  // BCAST: all keys with certain prefixes, whether the client has read them or not
  bool opt_in = false;     // only what is read behind CLIENT CACHING YES
  bool opt_out = false;    // but for what is read behind CLIENT CACHING NO
  bool no_loop = false;    // not what the client changes itself
  std::uint64_t redirect = 0;              // the client that is told in its place; 0: none
  std::vector<std::string> prefixes = {};  // of BCAST; sorted. One of them empty: all keys
};

class TrackedClient {
 public:
  TrackedClient(std::uint64_t id, unsigned thread, bool broadcasts)
      : id_(id), thread_(thread), broadcasts_(broadcasts) {}

  std::uint64_t id() const { return id_; }
  unsigned thread() const { return thread_; }
  bool broadcasts() const { return broadcasts_; }

  // On the client's thread. `listener_thread`: on which the client lives that is told.
  const TrackingOptions& options() const { return options_; }
  void set_options(TrackingOptions options, unsigned listener_thread);

  // Any thread; while options change, of the old or of the new ones.
  bool no_loop() const { return no_loop_.load(std::memory_order_relaxed); }
  std::uint64_t redirect() const { return redirect_.load(std::memory_order_relaxed); }
  std::uint64_t listener() const { return redirect() != 0 ? redirect() : id_; }  // who is told
  unsigned listener_thread() const { return listener_thread_.load(std::memory_order_relaxed); }
  // Whether tracking is still on.
  bool is_active() const { return active_.load(std::memory_order_relaxed); }
  void deactivate() { active_.store(false, std::memory_order_relaxed); }
  // Whether the client that should have been told had gone.
  bool redirection_is_broken() const { return broken_.load(std::memory_order_relaxed); }
  void note_broken_redirection() const { broken_.store(true, std::memory_order_relaxed); }

 private:
  const std::uint64_t id_;
  const unsigned thread_;
  const bool broadcasts_;
  TrackingOptions options_;
  std::atomic<bool> no_loop_ = false;
  std::atomic<std::uint64_t> redirect_ = 0;
  std::atomic<unsigned> listener_thread_ = 0;
  std::atomic<bool> active_ = true;
  mutable std::atomic<bool> broken_ = false;
};

inline void TrackedClient::set_options(TrackingOptions options, unsigned listener_thread) {
  no_loop_.store(options.no_loop, std::memory_order_relaxed);
  listener_thread_.store(listener_thread, std::memory_order_relaxed);  // first: where to, then to whom
  redirect_.store(options.redirect, std::memory_order_release);
  broken_.store(false, std::memory_order_relaxed);
  options_ = std::move(options);
}

}  // namespace shale::server
