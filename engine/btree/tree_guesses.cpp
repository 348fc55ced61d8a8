// Finding out about writes whose leaf was not in memory.
//
// A checkpoint looks up those that it comes by (checkpoint.cpp). Besides, where they are few they are looked
// up in the background, so that the count of keys is soon exact. Where they are many they are updates of cold
// records, nearly all of them guessed right, and looking them up would cost the read for each write that
// buffers are there to avoid: those wait until their leaf is merged.
#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/btree/tree.h"

namespace shale::engine::btree {

void Tree::note_guess(BytesView key) {
  ++open_guesses_;
  constexpr std::size_t kWaitingMax = 256;
  constexpr std::uint64_t kFew = 256;
  constexpr std::uint64_t kRecordsPerGuess = 24;
  const bool is_worth_it = guesses_noted_ < kFew || guesses_noted_ * kRecordsPerGuess < workload_.writes;
  if (!is_worth_it || guesses_.size() >= kWaitingMax) return;
  ++guesses_noted_;
  guesses_.emplace_back(key);
  schedule_resolution();
}

void Tree::schedule_resolution() {
  if (stopping_ || resolution_running_ || guesses_.empty()) return;
  resolution_running_ = true;
  store_.background().submit(Priority::flush, [self = shared_from_this()] { self->run_resolution(); });
}

void Tree::run_resolution() {
  std::vector<Bytes> keys;
  std::vector<std::shared_ptr<LeafLoad>> loads;  // keep what they have read until it has been looked at
  {
    const std::lock_guard lock{owner_};
    constexpr std::size_t kAtOnce = 8;  // what they read is held in memory
    const auto rest = guesses_.end() - static_cast<std::ptrdiff_t>(std::min(kAtOnce, guesses_.size()));
    keys.assign(std::make_move_iterator(rest), std::make_move_iterator(guesses_.end()));
    guesses_.erase(rest, guesses_.end());
    for (const Bytes& key : keys) {
      Leaf& leaf = leaf_of(key);
      if (!leaf.is_resident()) loads.push_back(load_of(leaf));
    }
  }
  for (const auto& load : loads) load->run();
  const std::lock_guard lock{owner_};
  for (const Bytes& key : keys) resolve_guess(key);
  resolution_running_ = false;
  schedule_resolution();
}

// In a buffer of this epoch only: what a checkpoint is about to take is in its counts as it is.
void Tree::resolve_guess(BytesView key) {
  Leaf& leaf = leaf_of(key);
  if (!leaf.buffer || leaf.buffer_epoch != epoch_) return;
  bool is_equal = false;
  const std::uint32_t index = leaf.buffer->lower_bound(key, is_equal);
  if (!is_equal || !leaf.buffer->at(index).tag.guessed) return;
  const Presence below = presence_below_buffer(leaf, key);
  if (below == Presence::unknown) return;
  leaf.buffer->set_tag(index, {leaf.buffer->at(index).tag.erased, false});
  if (below != Presence::absent) return;
  const std::uint32_t count_class = store_.options().policy->count_class(key);
  counts_.add(count_class, 1);
  leaf.buffer->add_balance(count_class, 1);
}

void Tree::note_guesses_looked_up(std::uint64_t guesses, std::uint64_t wrong) {
  constexpr double kWeight = 0.5;  // of the newest
  if (guesses == 0) return;
  const double part = static_cast<double>(wrong) / static_cast<double>(guesses);
  wrong_guess_part_ = (1 - kWeight) * wrong_guess_part_ + kWeight * part;
}

// A checkpoint does it. So the count is right soon after a load, and after a restart, whose replay can do
// nothing but guess.
void Tree::look_up_guesses_when_idle() {
  constexpr std::chrono::seconds kIdle{1};
  const auto now = store_.now();
  if (writes_at_tick_ != workload_.writes) {
    writes_at_tick_ = workload_.writes;
    idle_since_ = now;
  } else if (open_guesses_ != 0 && !snapshot_ && now - idle_since_ >= kIdle) {
    request_checkpoint();
  }
}

}  // namespace shale::engine::btree
