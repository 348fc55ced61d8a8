// Changes that are made on a thread of their own.
#include "cluster/reshaper.h"

namespace shale::cluster {

Reshaper::~Reshaper() { stop(); }

std::shared_ptr<ReshapeJob> Reshaper::begin(ReshapeRequest request) {
  const std::lock_guard lock{mutex_};
  if (!claim(request)) return nullptr;
  auto job = std::make_shared<ReshapeJob>(std::move(request));
  worker_ = std::jthread([this, job] { job->finish(change(job->request())); });  // the last one has ended
  return job;
}

}  // namespace shale::cluster
