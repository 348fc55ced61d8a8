#include "src/range_read.h"

#include <algorithm>
#include <utility>

#include "cluster/position.h"
#include "engine/large/large_value_store.h"

namespace shale::server {
namespace {

// In between, others get their turn on the background's thread.
constexpr int kPiecesPerRun = 64;
constexpr std::size_t kFilesPerRun = 16;

}  // namespace

RangeRead::RangeRead(cluster::Store& store, unsigned database, std::int64_t now_ms, RangeQuery query,
                     cluster::Transaction* within)
    : store_(store), database_(database), now_ms_(now_ms), within_(within), query_(std::move(query)) {
  all_read_ = is_full();
}

void RangeRead::begin(std::size_t pieces_max) {
  for (std::size_t pieces = 0; pieces < pieces_max && !all_read_; ++pieces) {
    if (auto read = read_piece(); !read) {
      if (read.error().kind != engine::ErrorKind::not_resident) finish(read);
      return;
    }
  }
  if (all_read_ && large_.empty()) return finish({});
  if (all_read_ && within_ != nullptr) finish_within();
}

// Large values are opened as for any other command: by loads, behind which it is run again.
void RangeRead::finish_within() {
  if (excess_ != Excess::nothing) return finish({});
  bool all_open = true;
  for (const Large& large : large_) {
    const auto state = large.value->state();
    if (!state) {
      within_->reads().missing.push_back(std::make_shared<engine::LargeValueOpening>(large.value));
      all_open = false;
    } else if (!*state) {
      return finish(state->error());
    } else if (auto same = large.value->check(large.reference); !same) {
      return finish(same);
    }
  }
  if (all_open) finish({});
}

void RangeRead::run() {
  load_missing();
  for (int pieces = 0; pieces < kPiecesPerRun && !done() && !all_read_; ++pieces) {
    auto read = read_piece();
    if (!read && read.error().kind != engine::ErrorKind::not_resident) return finish(read);
    load_missing();
  }
  if (done() || !all_read_) return;
  if (excess_ != Excess::nothing) return finish({});
  auto opened = open_large_values(kFilesPerRun);
  if (!opened || large_opened_ == large_.size()) finish(opened);
}

engine::Status RangeRead::read_piece() {
  const KeyRange left_before = query_.keys;
  const RangePieceLimits limits{.keys_only = query_.keys_only};
  const auto visit = [this](BytesView key, const Value& value) { return add(key, value); };
  reads_.clear();
  const auto read = read_range_piece(store_, reads_, database_, now_ms_, query_.keys, limits, visit, within_);
  reads_.pins.clear();
  if (query_.keys != left_before) loads_.clear();
  if (!read) return read.error();
  all_read_ = *read || is_full();
  return {};
}

// Under a shard's lock. False once no more is wanted.
bool RangeRead::add(BytesView key, const Value& value) {
  if (query_.tag && cluster::hash_tag(key) != *query_.tag) return true;
  const BytesView payload = query_.keys_only ? BytesView{} : value.payload;
  const bool is_large = !query_.keys_only && value.large;
  const std::size_t bytes = bytes_.size() + key.size() + payload.size();
  if (!records_.empty() && bytes + (records_.size() + 1) * kPairBytes > query_.bytes_max) {
    excess_ = Excess::bytes;
  } else if (is_large && large_.size() == kLargeValuesMax) {
    excess_ = Excess::large_values;
  }
  if (is_full()) return false;
  Record record{bytes_.size(), static_cast<std::uint32_t>(key.size()),
                static_cast<std::uint32_t>(payload.size()), kNotLarge};
  if (is_large) {
    // Held from here on, so that the file stays whatever becomes of the key.
    record.large = static_cast<std::uint32_t>(large_.size());
    large_.push_back({*value.large, store_.large_values().find(value.large->id)});
  }
  bytes_ += key;
  bytes_ += payload;
  records_.push_back(record);
  return !is_full();
}

void RangeRead::load_missing() {
  if (reads_.missing.size() > 1) {
    for (const auto& load : reads_.missing) load->announce();
  }
  for (auto& load : std::exchange(reads_.missing, {})) {
    do {
      load->run();
    } while (!load->done());
    loads_.push_back(std::move(load));
  }
}

engine::Status RangeRead::open_large_values(std::size_t count_max) {
  const std::size_t end = std::min(large_.size(), large_opened_ + count_max);
  for (; large_opened_ < end; ++large_opened_) {
    const Large& large = large_[large_opened_];
    if (auto opened = large.value->open(); !opened) return opened;
    if (auto same = large.value->check(large.reference); !same) return same;
  }
  return {};
}

void RangeRead::finish(engine::Status status) {
  status_ = std::move(status);
  loads_.clear();
  reads_.clear();
  done_.store(true, std::memory_order_release);
}

RangeRead::Pair RangeRead::pair(std::size_t index) const {
  const Record& record = records_[index];
  const BytesView bytes =
      BytesView{bytes_}.substr(record.offset, std::size_t{record.key_bytes} + record.value_bytes);
  Pair pair{bytes.substr(0, record.key_bytes), bytes.substr(record.key_bytes), nullptr, 0};
  if (record.large != kNotLarge) {
    pair.large = large_[record.large].value;
    pair.large_bytes = large_[record.large].reference.value_bytes;
  }
  return pair;
}

}  // namespace shale::server
