// Commands whose work is done on a thread of its own, and which reply when it is done.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "cluster/background_job.h"
#include "src/command/context.h"

namespace shale::server {

// Runs the handler again when the job has a result.
template <class Outcome>
void wait_for(CommandContext& context, std::shared_ptr<cluster::BackgroundJob<Outcome>> job) {
  context.suspend = Suspension{
      .begin = [job = std::move(job)](std::function<void()> resume) { job->when_done(std::move(resume)); },
      .timeout = {}};
}

}  // namespace shale::server
