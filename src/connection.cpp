#include "src/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include <boost/asio/post.hpp>

#include "protocol/reply_writer.h"
#include "src/admission.h"
#include "src/client_transaction.h"
#include "src/error_message.h"
#include "src/pubsub/subscriptions.h"
#include "src/tracking/session_tracking.h"

namespace shale::server {
namespace {

// A request that has begun to arrive is copied into the thread's buffer, to be received further there, up to
// this size.
constexpr std::size_t kBorrowBelowBytes = 8u << 10;
constexpr std::size_t kOwnInputBytesMin = 1024;
// Output memory up to this size is kept by the thread for the next connection.
constexpr std::size_t kSharedOutputBytesMax = 256u << 10;
constexpr std::size_t kOutputBytesMin = 64u << 10;
// What was sent is cut off the front of longer outputs.
constexpr std::size_t kSentBytesKeptMax = 64u << 10;
// Pauses that engines ask for are collected up to this, because a timer costs more than they do.
constexpr std::chrono::microseconds kShortestPause{1000};
constexpr std::chrono::microseconds kLoadPause{1000};
constexpr std::uint64_t kClosingSecondsMax = 10;
constexpr std::uint64_t kHandshakeSecondsMax = 5;
constexpr int kDrainReadsMax = 64;
constexpr std::string_view kRequestTooLong =
    "request exceeds the memory that connections may use; see option memory";

std::size_t smaller(std::int64_t option_bytes, std::uint64_t budget_bytes) {
  return static_cast<std::size_t>(std::min(static_cast<std::uint64_t>(option_bytes), budget_bytes));
}

// Runs it in the background, a long one with others' in between; then calls `ran` there.
void run_load(engine::Background& background, std::shared_ptr<engine::Load> load, std::function<void()> ran) {
  auto run = [&background, load = std::move(load), ran = std::move(ran)]() mutable {
    load->run();
    if (!load->done()) return run_load(background, std::move(load), std::move(ran));
    load.reset();
    ran();
  };
  background.submit(engine::Priority::client_read, std::move(run));
}

}  // namespace

Connection::Connection(IoThread& thread, Socket socket, std::shared_ptr<Session> session,
                       std::unique_ptr<tls::Stream> tls)
    : thread_(thread),
      socket_(std::move(socket)),
      session_(std::move(session)),
      transport_(socket_.native_handle(), std::move(tls)),
      active_second_(thread.second()) {
  session_->subscriber.receiver = this;
  session_->buffers_owner = this;
}

Connection::~Connection() { thread_.counters().buffer_bytes.add(-static_cast<std::int64_t>(counted_bytes_)); }

void Connection::start() {
  const Config& config = thread_.server().config();
  if (socket_.local_endpoint().protocol().family() != AF_UNIX) {
    const int no_delay = config.enabled(Option::tcp_nodelay) ? 1 : 0;
    setsockopt(descriptor(), IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    // As Redis does it: silent for the time given, then three probes within as long again.
    if (const int idle_s = static_cast<int>(config.number(Option::tcp_keepalive)); idle_s > 0) {
      const int on = 1;
      const int interval_s = std::max(1, idle_s / 3);
      const int probes = 3;
      setsockopt(descriptor(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      setsockopt(descriptor(), IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
      setsockopt(descriptor(), IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
      setsockopt(descriptor(), IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    }
  }
  count_memory();
  if (transport_.tls() != nullptr) return shake_hands();
  wait_readable();
}

void Connection::close() {
  if (!open()) return;
  const auto self = shared_from_this();
  if (batch_) thread_.give_back(std::move(batch_));
  input_.consume(input_.unread().size());
  return_input();
  large_argument_.reset();
  received_arguments_.clear();
  large_replies_.clear();
  session_->subscriptions.reset();
  thread_.server().monitors().remove(*session_);
  end_tracking(thread_.server(), *session_);
  pushes_.clear();
  session_->transaction.reset();
  if (suspended_ || syncing_) thread_.counters().suspended_connections.add(-1);
  timer_.reset();
  // Forgotten first: whoever sees the connection end does not find its client listed.
  thread_.forget(session_->id);
  boost::system::error_code ignored;
  socket_.close(ignored);
}

// The peer gets what has been sent: closing a socket while bytes that it has received are unread would reset
// it.
void Connection::close_in_order() {
  transport_.end_sending();
  char unread[4096];
  for (int reads = 0; reads<kDrainReadsMax&& ::recv(descriptor(), unread, sizeof unread, MSG_DONTWAIT)> 0;)
    ++reads;
  close();
}

void Connection::close_when_answered() {
  if (!batch_ && has_sent_all()) close();
}

void Connection::sweep() {
  const auto idle_seconds = thread_.second() - active_second_;
  const auto timeout = static_cast<std::uint64_t>(thread_.server().config().number(Option::timeout));
  if (shaking_hands_ && idle_seconds > kHandshakeSecondsMax) return give_up_handshake("it takes too long");
  // Who listens need not speak.
  const bool listens = session_->is_subscribed() || session_->is_monitor.load(std::memory_order_relaxed);
  const bool may_be_idle = suspended_ || syncing_ || listens;
  const bool idle = timeout != 0 && idle_seconds > timeout && !may_be_idle;
  if (idle || (closing_ && idle_seconds > kClosingSecondsMax)) return close();
  enforce_output_limits();
}

// --- Receiving

void Connection::wait_readable() {
  if (waits_readable_) return;
  waits_readable_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](boost::system::error_code failed) {
    self->waits_readable_ = false;
    if (!failed) self->on_may_read();
  });
}

// For what the transport holds although the socket has no more.
void Connection::read_what_was_received() {
  if (waits_readable_) return;
  waits_readable_ = true;
  boost::asio::post(thread_.context(), [self = shared_from_this()] {
    self->waits_readable_ = false;
    self->on_may_read();
  });
}

void Connection::on_may_read() {
  if (!open()) return;
  if (may_execute()) {
    on_readable();
  } else {
    notice_hangup();
  }
}

// A client that has gone waits for nothing. One that has sent more is looked at when its turn comes.
void Connection::notice_hangup() {
  if (transport_.peer_has_gone()) close();
}

void Connection::on_readable() {
  if (large_argument_ != nullptr) return receive_large_argument();
  const auto bulk = parser_.arriving_bulk();
  if (bulk && begin_large_argument(*bulk)) return receive_large_argument();
  if (!make_room()) return fail_request(fmt::format("ERR {}", kRequestTooLong));
  const auto room = input_.room();
  const ssize_t received = transport_.receive(room);
  if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR)) return close();
  if (received > 0) {
    input_.commit(static_cast<std::size_t>(received));
    note_received(static_cast<std::size_t>(received));
    advance();
  } else {
    if (transport_.wants_write()) wait_writable();
    settle();
  }
}

void Connection::note_received(std::size_t bytes) {
  thread_.counters().input_bytes.add(static_cast<std::int64_t>(bytes));
  thread_.counters().receives.add();
  session_->bytes_in.store(session_->bytes_in.load(std::memory_order_relaxed) + bytes,
                           std::memory_order_relaxed);
  active_second_ = thread_.second();
}

// Room for the next bytes: the thread's memory, or, for a request that is too long for it, memory of its own
// that grows with what has arrived, not with what was announced. False if there is too much already.
bool Connection::make_room() {
  const std::size_t wanted = parser_.bytes_wanted();
  if (input_.unread().size() < kBorrowBelowBytes && wanted <= IoThread::kSharedInputBytes) {
    borrow_input();
    return true;
  }
  const std::size_t arrived = input_.unread().size();
  const Server& server = thread_.server();
  const std::size_t request_bytes_max =
      smaller(thread_.server().config().number(Option::client_query_buffer_limit),
              server.memory_budget().connections);
  const std::size_t growth = std::max(2 * arrived, IoThread::kSharedInputBytes);
  const std::size_t capacity = std::clamp(wanted, arrived + kOwnInputBytesMin, growth);
  if (capacity > input_.capacity()) {
    if (capacity > request_bytes_max + kBorrowBelowBytes) {
      thread_.counters().query_limit_disconnections.add();
      return false;
    }
    if (capacity > IoThread::kSharedInputBytes && memory_is_short(capacity - input_.capacity())) return false;
  }
  input_.reserve(capacity);
  return true;
}

void Connection::borrow_input() {
  InputBuffer& shared = thread_.shared_input();
  if (shared.capacity() < IoThread::kSharedInputBytes) shared = InputBuffer{IoThread::kSharedInputBytes};
  shared.append(input_.unread());
  std::swap(input_, shared);
  shared = {};
  input_borrowed_ = true;
}

// Keeps what is unread in memory of its own; a waiting batch's arguments move with it.
void Connection::return_input() {
  if (!input_borrowed_) {
    if (input_.empty()) input_ = {};
    return;
  }
  input_borrowed_ = false;
  InputBuffer own;
  const std::string_view unread = input_.unread();
  if (!unread.empty()) {
    own.reserve(std::max(unread.size(), kOwnInputBytesMin));
    own.append(unread);
    if (batch_) {
      for (std::string_view& argument : batch_->arguments) {
        if (argument.data() < unread.data() || argument.data() > unread.data() + unread.size()) continue;
        argument =
            own.unread().substr(static_cast<std::size_t>(argument.data() - unread.data()), argument.size());
      }
    }
  }
  std::swap(input_, own);
  own.consume(own.unread().size());
  thread_.shared_input() = std::move(own);
}

// --- Executing

// Goes on as far as it can: executes what has arrived, sends the replies, waits for what comes next.
void Connection::advance() {
  do {
    while (may_execute() && (batch_ || parse())) execute();
    if (!protocol_error_.empty() && may_execute()) return fail_request("ERR " + protocol_error_);
    send();
  } while (has_caught_up());
  settle();
}

// Whether there is a new batch.
bool Connection::parse() {
  if (thread_.stopping() || !protocol_error_.empty()) return false;
  set_parser_limits();
  auto batch = thread_.take_batch();
  // Who has to authenticate may do so in any request, and from then on other limits hold.
  const std::size_t requests_max = authenticated_ ? Dispatcher::kBatchRequestsMax : 1;
  parsed_bytes_ = 0;
  while (batch->requests.size() < requests_max) {
    const std::size_t first_argument = batch->arguments.size();
    const auto outcome = parser_.next(input_.unread().substr(parsed_bytes_), batch->arguments);
    parsed_bytes_ += parser_.consumed();
    if (outcome == protocol::RequestParser::Outcome::request) {
      for (ReceivedLargeArgument& large : received_arguments_) {
        batch->large_arguments.push_back({first_argument + large.index, std::move(large.value)});
      }
      received_arguments_.clear();
      Dispatcher::add_request(*batch, first_argument);
      continue;
    }
    if (outcome == protocol::RequestParser::Outcome::error) protocol_error_ = parser_.error();
    break;
  }
  if (batch->requests.empty()) {
    input_.consume(parsed_bytes_);
    // Said before it is sent.
    const auto bulk = parser_.arriving_bulk();
    const bool is_too_long = bulk && bulk->bytes > thread_.server().memory_budget().connections / 2;
    if (is_too_long && !is_large_value(*bulk)) protocol_error_ = kRequestTooLong;
    thread_.give_back(std::move(batch));
    return false;
  }
  batch_ = std::move(batch);
  return true;
}

void Connection::set_parser_limits() {
  const Config& config = thread_.server().config();
  const auto bulk_bytes_max = static_cast<std::size_t>(config.number(Option::proto_max_bulk_len));
  if (bulk_bytes_max != bulk_bytes_max_) {
    bulk_bytes_max_ = bulk_bytes_max;
    parser_.set_limits({.bulk_bytes_max = bulk_bytes_max});
  }
  const bool authenticated = is_authenticated(thread_.server(), *session_);
  if (authenticated != authenticated_) {
    authenticated_ = authenticated;
    parser_.set_authenticated(authenticated);
  }
}

void Connection::execute() {
  borrow_output();
  const std::size_t limit = output_bytes_max();
  Progress progress = thread_.dispatcher().execute(*batch_, *session_, output_, sent_ + limit);
  unsettled_replies_ += progress.replies;
  large_replies_.add(std::move(progress.large_replies));
  switch (progress.wait) {
    case Progress::Wait::nothing: end_batch(); break;
    case Progress::Wait::output: break;
    case Progress::Wait::pushes:
      thread_.hand_out_pushes();
      if (batch_->done()) end_batch();
      break;
    case Progress::Wait::disconnect:
      end_batch();
      closing_ = true;
      return;
    default: suspend(progress); return;
  }
  if (unsent_bytes() > limit || !large_replies_.empty()) {
    send();
    backed_up_ = open() && (unsent_bytes() > limit || !large_replies_.empty());
  }
  if (progress.write_delay >= kShortestPause && open()) {
    Progress pause;
    pause.wait = Progress::Wait::retry;
    pause.pause = progress.write_delay;
    thread_.server().metering().note_event(latency_event::kWriteDelay, progress.write_delay);
    suspend(pause);
  }
}

void Connection::end_batch() {
  thread_.give_back(std::move(batch_));
  input_.consume(parsed_bytes_);
  parsed_bytes_ = 0;
  parser_.release();
}

// --- Waiting

void Connection::suspend(Progress& progress) {
  if (!syncing_) thread_.counters().suspended_connections.add();
  suspended_ = true;
  waits_for_command_ = progress.wait == Progress::Wait::suspension;
  const std::uint64_t token = ++wait_token_;
  if (waits_for_command_) show_wait(token);
  switch (progress.wait) {
    case Progress::Wait::loads: run_loads(token); break;
    case Progress::Wait::suspension: wait_for_command(std::move(*progress.suspension), token); break;
    case Progress::Wait::delay: held_from_ = progress.held_from; [[fallthrough]];
    default: resume_after(progress.pause, token); break;
  }
}

// So that others see it, and end it if that is theirs to do.
void Connection::show_wait(std::uint64_t token) {
  const CommandFlags flags = batch_->requests[batch_->next].command.spec->flags;
  session_->is_blocked.store(token != 0, std::memory_order_relaxed);
  session_->postponed_wait.store(batch_->postponed ? token : 0);
  session_->unblockable_wait.store(!batch_->postponed && flags.has(CommandFlag::blocking) ? token : 0);
}

void Connection::end_wait(std::uint64_t wait, WaitEnd end) {
  if (!open() || !suspended_ || wait != wait_token_) return;
  if (batch_) batch_->unblocked = end == WaitEnd::error;
  resume(wait, end == WaitEnd::timeout);
}

void Connection::run_loads(std::uint64_t token) {
  const std::size_t count = batch_->loads.size() - batch_->loads_begun;
  if (count == 0) return resume_after(kLoadPause, token);
  // Shared by the loads: the last one to have run ends the wait.
  struct Round {
    Round(std::size_t count_to_run, std::function<void()> then)
        : to_run(count_to_run), resume(std::move(then)) {}
    std::atomic<std::size_t> to_run;
    std::function<void()> resume;
  };
  const auto round = std::make_shared<Round>(count, resume_from_anywhere(*this, token));
  for (; batch_->loads_begun < batch_->loads.size(); ++batch_->loads_begun) {
    auto load = batch_->loads[batch_->loads_begun];
    run_load(thread_.server().background(), std::move(load), [round] {
      if (round->to_run.fetch_sub(1, std::memory_order_acq_rel) == 1) round->resume();
    });
  }
}

void Connection::wait_for_command(Suspension suspension, std::uint64_t token) {
  if (suspension.timeout) resume_after(*suspension.timeout, token, true);
  suspension.begin(resume_from_anywhere(*this, token));
}

// Safe to call whenever and wherever, also when the connection or its thread are gone.
std::function<void()> Connection::resume_from_anywhere(const Connection& connection, std::uint64_t token) {
  return [mailbox = connection.thread_.mailbox(), id = connection.session_->id, token] {
    mailbox->post([id, token](IoThread& thread) {
      if (const auto found = thread.find(id)) found->resume(token, false);
    });
  };
}

void Connection::resume_after(std::chrono::microseconds pause, std::uint64_t token, bool timed_out) {
  if (!timer_) timer_.emplace(thread_.context());
  timer_->expires_after(pause);
  timer_->async_wait([self = shared_from_this(), token, timed_out](boost::system::error_code cancelled) {
    if (!cancelled) self->resume(token, timed_out);
  });
}

void Connection::resume(std::uint64_t token, bool timed_out) {
  if (!open() || !suspended_ || token != wait_token_) return;
  suspended_ = false;
  if (std::exchange(waits_for_command_, false)) show_wait(0);
  if (!syncing_) thread_.counters().suspended_connections.add(-1);
  if (timer_) timer_->cancel();
  held_from_ = kNothingHeld;
  if (batch_ && timed_out && !batch_->postponed) batch_->timed_out = true;
  active_second_ = thread_.second();
  advance();
}

// --- Sending

// Sends as much as the socket takes now; the rest when it is writable again.
void Connection::send() {
  if (!open()) return;
  if (!waits_writable_) send_what_may_be_seen();
  if (!open() || !has_sent_all()) return;
  return_output();
  const bool answered = !batch_ && !suspended_ && !syncing_;
  if (answered && (closing_ || thread_.stopping())) close_in_order();
}

void Connection::send_what_may_be_seen() {
  if (has_sent_all()) return;
  if (unsent_bytes() != 0 && !wait_for_sync()) {
    settled_ = output_.size();
    unsettled_replies_ = 0;
  }
  const std::size_t end = std::min(held_from_, settled_);
  for (bool more = true; more && open();) {
    const std::size_t push_at = pushes_.empty() ? kNothingHeld : pushes_.offset();
    if (sent_ >= std::min(end, push_at)) {
      if (sent_ < push_at) return;
      more = send_pushes();
      continue;
    }
    std::size_t part_end = std::min(end, push_at);
    if (!large_replies_.empty()) part_end = std::min(part_end, large_replies_.offset());
    if (sent_ < part_end) {
      sent_ += send_bytes({output_.data() + sent_, part_end - sent_});
      more = sent_ == part_end;
      if (!more && open()) wait_writable();
    } else {
      more = send_large_reply();
    }
  }
}

// How many of them the socket has taken; closes the connection if it is broken.
std::size_t Connection::send_bytes(std::string_view bytes) {
  const ssize_t count = transport_.send(bytes);
  if (count < 0 && errno != EAGAIN && errno != EINTR) close();
  if (count <= 0) return 0;
  thread_.counters().output_bytes.add(count);
  thread_.counters().sends.add();
  session_->bytes_out.store(
      session_->bytes_out.load(std::memory_order_relaxed) + static_cast<std::size_t>(count),
      std::memory_order_relaxed);
  return static_cast<std::size_t>(count);
}

// Under appendfsync always, what acknowledges a write is not sent before that write is synced. What has been
// executed since is held back with it: order is all that a client can rely on.
bool Connection::wait_for_sync() {
  if (syncing_) return true;
  engine::Log& log = thread_.server().store().log();
  const engine::Lsn lsn = session_->last_write_lsn;
  if (lsn <= synced_lsn_ || log.sync_mode() != engine::SyncMode::always) return false;
  if (lsn <= log.synced_lsn()) {
    synced_lsn_ = lsn;
    return false;
  }
  syncing_ = true;
  sync_begun_at_ = std::chrono::steady_clock::now();
  if (!suspended_) thread_.counters().suspended_connections.add();
  log.when_synced(lsn, [mailbox = thread_.mailbox(), id = session_->id, lsn](engine::Status synced) {
    mailbox->post([id, lsn, synced = std::move(synced)](IoThread& thread) {
      if (const auto found = thread.find(id)) found->on_synced(lsn, synced);
    });
  });
  return true;
}

void Connection::on_synced(engine::Lsn lsn, const engine::Status& synced) {
  if (!open() || !syncing_) return;
  syncing_ = false;
  thread_.server().metering().note_event(latency_event::kSync,
                                         std::chrono::steady_clock::now() - sync_begun_at_);
  if (!suspended_) thread_.counters().suspended_connections.add(-1);
  // Synced or lost for good: there is nothing more to wait for.
  synced_lsn_ = lsn;
  if (!synced) {
    log_failure(synced.error());
    output_.resize(settled_);
    large_replies_.cut(settled_);
    pushes_.cut(settled_);
    held_from_ = kNothingHeld;
    const std::string error = client_message(synced.error(), Failed::write);
    for (; unsettled_replies_ > 0; --unsettled_replies_) output_ += fmt::format("-{}\r\n", error);
  }
  advance();
}

void Connection::wait_writable() {
  if (waits_writable_) return;
  waits_writable_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](boost::system::error_code failed) {
    self->waits_writable_ = false;
    if (!failed && self->open()) self->on_sent();
  });
}

void Connection::on_sent() {
  if (transport_.wants_write() && may_execute()) return on_readable();
  const std::size_t unsent_before = unsent_bytes() + pushes_.bytes();
  send();
  if (!open()) return;
  if (unsent_bytes() + pushes_.bytes() < unsent_before) active_second_ = thread_.second();
  if (sent_ > kSentBytesKeptMax && sent_ > output_.size() / 2) {
    if (held_from_ != kNothingHeld) held_from_ -= sent_;
    settled_ -= sent_;
    large_replies_.shift(sent_);
    pushes_.shift(sent_);
    output_.erase(0, sent_);
    sent_ = 0;
  }
  advance();
}

// Whether the client has read so much that its next commands may be executed, which they could not be.
bool Connection::has_caught_up() {
  if (!open() || !backed_up_ || !large_replies_.empty()) return false;
  if (unsent_bytes() > output_bytes_max() / 2) return false;
  backed_up_ = false;
  return true;
}

std::size_t Connection::output_bytes_max() const {
  const Server& server = thread_.server();
  const std::size_t limit =
      smaller(thread_.server().config().number(Option::output_buffer_max),
              std::max<std::uint64_t>(server.memory_budget().connections / 4, kOutputBytesMin));
  return unsent_bytes() > kOutputBytesMin && memory_is_short(0) ? kOutputBytesMin : limit;
}

void Connection::borrow_output() {
  if (output_.empty() && output_.capacity() < thread_.shared_output().capacity())
    output_.swap(thread_.shared_output());
}

void Connection::return_output() {
  output_.clear();
  sent_ = 0;
  settled_ = 0;
  std::string& shared = thread_.shared_output();
  if (output_.capacity() > shared.capacity() && output_.capacity() <= kSharedOutputBytesMax) {
    output_.swap(shared);
  }
  std::string().swap(output_);
}

// --- The rest

// Nothing that follows in the input can be understood: the error is the last reply.
void Connection::fail_request(std::string_view error) {
  const std::size_t code_end = error.find(' ');
  protocol::ReplyWriter{output_, session_->protocol_version}.error(error.substr(0, code_end),
                                                                   error.substr(code_end + 1));
  thread_.counters().error_replies.add();
  thread_.counters().command_stats->errors().count(fmt::format("-{}", error));
  closing_ = true;
  send();
  settle();
}

// Before control goes back to the event loop.
void Connection::settle() {
  if (!open()) return;
  return_input();
  count_memory();
  enforce_output_limits();
  if (!open()) return;
  const bool has_room = large_argument_ == nullptr || !large_argument_->room(memory_is_short(0)).empty();
  if ((may_execute() || waits_for_command_) && !thread_.stopping() && has_room) {
    transport_.has_received() ? read_what_was_received() : wait_readable();
  }
}

}  // namespace shale::server
