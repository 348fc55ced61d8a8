// MONITOR: clients that are shown every command that is executed. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "src/command/spec.h"
#include "src/pubsub/pubsub.h"
#include "src/session.h"

namespace shale::server {

class Monitors {
 public:
  explicit Monitors(PubSub& pubsub)
      : pubsub_(pubsub), stream_(std::make_shared<Channel>("monitor", pubsub.thread_count())) {}

  // On the client's thread. add() does nothing if it is one, remove() if it is none.
  void add(Session& session);
  void remove(Session& session);

  // Cheap.
  bool any() const { return count_.load(std::memory_order_relaxed) != 0; }
  // `session` has executed the command, all of whose words are given. Commands of administrators are not
  // shown, nor are passwords. `at_us`: Unix time in microseconds.
  void show(const Session& session, const CommandSpec& command, std::span<const std::string_view> words,
            std::int64_t at_us);

 private:
  PubSub& pubsub_;
  std::mutex mutex_;  // guards the stream's subscribers, as Channel says
  const std::shared_ptr<Channel> stream_;
  std::atomic<std::size_t> count_ = 0;
};

}  // namespace shale::server
