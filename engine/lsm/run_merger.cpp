#include "engine/lsm/run_merger.h"

#include <algorithm>

#include "engine/lsm/value_file_format.h"
#include "engine/lsm/value_reference.h"

namespace shale::engine::lsm {

Status RunScanner::seek_first() { return open(0); }

Status RunScanner::open(std::size_t place) {
  valid_ = false;
  for (place_ = place; place_ < slices_.size(); ++place_) {
    const LiveTable& slice = *slices_[place_];
    if (!slice.table()) return slice.table().error();
    if (scanner_) bytes_read_ += scanner_->bytes_read();
    scanner_.emplace(*slice.table());
    slice_end_ = std::min(slice.end_key(), end_);
    scanner_->set_end(slice_end_);
    const auto counted = consumption_.find(slice.number());
    counted_ = counted == consumption_.end() ? nullptr : &counted->second;
    const BytesView from = std::max(slice.begin_key(), begin_);
    const bool from_start = from <= (*slice.table())->properties().smallest_key;
    if (auto placed = from_start ? scanner_->seek_first() : scanner_->seek(from); !placed) {
      return failed(placed.error());
    }
    if (scanner_->valid() && scanner_->entry().key < slice_end_) return settle();
  }
  return {};
}

Status RunScanner::next() {
  if (auto moved = scanner_->next(); !moved) return failed(moved.error());
  if (scanner_->valid() && scanner_->entry().key < slice_end_) return settle();
  return open(place_ + 1);
}

Status RunScanner::failed(const Error& error) {
  valid_ = false;
  slices_[place_]->file()->note_damage();
  return error;
}

Status RunScanner::settle() {
  valid_ = true;
  const Entry& entry = scanner_->entry();
  head_ = key_head(entry.key);
  if (counted_ == nullptr) return {};
  counted_->balances.add(policy_.count_class(entry.key), entry.tag.balance);
  if (entry.tag.separated) {
    const auto reference = ValueReference::decode(entry.value);
    counted_->values.add(reference->file, value_record_bytes(entry.key.size(), reference->value_bytes));
  }
  return {};
}

RunMerger::RunMerger(const std::vector<std::vector<TableRef>>& newest_first, BytesView begin, BytesView end,
                     const KeyPolicy& policy, Consumption& consumption) {
  for (const auto& slices : newest_first) scanners_.emplace_back(slices, begin, end, policy, consumption);
}

Status RunMerger::start() {
  for (std::size_t i = 0; i < scanners_.size(); ++i) {
    if (auto placed = scanners_[i].seek_first(); !placed) return placed;
    push(i);
  }
  return advance();
}

Status RunMerger::advance() {
  if (valid_) {
    if (auto moved = move_on(current_); !moved) return moved;
  }
  valid_ = !heap_.empty();
  if (!valid_) return {};
  current_ = pop();
  entry_ = scanners_[current_].entry();
  int balance = entry_.tag.balance;
  while (!heap_.empty() && scanners_[heap_.front()].head() == scanners_[current_].head() &&
         scanners_[heap_.front()].entry().key == entry_.key) {
    const std::size_t older = pop();
    balance += scanners_[older].entry().tag.balance;
    if (auto moved = move_on(older); !moved) return moved;
  }
  entry_.tag.balance = static_cast<std::int8_t>(std::clamp(balance, -1, 1));
  return {};
}

std::uint64_t RunMerger::bytes_read() const {
  std::uint64_t bytes = 0;
  for (const RunScanner& scanner : scanners_) bytes += scanner.bytes_read();
  return bytes;
}

bool RunMerger::is_before(std::size_t a, std::size_t b) const {
  if (scanners_[a].head() != scanners_[b].head()) return scanners_[a].head() < scanners_[b].head();
  const int order = scanners_[a].entry().key.compare(scanners_[b].entry().key);
  return order != 0 ? order < 0 : a < b;
}

void RunMerger::push(std::size_t run) {
  if (!scanners_[run].valid()) return;
  heap_.push_back(run);
  std::push_heap(heap_.begin(), heap_.end(),
                 [this](std::size_t a, std::size_t b) { return is_before(b, a); });
}

std::size_t RunMerger::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), [this](std::size_t a, std::size_t b) { return is_before(b, a); });
  const std::size_t run = heap_.back();
  heap_.pop_back();
  return run;
}

Status RunMerger::move_on(std::size_t run) {
  if (auto moved = scanners_[run].next(); !moved) return moved;
  push(run);
  return {};
}

}  // namespace shale::engine::lsm
