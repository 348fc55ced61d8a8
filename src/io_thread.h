// One I/O thread: an event loop, the connections that live on it, and what they share because only one of
// them runs at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "src/dispatcher.h"
#include "src/input_buffer.h"
#include "src/mailbox.h"
#include "src/server.h"

namespace shale::server {

class Connection;

struct AcceptedSocket {
  int descriptor = -1;
  int family = 0;    // AF_INET, AF_INET6, AF_UNIX
  std::string peer;  // as CLIENT LIST shows it
  std::string local;
  bool tls = false;  // what it has to speak
};

class IoThread {
 public:
  IoThread(unsigned index, Server& server);
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // Serves on the calling thread until stop() has been asked for and the last connection is gone.
  void run();

  // Thread-safe.
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  std::size_t connection_count() const { return connection_count_.load(std::memory_order_relaxed); }
  void adopt(AcceptedSocket accepted);
  // Connections finish the requests they are executing, send their replies and close; those that have not
  // within `grace` are closed as they are.
  void stop(std::chrono::milliseconds grace);

  // What follows is for the thread itself.
  boost::asio::io_context& context() { return context_; }
  Server& server() { return server_; }
  Dispatcher& dispatcher() { return dispatcher_; }
  ThreadCounters& counters() { return counters_; }
  // Whole seconds since the thread began; what idle times are measured with.
  std::uint64_t second() const { return second_; }
  bool stopping() const { return stopping_; }

  // Gives its connections the pushes that have arrived for them.
  void hand_out_pushes();
  // By a connection that has been given some: it will be told to send them, soon.
  void flush_later(std::shared_ptr<Connection> connection);

  std::shared_ptr<Connection> find(std::uint64_t id) const;
  void forget(std::uint64_t id);  // by a connection that has closed

  // Shared memory of the connections, at their disposal while they execute.
  static constexpr std::size_t kSharedInputBytes = 64u << 10;
  InputBuffer& shared_input() { return shared_input_; }
  std::string& shared_output() { return shared_output_; }
  std::string& push_chunk() { return push_chunk_; }
  std::unique_ptr<Batch> take_batch();
  void give_back(std::unique_ptr<Batch> batch);

 private:
  void tick();
  void begin_stop(std::chrono::milliseconds grace);
  void add_connection(AcceptedSocket accepted);
  void hand_out_to_client(const Delivery& delivery);
  void flush_pushes();
  std::vector<std::shared_ptr<Connection>> all_connections() const;

  const unsigned index_;
  Server& server_;
  ThreadCounters& counters_;
  boost::asio::io_context context_;
  std::shared_ptr<Mailbox> mailbox_;
  std::atomic<std::size_t> connection_count_ = 0;

  // Used on the thread only.
  Dispatcher dispatcher_;
  InputBuffer shared_input_{kSharedInputBytes};
  std::string shared_output_;
  std::string push_chunk_;
  std::vector<Delivery> deliveries_;  // empty but in hand_out_pushes()
  bool flush_scheduled_ = false;
  std::vector<std::shared_ptr<Connection>> to_flush_;  // in the order in which they were given pushes
  std::vector<std::unique_ptr<Batch>> spare_batches_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer stop_timer_;
  std::uint64_t second_ = 0;
  bool stopping_ = false;
};

}  // namespace shale::server
