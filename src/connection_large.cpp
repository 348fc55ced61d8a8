// What a connection does about values that are too large for memory: receives them into files, and sends them
// from there, a piece at a time (docs/large-values.md).
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "engine/large/large_value_store.h"
#include "src/connection.h"
#include "src/error_message.h"

namespace shale::server {

// --- Receiving

// Whether the bulk string is one for a file of its own: large, and where the command takes a value. The
// command's name has arrived before it.
bool Connection::is_large_value(const ArrivingBulk& bulk) const {
  if (bulk.bytes < kLargeAmongManyBytes || bulk.argument == 0) return false;
  const MemoryBudget& budget = thread_.server().memory_budget();
  const std::uint64_t request_bytes = input_.unread().size() + bulk.bytes;
  if (bulk.bytes < large_value_bytes(budget) && request_bytes < budget.connections / 8) {
    return false;
  }
  const std::string_view name = parser_.arrived_argument(input_.unread(), 0);
  const CommandSpec* const command = resolve_command({&name, 1}).spec;
  return command != nullptr && command->values.include(bulk.argument);
}

// Takes such a bulk string out of the stream. False if it goes through memory like any other.
bool Connection::begin_large_argument(const ArrivingBulk& bulk) {
  if (!is_large_value(bulk)) return false;
  const std::string_view arrived = input_.unread().substr(bulk.offset);
  if (arrived.size() >= bulk.bytes) return false;
  large_argument_ = std::make_unique<LargeArgument>(
      bulk.argument, thread_.server().store().large_values().stage(bulk.bytes));
  large_argument_->begin_with(arrived);
  input_.cut(bulk.offset);
  parser_.divert_bulk();
  return true;
}

void Connection::receive_large_argument() {
  const auto room = large_argument_->room(memory_is_short(0));
  if (!room.empty()) {
    const ssize_t received = transport_.receive(room);
    if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR)) return close();
    if (received > 0) {
      large_argument_->commit(static_cast<std::size_t>(received));
      note_received(static_cast<std::size_t>(received));
    }
  }
  write_large_block();
  settle();
}

void Connection::write_large_block() {
  auto block = large_argument_->take_block(memory_is_short(0));
  if (!block) return;
  // Shared, because what is submitted must be copyable.
  auto shared = std::make_shared<LargeArgument::Block>(std::move(*block));
  auto write = [shared = std::move(shared), value = large_argument_->value(), mailbox = thread_.mailbox(),
                id = session_->id]() mutable {
    shared->write(*value);
    shared.reset();
    value.reset();
    mailbox->post([id](IoThread& thread) {
      if (const auto found = thread.find(id)) found->on_large_block_written();
    });
  };
  thread_.server().background().submit(engine::Priority::client_read, std::move(write));
}

void Connection::on_large_block_written() {
  if (!open() || large_argument_ == nullptr) return;
  large_argument_->written();
  write_large_block();
  if (!large_argument_->all_written()) return settle();
  received_arguments_.push_back({large_argument_->argument(), large_argument_->value()});
  large_argument_.reset();
  advance();
}

// --- Sending

// Sends what is in memory of the first large reply. False if the rest has to wait: for the socket, or for the
// next chunk, which is then being read.
bool Connection::send_large_reply() {
  const std::string_view ready = large_replies_.ready();
  if (ready.empty()) {
    read_large_chunk();
    return false;
  }
  const std::size_t count = send_bytes(ready);
  if (!open()) return false;
  if (count != 0) active_second_ = thread_.second();
  large_replies_.sent(count);
  if (count == ready.size()) return true;
  // A client that reads slowly must not keep others from being served.
  if (memory_is_short(0)) large_replies_.drop_chunk();
  wait_writable();
  return false;
}

void Connection::read_large_chunk() {
  auto read = large_replies_.begin_read();
  if (!read) return;
  auto run = [read = std::move(*read), mailbox = thread_.mailbox(), id = session_->id]() mutable {
    // Shared, because what is posted must be copyable.
    auto chunk = std::make_shared<engine::Result<std::string>>(read.run());
    read.value.reset();
    mailbox->post([id, chunk](IoThread& thread) {
      if (const auto found = thread.find(id)) found->on_large_chunk(std::move(*chunk));
    });
  };
  thread_.server().background().submit(engine::Priority::client_read, std::move(run));
}

void Connection::on_large_chunk(engine::Result<std::string> chunk) {
  if (!open()) return;
  if (!chunk) {
    // Half of the value may be with the client: all that can be said is that there is no more.
    log_failure(chunk.error());
    return close();
  }
  large_replies_.loaded(std::move(*chunk));
  on_sent();
}

}  // namespace shale::server
