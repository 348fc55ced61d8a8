// A client, as far as pub/sub is concerned: keeps what it is sent.
#pragma once

#include <string>
#include <vector>

#include "src/pubsub/push.h"

namespace shale::server {

class RecordingReceiver final : public PushReceiver {
 public:
  void push(const SharedPush& push) override { received_.push_back(push); }
  std::vector<std::string> take() {
    std::vector<std::string> texts;
    for (const SharedPush& push : received_) texts.push_back(push->encoded);
    received_.clear();
    return texts;
  }
  const std::vector<SharedPush>& received() const { return received_; }

 private:
  std::vector<SharedPush> received_;
};

}  // namespace shale::server
