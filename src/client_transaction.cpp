#include "src/client_transaction.h"

#include <cstring>

namespace shale::server {

void ClientTransaction::open() {
  is_open_ = true;
  show_queue();
}

void ClientTransaction::discard() {
  is_open_ = false;
  has_failed_ = false;
  queued_ = Batch{};
  blocks_ = std::vector<std::unique_ptr<char[]>>{};
  queued_bytes_ = 0;
  watches_.clear();
  show_queue();
  show_watches();
}

bool ClientTransaction::queue(const ResolvedCommand& command, std::span<const std::string_view> arguments,
                              std::span<const ReceivedLargeArgument> large, std::size_t first_index,
                              std::size_t bytes_max) {
  if (has_failed_) return true;
  std::size_t bytes = 0;
  for (const std::string_view argument : arguments) bytes += argument.size();
  const std::size_t held = bytes + sizeof(Batch::Request) + arguments.size() * sizeof(std::string_view);
  if (queued_bytes_ + held > bytes_max) return false;

  queued_bytes_ += held;
  const std::size_t first = queued_.arguments.size();
  for (const ReceivedLargeArgument& argument : large) {
    if (argument.index < first_index || argument.index >= first_index + arguments.size()) continue;
    queued_.large_arguments.push_back({argument.index - first_index + first, argument.value});
  }
  auto block = std::make_unique_for_overwrite<char[]>(bytes);
  char* at = block.get();
  for (const std::string_view argument : arguments) {
    std::memcpy(at, argument.data(), argument.size());
    queued_.arguments.emplace_back(at, argument.size());
    at += argument.size();
  }
  blocks_.push_back(std::move(block));
  queued_.requests.push_back(
      {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(arguments.size()), command});
  show_queue();
  return true;
}

void ClientTransaction::show_queue() {
  const int count = is_open_ ? static_cast<int>(queued_.requests.size()) : -1;
  session_.queued_commands.store(count, std::memory_order_relaxed);
  session_.queued_bytes.store(queued_bytes_, std::memory_order_relaxed);
}

void ClientTransaction::show_watches() {
  session_.watched_keys.store(watches_.size(), std::memory_order_relaxed);
}

ClientTransaction& transaction_of(Session& session, WatchTable& table) {
  if (!session.transaction) session.transaction = std::make_unique<ClientTransaction>(session, table);
  return *session.transaction;
}

}  // namespace shale::server
