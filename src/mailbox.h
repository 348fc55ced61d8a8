// How other threads reach an I/O thread: what they post runs there, or not at all once the thread is gone.
// Whoever has a mailbox may outlive the thread (background jobs, the log's waiters).
#pragma once

#include <functional>
#include <mutex>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace shale::server {

class IoThread;

class Mailbox {
 public:
  Mailbox(IoThread& thread, boost::asio::io_context& context) : thread_(&thread), context_(&context) {}

  // Thread-safe.
  void post(std::function<void(IoThread&)> message) {
    const std::lock_guard lock{mutex_};
    if (thread_ == nullptr) return;
    boost::asio::post(*context_, [message = std::move(message), thread = thread_] { message(*thread); });
  }
  // From now on, what is posted is dropped.
  void close() {
    const std::lock_guard lock{mutex_};
    thread_ = nullptr;
  }

 private:
  std::mutex mutex_;  // guards what follows
  IoThread* thread_;
  boost::asio::io_context* context_;
};

}  // namespace shale::server
