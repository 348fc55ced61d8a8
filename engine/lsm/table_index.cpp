#include "engine/lsm/table_index.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "engine/encoding.h"
#include "engine/lsm/key_bounds.h"

namespace shale::engine::lsm {
namespace {

// What stands before a fence's bytes: their number and whether they are a text or the number's.
constexpr unsigned kTextFlag = 1;

// The number in (below, above] with the most zero bits at its end, and so with the shortest encoding.
std::uint64_t roundest_between(std::uint64_t below, std::uint64_t above) {
  assert(below < above);
  const int differing_bits = 64 - std::countl_zero(below ^ above);
  // `above` has a 1 where the two first differ: cut off behind it.
  return above >> (differing_bits - 1) << (differing_bits - 1);
}

// Two head lookups bring the search this near as a rule; then it goes step by step.
constexpr std::uint32_t kGallopBegin = 8;

}  // namespace

void TableIndexBuilder::add_block(std::uint64_t stored_bytes, BytesView last_key_before,
                                  BytesView first_key) {
  append_varint(encoded_, stored_bytes);
  const std::uint64_t above = key_head(first_key);
  const bool is_first = block_count_++ == 0;
  const std::uint64_t below = key_head(last_key_before);
  if (is_first || below != above) {
    const std::uint64_t fence = __builtin_bswap64(is_first ? above : roundest_between(below, above));
    const auto bytes =
        static_cast<std::size_t>(71 - std::countl_zero(fence)) / 8;  // the zeros at its end are left out
    append_varint(encoded_, bytes << 1);
    encoded_.append(reinterpret_cast<const char*>(&fence), bytes);
    return;
  }
  const BytesView text = shortest_between(last_key_before, first_key);
  append_varint(encoded_, std::uint64_t{text.size()} << 1 | kTextFlag);
  encoded_.append(text);
}

Bytes TableIndexBuilder::finish() {
  Bytes all;
  all.reserve(sizeof(std::uint32_t) + encoded_.size());
  append_u32(all, block_count_);
  all.append(encoded_);
  return all;
}

std::optional<TableIndex> TableIndex::decode(BytesView stored, std::uint64_t data_bytes) {
  ByteReader reader{stored};
  const std::uint32_t count = reader.u32();
  if (count > reader.rest().size()) return std::nullopt;  // a block takes two bytes at least
  TableIndex index;
  index.heads_.reserve(count);
  index.offsets_.reserve(std::size_t{count} + 1);
  index.offsets_.push_back(0);
  bool has_texts = false;
  BytesView text_before;
  for (std::uint32_t block = 0; block != count; ++block) {
    const std::uint64_t stored_bytes = reader.varint();
    const std::uint64_t descriptor = reader.varint();
    const BytesView fence = reader.take(descriptor >> 1);
    if (reader.failed()) return std::nullopt;
    if (stored_bytes == 0 || stored_bytes > data_bytes - index.offsets_.back()) return std::nullopt;
    const bool is_text = (descriptor & kTextFlag) != 0;
    if (!is_text && (fence.size() > sizeof(std::uint64_t) || (!fence.empty() && fence.back() == '\0'))) {
      return std::nullopt;
    }
    const std::uint64_t head = key_head(fence);
    // A fence is above the one before it; a text's number equals that of the last key before it.
    if (block == 0 ? is_text : head < index.heads_.back()) return std::nullopt;
    if (block != 0 && head == index.heads_.back() && (!is_text || fence <= text_before)) return std::nullopt;
    if (is_text && !has_texts) {
      has_texts = true;
      index.text_ends_.reserve(count);
      index.text_ends_.assign(block, 0);
    }
    if (is_text) index.texts_.append(fence);
    if (has_texts) index.text_ends_.push_back(index.texts_.size());
    text_before = is_text ? fence : BytesView{};
    index.heads_.push_back(head);
    index.offsets_.push_back(index.offsets_.back() + stored_bytes);
  }
  if (!reader.at_end() || index.offsets_.back() != data_bytes) return std::nullopt;
  index.texts_.shrink_to_fit();
  if (count > 1 && index.heads_.back() > index.heads_.front()) {
    index.blocks_per_head_ =
        static_cast<double>(count - 1) / static_cast<double>(index.heads_.back() - index.heads_.front());
  }
  return index;
}

std::size_t TableIndex::memory_bytes() const {
  return (heads_.capacity() + offsets_.capacity() + text_ends_.capacity()) * sizeof(std::uint64_t) +
         texts_.capacity();
}

BytesView TableIndex::text(std::uint32_t block) const {
  const std::uint64_t begin = block == 0 ? 0 : text_ends_[block - 1];
  return BytesView{texts_}.substr(begin, text_ends_[block] - begin);
}

// Requires heads_.front() <= head.
std::uint32_t TableIndex::last_at_or_below(std::uint64_t head) const {
  const std::uint32_t last = block_count() - 1;
  const std::uint64_t* const heads = heads_.data();
  if (head >= heads[last]) return last;
  // A straight line through both ends, then once more from where that led to, at the same slope.
  const auto clamped = [last](double place) {
    return place <= 0 ? 0U : std::min(static_cast<std::uint32_t>(place), last);
  };
  std::uint32_t at = clamped(static_cast<double>(head - heads[0]) * blocks_per_head_);
  const double error =
      head >= heads[at] ? static_cast<double>(head - heads[at]) : -static_cast<double>(heads[at] - head);
  at = clamped(static_cast<double>(at) + error * blocks_per_head_);

  // Gallop until heads[low] <= head < heads[high].
  std::uint32_t low = at;
  std::uint32_t high = at;
  if (heads[at] <= head) {
    for (std::uint32_t step = kGallopBegin;; step *= 2) {
      high = step < last - low ? low + step : last;
      if (heads[high] > head) break;
      low = high;
    }
  } else {
    for (std::uint32_t step = kGallopBegin;; step *= 2) {
      low = step < high ? high - step : 0;
      if (heads[low] <= head) break;
      high = low;
    }
  }
  std::uint32_t width = high - low;
  while (width > 1) {
    const std::uint32_t half = width / 2;
    low = heads[low + half] <= head ? low + half : low;
    width -= half;
  }
  return low;
}

// Among the fences whose number is the key's, of which `last` is the last, the last one at or below the key.
std::uint32_t TableIndex::refine(BytesView key, std::uint32_t last) const {
  const std::uint64_t head = heads_[last];
  std::uint32_t low = 0;  // fences before `low` are at or below the key
  std::uint32_t high = last + 1;
  while (low != high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (heads_[middle] < head || text(middle) <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;  // the first block's fence has no text, so at least that one is
}

std::optional<std::uint32_t> TableIndex::find(BytesView key) const {
  const std::uint64_t head = key_head(key);
  if (heads_.empty() || head < heads_.front()) return std::nullopt;
  const std::uint32_t last = last_at_or_below(head);
  if (!text_ends_.empty() && heads_[last] == head) return refine(key, last);
  return last;
}

std::optional<std::uint32_t> TableIndex::find_before(BytesView key) const {
  const std::optional<std::uint32_t> block = find(key);
  // The key may be the fence itself: then all before it stand before the block.
  if (!block || *block == 0 || compare_fence(*block, key) < 0) return block;
  return *block - 1;
}

int TableIndex::compare_fence(std::uint32_t block, BytesView key) const {
  const std::uint64_t head = key_head(key);
  if (heads_[block] != head) return heads_[block] < head ? -1 : 1;
  return BytesView{fence(block)}.compare(key);  // rare
}

bool TableIndex::begins_at_or_above(std::uint32_t block, BytesView key) const {
  return compare_fence(block, key) >= 0;
}
bool TableIndex::begins_at_or_below(std::uint32_t block, BytesView key) const {
  return compare_fence(block, key) <= 0;
}

Bytes TableIndex::fence(std::uint32_t block) const {
  if (!text_ends_.empty()) {
    if (const BytesView whole = text(block); !whole.empty()) return Bytes{whole};
  }
  const std::uint64_t number = __builtin_bswap64(heads_[block]);
  const BytesView bytes{reinterpret_cast<const char*>(&number), sizeof number};
  return Bytes{
      bytes.substr(0, bytes.find_last_not_of('\0') + 1)};  // zeros at its end may be above a short key
}

std::uint32_t TableIndex::block_at(std::uint64_t offset) const {
  const auto behind = std::upper_bound(offsets_.begin(), offsets_.end(), offset);
  const auto block = static_cast<std::uint32_t>(behind - offsets_.begin());
  return std::min(block == 0 ? 0 : block - 1, block_count() - 1);
}

}  // namespace shale::engine::lsm
