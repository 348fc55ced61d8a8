#include "engine/btree/free_space.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <iterator>

namespace shale::engine::btree {
namespace {

std::uint64_t round_down(std::uint64_t bytes) { return bytes / kBlockBytes * kBlockBytes; }

}  // namespace

BlockRun FreeSpace::blocks_of(std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t begin = round_up_to_block(offset);
  const std::uint64_t end = round_down(offset + bytes);
  return {begin, end > begin ? end - begin : 0};
}

std::size_t FreeSpace::size_class(std::uint64_t bytes) {
  return static_cast<std::size_t>(std::bit_width(bytes / kBlockBytes)) - 1;
}

void FreeSpace::insert(std::uint64_t offset, std::uint64_t bytes) {
  pieces_.emplace(offset, bytes);
  bytes_ += bytes;
  const BlockRun blocks = blocks_of(offset, bytes);
  block_bytes_ += blocks.bytes;
  if (blocks.bytes != 0) classes_[size_class(blocks.bytes)].insert(offset);
}

void FreeSpace::erase(Pieces::iterator piece) {
  const BlockRun blocks = blocks_of(piece->first, piece->second);
  block_bytes_ -= blocks.bytes;
  if (blocks.bytes != 0) classes_[size_class(blocks.bytes)].erase(piece->first);
  bytes_ -= piece->second;
  pieces_.erase(piece);
}

void FreeSpace::add(std::uint64_t offset, std::uint64_t bytes) {
  if (bytes == 0) return;
  auto behind = pieces_.lower_bound(offset);
  assert(behind == pieces_.end() || offset + bytes <= behind->first);
  if (behind != pieces_.end() && behind->first == offset + bytes) {
    bytes += behind->second;
    erase(behind);
  }
  auto before = pieces_.lower_bound(offset);
  if (before != pieces_.begin()) {
    --before;
    assert(before->first + before->second <= offset);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      erase(before);
    }
  }
  insert(offset, bytes);
}

std::optional<BlockRun> FreeSpace::take(std::uint64_t bytes_min, std::uint64_t bytes_max) {
  bytes_min = std::max(round_up_to_block(bytes_min), kBlockBytes);
  bytes_max = std::max(round_up_to_block(bytes_max), bytes_min);
  // Every member of the next class up is large enough; of the own one only some are.
  std::optional<std::uint64_t> lowest;
  const std::size_t sure_class =
      size_class(bytes_min) + (std::has_single_bit(bytes_min / kBlockBytes) ? 0 : 1);
  for (std::size_t i = sure_class; i < kClassCount; ++i) {
    if (!classes_[i].empty() && (!lowest || *classes_[i].begin() < *lowest)) lowest = *classes_[i].begin();
  }
  if (!lowest) return {};
  const auto piece = pieces_.find(*lowest);
  const std::uint64_t offset = piece->first;
  const std::uint64_t end = offset + piece->second;
  const BlockRun blocks = blocks_of(offset, piece->second);
  const BlockRun taken{blocks.offset, std::min(blocks.bytes, bytes_max)};
  erase(piece);
  if (taken.offset != offset) insert(offset, taken.offset - offset);
  const std::uint64_t taken_end = taken.offset + taken.bytes;
  if (taken_end != end) insert(taken_end, end - taken_end);
  return taken;
}

std::optional<BlockRun> FreeSpace::first_in(std::uint64_t begin, std::uint64_t end) const {
  auto piece = pieces_.upper_bound(begin);
  if (piece != pieces_.begin() && std::prev(piece)->first + std::prev(piece)->second > begin) --piece;
  if (piece == pieces_.end() || piece->first >= end) return {};
  const std::uint64_t first = std::max(begin, piece->first);
  return BlockRun{first, std::min(end, piece->first + piece->second) - first};
}

void FreeSpace::take_at(const BlockRun& run) {
  const auto piece = std::prev(pieces_.upper_bound(run.offset));
  const std::uint64_t offset = piece->first;
  const std::uint64_t end = offset + piece->second;
  assert(run.offset + run.bytes <= end);
  erase(piece);
  if (offset != run.offset) insert(offset, run.offset - offset);
  if (run.offset + run.bytes != end) insert(run.offset + run.bytes, end - run.offset - run.bytes);
}

std::uint64_t FreeSpace::trim(std::uint64_t end) {
  if (pieces_.empty()) return end;
  const auto last = std::prev(pieces_.end());
  const std::uint64_t offset = last->first;
  if (offset + last->second != end) return end;
  const std::uint64_t new_end = round_up_to_block(offset);
  if (new_end >= end) return end;
  erase(last);
  if (new_end != offset) insert(offset, new_end - offset);
  return new_end;
}

}  // namespace shale::engine::btree
