#include "src/client_registry.h"

namespace shale::server {

void ClientRegistry::add(std::shared_ptr<Session> session, Control control) {
  const std::uint64_t id = session->id;
  const std::lock_guard lock{mutex_};
  clients_.emplace(id, Client{std::move(session), std::move(control)});
  count_.store(clients_.size(), std::memory_order_relaxed);
}

void ClientRegistry::remove(std::uint64_t id) {
  const std::lock_guard lock{mutex_};
  clients_.erase(id);
  count_.store(clients_.size(), std::memory_order_relaxed);
}

std::vector<std::shared_ptr<Session>> ClientRegistry::list() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::shared_ptr<Session>> sessions;
  sessions.reserve(clients_.size());
  for (const auto& [id, client] : clients_) sessions.push_back(client.session);
  return sessions;
}

std::shared_ptr<Session> ClientRegistry::find(std::uint64_t id) const {
  const std::lock_guard lock{mutex_};
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : found->second.session;
}

bool ClientRegistry::kill(std::uint64_t id) {
  const std::lock_guard lock{mutex_};
  const auto found = clients_.find(id);
  if (found == clients_.end()) return false;
  found->second.control.close();
  clients_.erase(found);
  count_.store(clients_.size(), std::memory_order_relaxed);
  return true;
}

bool ClientRegistry::unblock(std::uint64_t id, WaitEnd end) {
  const std::lock_guard lock{mutex_};
  const auto found = clients_.find(id);
  if (found == clients_.end()) return false;
  const std::uint64_t wait = found->second.session->unblockable_wait.exchange(0);
  if (wait != 0) found->second.control.end_wait(wait, end);
  return wait != 0;
}

void ClientRegistry::resume_postponed() {
  const std::lock_guard lock{mutex_};
  for (const auto& [id, client] : clients_) {
    if (const std::uint64_t wait = client.session->postponed_wait.exchange(0); wait != 0) {
      client.control.end_wait(wait, WaitEnd::pause);
    }
  }
}

}  // namespace shale::server
