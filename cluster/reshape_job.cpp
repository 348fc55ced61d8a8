// Changes that are made on a thread of their own.
#include "cluster/reshaper.h"

namespace shale::cluster {

std::optional<engine::Result<ReshapeEvent>> ReshapeJob::result() const {
  const std::lock_guard lock{mutex_};
  return result_;
}

void ReshapeJob::when_done(std::function<void()> resume) {
  {
    const std::lock_guard lock{mutex_};
    if (!result_) {
      resume_ = std::move(resume);
      return;
    }
  }
  resume();
}

void ReshapeJob::finish(engine::Result<ReshapeEvent> result) {
  std::function<void()> resume;
  {
    const std::lock_guard lock{mutex_};
    result_ = std::move(result);
    resume = std::move(resume_);
  }
  if (resume) resume();
}

Reshaper::~Reshaper() { stop(); }

std::shared_ptr<ReshapeJob> Reshaper::begin(ReshapeRequest request) {
  const std::lock_guard lock{mutex_};
  if (!claim(request)) return nullptr;
  auto job = std::make_shared<ReshapeJob>(std::move(request));
  worker_ = std::jthread([this, job] { job->finish(change(job->request())); });  // the last one has ended
  return job;
}

}  // namespace shale::cluster
