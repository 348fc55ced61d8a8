// One client's connection: receives, has requests executed, sends their replies. Lives on one I/O thread,
// which alone calls it.
//
// It waits for the socket to be readable and then receives into memory that it borrows from its thread, so
// that an idle client costs no buffer. What has arrived is parsed and executed a batch at a time, replies are
// collected and sent with one call. While a batch waits (for a disk, for the engine, for a sync of the log,
// for what its command waits for) nothing else of this client is executed or received.
//
//   I1  Replies go out in the order of the requests, and none before what it acknowledges is as durable as
//   appendfsync
//       promises.
//   I2  Bytes that a batch's arguments point to stay where they are until the batch is done, or the arguments
//   move with
//       them.
//   I3  A client that does not read its replies is not read from: what is held for it is bounded by the limit
//   plus what
//       one command adds. One that does not read its pushes is disconnected (connection_pushes.cpp).
//   I4  A push stands between two replies, behind those that had been made when it came.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "protocol/request_parser.h"
#include "src/client_buffers.h"
#include "src/dispatcher.h"
#include "src/input_buffer.h"
#include "src/io_thread.h"
#include "src/large_argument.h"
#include "src/large_replies.h"
#include "src/pubsub/push_queue.h"
#include "src/session.h"
#include "src/transport.h"

namespace shale::server {

class Connection final : public std::enable_shared_from_this<Connection>,
                         public PushReceiver,
                         public ClientBuffersOwner {
 public:
  // Asio's default executor may be any; knowing which saves an indirection per event.
  using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                  boost::asio::io_context::executor_type>;

  // `tls`: none for a client that speaks plainly.
  Connection(IoThread& thread, Socket socket, std::shared_ptr<Session> session,
             std::unique_ptr<tls::Stream> tls);
  ~Connection();

  void start();
  // At once; replies that have not been sent are lost.
  void close();
  // As soon as the requests that are being executed have been answered.
  void close_when_answered();
  // If it still waits in the wait of that number: see Session::unblockable_wait.
  void end_wait(std::uint64_t wait, WaitEnd end);
  // Once a second: closes it if it has been idle, or has not read what is sent to it, for too long.
  void sweep();

  const Session& session() const { return *session_; }
  void push(const SharedPush& push) override;
  // Sends what push() has queued. Closes the connection if too much is left.
  void flush_pushes();
  void show_buffers() override;

 private:
  // Before anything else, where the client speaks TLS (connection_tls.cpp).
  void shake_hands();
  void wait_to_shake(Socket::wait_type readiness);
  void give_up_handshake(std::string_view why);

  // Receiving.
  void wait_readable();
  void read_what_was_received();
  void on_may_read();
  void on_readable();
  void notice_hangup();
  bool make_room();
  void borrow_input();
  void return_input();
  void note_received(std::size_t bytes);

  // Receiving an argument that is too large for memory (connection_large.cpp).
  using ArrivingBulk = protocol::RequestParser::ArrivingBulk;
  bool is_large_value(const ArrivingBulk& bulk) const;
  bool begin_large_argument(const ArrivingBulk& bulk);
  void receive_large_argument();
  void write_large_block();
  void on_large_block_written();

  // Executing.
  void advance();
  bool may_execute() const { return open() && !suspended_ && !syncing_ && !backed_up_ && !closing_; }
  bool parse();
  void execute();
  void end_batch();
  void set_parser_limits();

  // Waiting: each ends in resume() with the token of that wait.
  void suspend(Progress& progress);
  void run_loads(std::uint64_t token);
  void wait_for_command(Suspension suspension, std::uint64_t token);
  void resume_after(std::chrono::microseconds pause, std::uint64_t token, bool timed_out = false);
  static std::function<void()> resume_from_anywhere(const Connection& connection, std::uint64_t token);
  void resume(std::uint64_t token, bool timed_out);
  void show_wait(std::uint64_t token);

  // Sending.
  void send();
  void send_what_may_be_seen();
  std::size_t send_bytes(std::string_view bytes);
  bool send_large_reply();
  bool send_pushes();
  void read_large_chunk();
  void on_large_chunk(engine::Result<std::string> chunk);
  bool has_caught_up();
  bool wait_for_sync();
  void on_synced(engine::Lsn lsn, const engine::Status& synced);
  void wait_writable();
  void on_sent();
  std::size_t unsent_bytes() const { return output_.size() - sent_; }  // of replies
  bool has_sent_all() const { return unsent_bytes() == 0 && pushes_.empty(); }
  void enforce_output_limits();
  std::optional<std::string> exceeded_output_limit();
  std::size_t output_bytes_max() const;
  void borrow_output();
  void return_output();

  void close_in_order();
  void fail_request(std::string_view error);
  void settle();
  bool open() const { return socket_.is_open(); }
  int descriptor() { return socket_.native_handle(); }

  // What is held in memory (connection_memory.cpp).
  void count_memory();
  bool memory_is_short(std::size_t more_bytes) const;
  std::size_t memory_bytes() const;
  std::size_t argument_bytes() const;

  static constexpr std::size_t kNothingHeld = std::numeric_limits<std::size_t>::max();

  IoThread& thread_;
  Socket socket_;
  const std::shared_ptr<Session> session_;
  Transport transport_;
  protocol::RequestParser parser_;
  std::size_t bulk_bytes_max_ = 0;  // that the parser has been told
  bool authenticated_ = true;       // likewise

  InputBuffer input_;
  bool input_borrowed_ = false;
  std::size_t parsed_bytes_ = 0;                           // of the input, by the batch
  std::unique_ptr<LargeArgument> large_argument_;          // being received: nothing else is
  std::vector<ReceivedLargeArgument> received_arguments_;  // of the request that is arriving
  std::unique_ptr<Batch> batch_;                           // being executed, or waiting
  std::string protocol_error_;                             // met behind the batch's requests

  bool shaking_hands_ = false;
  bool waits_readable_ = false;
  bool waits_writable_ = false;
  bool suspended_ = false;          // the batch waits
  bool waits_for_command_ = false;  // for what that command waits for, perhaps for ever
  bool syncing_ = false;            // the replies wait for the log
  bool backed_up_ = false;          // the client does not read its replies
  bool closing_ = false;            // when all replies have been sent
  std::uint64_t wait_token_ = 0;
  std::optional<boost::asio::steady_timer> timer_;

  std::string output_;
  LargeReplies large_replies_;                          // what belongs into it
  PushQueue pushes_;                                    // likewise
  bool flush_pending_ = false;                          // flush_pushes() will be called
  std::optional<std::uint64_t> over_soft_limit_since_;  // by IoThread::second()
  std::size_t sent_ = 0;                                // of output_
  std::size_t held_from_ = kNothingHeld;                // the reply that is for later begins here
  // What may be sent as far as appendfsync is concerned, and the number of replies behind it.
  std::size_t settled_ = 0;
  std::size_t unsettled_replies_ = 0;
  engine::Lsn synced_lsn_ = 0;  // known to be synced
  std::chrono::steady_clock::time_point sync_begun_at_;

  std::size_t counted_bytes_ = 0;     // of buffers, in the thread's counters
  std::size_t reply_bytes_peak_ = 0;  // of output_, since it was last empty, as far as it has been shown
  bool shows_nothing_held_ = false;   // so does the session
  std::uint64_t active_second_ = 0;   // when it last received or sent
};

}  // namespace shale::server
