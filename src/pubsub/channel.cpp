#include "src/pubsub/channel.h"

#include <algorithm>
#include <cassert>

namespace shale::server {

void Channel::add(const Subscriber& subscriber) {
  Part& part = parts_[subscriber.thread];
  part.members.push_back({subscriber.receiver, messages_total_});
  ++part.count;
  ++subscriber_count_;
}

void Channel::remove(const Subscriber& subscriber) {
  Part& part = parts_[subscriber.thread];
  const auto found = std::ranges::find(part.members, subscriber.receiver, &Member::receiver);
  assert(found != part.members.end());
  if (found == part.members.end()) return;
  *found = part.members.back();
  part.members.pop_back();
  --part.count;
  --subscriber_count_;
}

void Channel::hand_out(unsigned thread, std::uint64_t message, const SharedPush& push) const {
  for (const Member& member : parts_[thread].members) {
    if (message > member.joined_at) member.receiver->push(push);
  }
}

}  // namespace shale::server
