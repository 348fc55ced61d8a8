#include "src/client_pause.h"

#include <algorithm>

#include "src/client_transaction.h"

namespace shale::server {
namespace {

// Beyond what is written to keys, what replicas would have to be told of, as Redis has it.
bool changes_data(const CommandSpec& command) {
  return command.flags.has(CommandFlag::write) || command.name == "publish" || command.name == "spublish" ||
         command.name == "pfcount";
}

bool changes_data(const CommandSpec& command, const ClientTransaction* transaction) {
  if (command.in_transaction != InTransaction::exec) return changes_data(command);
  return transaction != nullptr &&
         std::ranges::any_of(transaction->queued().requests, [](const Batch::Request& request) {
           return changes_data(*request.command.spec);
         });
}

}  // namespace

std::chrono::milliseconds ClientPause::left(const CommandSpec& command, const ClientTransaction* transaction,
                                            TimePoint now) {
  const std::lock_guard lock{mutex_};
  const Of of = of_.load();
  if (of == Of::nothing) return {};
  if (now >= ends_at_) {
    of_.store(Of::nothing);
    return {};
  }
  if (of == Of::writes && !changes_data(command, transaction)) return {};
  return std::chrono::ceil<std::chrono::milliseconds>(ends_at_ - now);
}

ClientPause::TimePoint ClientPause::begin(Of of, TimePoint now, std::chrono::milliseconds duration) {
  const std::lock_guard lock{mutex_};
  const bool is_on = of_.load() != Of::nothing && now < ends_at_;
  ends_at_ = is_on ? std::max(ends_at_, now + duration) : now + duration;
  of_.store(is_on ? std::max(of, of_.load()) : of);
  return ends_at_;
}

void ClientPause::end() {
  const std::lock_guard lock{mutex_};
  of_.store(Of::nothing);
}

}  // namespace shale::server
