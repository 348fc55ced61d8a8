#include "src/io_thread.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>

#include "src/admission.h"
#include "src/connection.h"

namespace shale::server {
namespace {

constexpr std::size_t kSpareBatchesMax = 4;
constexpr std::size_t kSpareArgumentsMax = 4096;

}  // namespace

// One thread runs the loop and uses its sockets and timers; others only post. Asio then needs no lock around
// I/O.
IoThread::IoThread(unsigned index, Server& server)
    : index_(index),
      server_(server),
      counters_(server.stats().of_thread(index)),
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      mailbox_(std::make_shared<Mailbox>(*this, context_)),
      dispatcher_(server, counters_),
      tick_timer_(context_),
      stop_timer_(context_) {
  server.pubsub().inbox(index).set_wake([mailbox = mailbox_] {
    mailbox->post([](IoThread& thread) {
      thread.flush_scheduled_ = true;
      thread.hand_out_pushes();
      thread.flush_pushes();
    });
  });
}

IoThread::~IoThread() {
  mailbox_->close();
  server_.pubsub().inbox(index_).set_wake({});
}

void IoThread::run() {
  server_.thread_clocks().add_current_thread();
  tick();
  const auto work = boost::asio::make_work_guard(context_);
  context_.run();
  to_flush_.clear();
  connections_.clear();
}

void IoThread::adopt(AcceptedSocket accepted) {
  connection_count_.fetch_add(1, std::memory_order_relaxed);
  mailbox_->post([accepted = std::move(accepted)](IoThread& thread) { thread.add_connection(accepted); });
}

void IoThread::stop(std::chrono::milliseconds grace) {
  mailbox_->post([grace](IoThread& thread) { thread.begin_stop(grace); });
}

void IoThread::hand_out_pushes() {
  server_.pubsub().inbox(index_).take(deliveries_);
  for (const Delivery& delivery : deliveries_) {
    if (delivery.channel) {
      delivery.channel->hand_out(index_, delivery.message, delivery.push);
    } else {
      hand_out_to_client(delivery);
    }
  }
  deliveries_.clear();
}

void IoThread::hand_out_to_client(const Delivery& delivery) {
  const auto connection = find(delivery.client);
  if (!connection) {
    const bool redirects = delivery.tracked && delivery.tracked->redirect() == delivery.client;
    if (redirects) server_.tracking().redirection_is_broken(*delivery.tracked);
  } else if (connection->session().protocol_version == protocol::Version::resp3) {
    connection->push(delivery.push);
  } else if (delivery.resp2_push && connection->session().is_subscribed()) {
    connection->push(delivery.resp2_push);
  }
}

void IoThread::flush_later(std::shared_ptr<Connection> connection) {
  to_flush_.push_back(std::move(connection));
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  mailbox_->post([](IoThread& thread) { thread.flush_pushes(); });
}

// Connections that are given more while others are flushed are flushed the next time.
void IoThread::flush_pushes() {
  flush_scheduled_ = false;
  const auto connections = std::exchange(to_flush_, {});
  for (const auto& connection : connections) connection->flush_pushes();
}

std::shared_ptr<Connection> IoThread::find(std::uint64_t id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second;
}

void IoThread::forget(std::uint64_t id) {
  server_.clients().remove(id);
  if (connections_.erase(id) == 0) return;
  connection_count_.fetch_sub(1, std::memory_order_relaxed);
  counters_.connections.add(-1);
  if (stopping_ && connections_.empty()) context_.stop();
}

std::unique_ptr<Batch> IoThread::take_batch() {
  if (spare_batches_.empty()) return std::make_unique<Batch>();
  auto batch = std::move(spare_batches_.back());
  spare_batches_.pop_back();
  return batch;
}

void IoThread::give_back(std::unique_ptr<Batch> batch) {
  if (spare_batches_.size() >= kSpareBatchesMax || batch->arguments.capacity() > kSpareArgumentsMax) return;
  batch->clear();
  spare_batches_.push_back(std::move(batch));
}

void IoThread::add_connection(AcceptedSocket accepted) {
  auto session = std::make_shared<Session>();
  session->id = server_.clients().next_id();
  session->address = std::move(accepted.peer);
  session->local_address = std::move(accepted.local);
  session->descriptor = accepted.descriptor;
  session->subscriber.thread = index_;
  session->counters = &counters_;
  session->connected_at_ms = server_.store().clock().unix_ms();
  session->last_command_at_ms = session->connected_at_ms;
  become_default_user(server_, *session);

  boost::system::error_code failed;
  const int protocol = accepted.family == AF_UNIX ? 0 : IPPROTO_TCP;
  Connection::Socket socket{context_};
  socket.assign(boost::asio::generic::stream_protocol{accepted.family, protocol}, accepted.descriptor,
                failed);
  if (failed || stopping_) {
    if (failed) ::close(accepted.descriptor);
    connection_count_.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  std::unique_ptr<tls::Stream> tls;
  if (accepted.tls) tls = std::make_unique<tls::Stream>(server_.tls_context(), accepted.descriptor);
  counters_.connections.add();
  counters_.connections_accepted.add();
  const std::uint64_t id = session->id;
  server_.clients().add(session, {.close =
                                      [mailbox = mailbox_, id] {
                                        mailbox->post([id](IoThread& thread) {
                                          if (const auto connection = thread.find(id)) connection->close();
                                        });
                                      },
                                  .end_wait =
                                      [mailbox = mailbox_, id](std::uint64_t wait, WaitEnd end) {
                                        mailbox->post([id, wait, end](IoThread& thread) {
                                          if (const auto connection = thread.find(id))
                                            connection->end_wait(wait, end);
                                        });
                                      }});
  const auto connection =
      std::make_shared<Connection>(*this, std::move(socket), std::move(session), std::move(tls));
  connections_.emplace(id, connection);
  connection->start();
}

std::vector<std::shared_ptr<Connection>> IoThread::all_connections() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  return all;
}

// Once a second: what has to be looked at by and by, without a timer for each connection.
void IoThread::tick() {
  tick_timer_.expires_after(std::chrono::seconds{1});
  tick_timer_.async_wait([this](boost::system::error_code cancelled) {
    if (cancelled) return;
    ++second_;
    if (index_ == 0) {
      server_.tracking().trim();
      const auto now = std::chrono::steady_clock::now();
      server_.stats().sample(now);
      server_.metering().clock().calibrate();
      server_.shard_rates().sample(server_.store().shards(), now);
    }
    for (const auto& connection : all_connections()) connection->sweep();
    tick();
  });
}

void IoThread::begin_stop(std::chrono::milliseconds grace) {
  stopping_ = true;
  for (const auto& connection : all_connections()) connection->close_when_answered();
  if (connections_.empty()) return context_.stop();
  stop_timer_.expires_after(grace);
  stop_timer_.async_wait([this](boost::system::error_code cancelled) {
    if (cancelled) return;
    spdlog::warn("closing {} connections that have not taken their replies in time", connections_.size());
    context_.stop();
  });
}

}  // namespace shale::server
