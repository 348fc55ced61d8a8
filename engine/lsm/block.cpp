#include "engine/lsm/block.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "engine/encoding.h"
#include "engine/lsm/value_reference.h"

namespace shale::engine::lsm {
namespace {

constexpr std::size_t kCountsBytes = 3 * sizeof(std::uint32_t);
constexpr std::size_t kHeadBytes = sizeof(std::uint32_t);
constexpr std::size_t kNarrowBytesMax = 0xffff;  // of a block whose offsets are u16

// What the builders' buffers keep for the next block.
constexpr std::size_t kBufferKeptMax = 1U << 20;

constexpr std::size_t offset_bytes(bool wide) { return wide ? sizeof(std::uint32_t) : sizeof(std::uint16_t); }

std::size_t shared_bytes(BytesView a, BytesView b) {
  const std::size_t end = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= end; at += sizeof(std::uint64_t)) {
    const std::uint64_t difference = load_u64(a.data() + at) ^ load_u64(b.data() + at);
    if (difference != 0) return at + static_cast<std::size_t>(std::countr_zero(difference)) / 8;
  }
  while (at != end && a[at] == b[at]) ++at;
  return at;
}

// The four bytes of `key` from `at` on as a big-endian number, zero-padded.
std::uint32_t head_at(BytesView key, std::size_t at) {
  std::uint32_t head = 0;
  if (at + sizeof head <= key.size()) {
    std::memcpy(&head, key.data() + at, sizeof head);
  } else if (at < key.size()) {
    std::memcpy(&head, key.data() + at, key.size() - at);
  }
  return __builtin_bswap32(head);
}

struct EntryText {
  std::uint64_t shared = 0;
  BytesView suffix;
  BytesView value;
  std::uint8_t tag = 0;
  const char* end = nullptr;
};

inline const char* read_trusted_varint(const char* from, std::uint64_t& value) {
  value = static_cast<unsigned char>(*from++);
  if (value < 0x80) return from;
  value &= 0x7f;
  for (unsigned shift = 7;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*from++);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return from;
  }
}

// Of a block that has been checked.
inline EntryText read_trusted_entry(const char* from) {
  EntryText entry;
  std::uint64_t unshared = 0;
  std::uint64_t value_bytes = 0;
  from = read_trusted_varint(from, entry.shared);
  from = read_trusted_varint(from, unshared);
  from = read_trusted_varint(from, value_bytes);
  entry.tag = static_cast<std::uint8_t>(*from++);
  entry.suffix = {from, unshared};
  entry.value = {from + unshared, value_bytes};
  entry.end = from + unshared + value_bytes;
  return entry;
}

std::optional<EntryText> read_entry(const char* from, const char* end) {
  EntryText entry;
  std::uint64_t unshared = 0;
  std::uint64_t value_bytes = 0;
  constexpr std::ptrdiff_t kShortNumbersBytes = 4;  // as most entries have them: a byte each, and the tag
  if (end - from >= kShortNumbersBytes && ((from[0] | from[1] | from[2]) & 0x80) == 0) {
    entry.shared = static_cast<unsigned char>(from[0]);
    unshared = static_cast<unsigned char>(from[1]);
    value_bytes = static_cast<unsigned char>(from[2]);
    from += 3;
  } else {
    if ((from = read_varint(from, end, entry.shared)) == nullptr) return std::nullopt;
    if ((from = read_varint(from, end, unshared)) == nullptr) return std::nullopt;
    if ((from = read_varint(from, end, value_bytes)) == nullptr) return std::nullopt;
    if (from == end) return std::nullopt;
  }
  entry.tag = static_cast<std::uint8_t>(*from++);
  const auto rest = static_cast<std::uint64_t>(end - from);
  if (unshared > rest || value_bytes > rest - unshared || !EntryTag::is_valid(entry.tag)) return std::nullopt;
  const EntryTag tag = EntryTag::decode(entry.tag);
  if (tag.type == EntryType::tombstone && value_bytes != 0) return std::nullopt;
  if (tag.separated && !ValueReference::decode({from + unshared, value_bytes})) return std::nullopt;
  entry.suffix = {from, unshared};
  entry.value = {from + unshared, value_bytes};
  entry.end = from + unshared + value_bytes;
  return entry;
}

}  // namespace

std::uint64_t BlockBuilder::bytes_with(std::size_t key_bytes, std::size_t value_bytes) const {
  const std::uint64_t entry_bytes = 2 * kVarintBytesMax + 2 + key_bytes + value_bytes;
  const std::uint64_t narrow_bytes = kCountsBytes +
                                     (restarts_.size() + 1) * (kHeadBytes + offset_bytes(false)) +
                                     entries_.size() + entry_bytes;
  if (narrow_bytes <= kNarrowBytesMax) return narrow_bytes;
  return narrow_bytes + (restarts_.size() + 1) * (offset_bytes(true) - offset_bytes(false));
}

void BlockBuilder::add(const Entry& entry) {
  assert(empty() || last_key_ < entry.key);
  std::size_t shared = 0;
  if (!empty() && group_entries_ != kGroupEntriesMax) {
    shared = shared_bytes(restart_key_, entry.key);
    if (shared < kSharedBytesMin) shared = 0;
  }
  if (shared == 0) {
    restarts_.push_back(static_cast<std::uint32_t>(entries_.size()));
    restart_key_.assign(entry.key);
    group_entries_ = 0;
  }
  const BytesView suffix = entry.key.substr(shared);
  char numbers[3 * kVarintBytesMax + 1];
  char* end = write_varint(numbers, shared);
  end = write_varint(end, suffix.size());
  end = write_varint(end, entry.value.size());
  *end++ = static_cast<char>(entry.tag.encode());
  entries_.append(numbers, static_cast<std::size_t>(end - numbers));
  entries_.append(suffix);
  entries_.append(entry.value);
  if (empty()) first_key_.assign(entry.key);
  last_key_.assign(entry.key);
  ++group_entries_;
  ++entry_count_;
}

BytesView BlockBuilder::arrays() {
  assert(!empty());
  const auto prefix_bytes = static_cast<std::uint32_t>(shared_bytes(first_key_, last_key_));
  const std::size_t narrow_bytes = kCountsBytes + restarts_.size() * (kHeadBytes + offset_bytes(false));
  const bool wide = narrow_bytes + entries_.size() > kNarrowBytesMax;
  const std::size_t arrays_bytes = kCountsBytes + restarts_.size() * (kHeadBytes + offset_bytes(wide));

  arrays_.clear();
  append_u32(arrays_, entry_count_);
  append_u32(arrays_, static_cast<std::uint32_t>(restarts_.size()));
  append_u32(arrays_, prefix_bytes);
  for (const std::uint32_t restart : restarts_) {
    const EntryText entry = read_trusted_entry(entries_.data() + restart);
    append_u32(arrays_, head_at(entry.suffix, prefix_bytes));
  }
  for (const std::uint32_t restart : restarts_) {
    const std::size_t offset = arrays_bytes + restart;
    if (wide) {
      append_u32(arrays_, static_cast<std::uint32_t>(offset));
    } else {
      append_u16(arrays_, static_cast<std::uint16_t>(offset));
    }
  }
  return arrays_;
}

void BlockBuilder::clear() {
  entry_count_ = 0;
  group_entries_ = 0;
  restarts_.clear();
  for (Bytes* const buffer : {&entries_, &restart_key_, &first_key_, &last_key_}) {
    if (buffer->capacity() > kBufferKeptMax) Bytes{}.swap(*buffer);
    buffer->clear();
  }
}

std::optional<BlockView> BlockView::parse(BytesView bytes) {
  if (bytes.size() < kCountsBytes || bytes.size() > UINT32_MAX) return std::nullopt;
  const BlockView block = parse_trusted(bytes);
  if (!block.check()) return std::nullopt;
  return block;
}

BlockView BlockView::parse_trusted(BytesView bytes) {
  BlockView block;
  block.bytes_ = bytes.data();
  block.size_ = static_cast<std::uint32_t>(bytes.size());
  block.entry_count_ = load_u32(bytes.data());
  block.restart_count_ = load_u32(bytes.data() + sizeof(std::uint32_t));
  block.prefix_bytes_ = load_u32(bytes.data() + 2 * sizeof(std::uint32_t));
  return block;
}

bool BlockView::check() const {
  if (restart_count_ == 0 || entry_count_ < restart_count_) return false;
  const std::uint64_t arrays_bytes =
      kCountsBytes + std::uint64_t{restart_count_} * (kHeadBytes + offset_bytes(is_wide()));
  if (arrays_bytes > size_) return false;

  const char* const end = bytes_ + size_;
  const char* at = bytes_ + arrays_bytes;
  std::uint32_t restart = 0;
  std::uint32_t entry_count = 0;
  BytesView first;  // key of the block
  BytesView group;  // its restart key
  BytesView last;   // key so far; the members of a group other than the first are put together in `keys`
  std::uint64_t last_head = 0;
  Bytes keys[2];       // the last and the one being compared with it
  unsigned spare = 0;  // the one of `keys` that `last` is not
  while (at != end) {
    const std::optional<EntryText> entry = read_entry(at, end);
    if (!entry) return false;
    BytesView key = entry->suffix;
    if (restart != restart_count_ && entry_offset(restart) == static_cast<std::uint64_t>(at - bytes_)) {
      if (entry->shared != 0 || head(restart) != head_at(key, prefix_bytes_)) return false;
      group = key;
      ++restart;
    } else {
      if (entry->shared == 0 || entry->shared > group.size()) return false;
      keys[spare].assign(group.substr(0, entry->shared)).append(entry->suffix);
      key = keys[spare];
      spare ^= 1;
    }
    const std::uint64_t head_of_key = key_head(key);  // as a rule the heads tell, without a call
    if (entry_count == 0) {
      first = key;
    } else if (head_of_key < last_head || (head_of_key == last_head && key <= last)) {
      return false;
    }
    last = key;
    last_head = head_of_key;
    ++entry_count;
    at = entry->end;
  }
  // All keys lie between first and last and so begin with whatever these two begin with.
  return entry_count == entry_count_ && restart == restart_count_ && prefix_bytes_ <= first.size() &&
         first.substr(0, prefix_bytes_) == last.substr(0, prefix_bytes_);
}

inline std::uint32_t BlockView::head(std::uint32_t restart) const {
  return load_u32(bytes_ + kCountsBytes + std::size_t{restart} * kHeadBytes);
}

inline std::uint32_t BlockView::entry_offset(std::uint32_t restart) const {
  if (restart == restart_count_) return size_;
  const char* const offsets = bytes_ + kCountsBytes + std::size_t{restart_count_} * kHeadBytes;
  if (is_wide()) return load_u32(offsets + std::size_t{restart} * sizeof(std::uint32_t));
  return load_u16(offsets + std::size_t{restart} * sizeof(std::uint16_t));
}

BytesView BlockView::restart_key(std::uint32_t restart) const {
  return read_trusted_entry(bytes_ + entry_offset(restart)).suffix;
}

BytesView BlockView::prefix() const { return restart_key(0).substr(0, prefix_bytes_); }

std::optional<std::uint32_t> BlockView::restart_at_or_before(BytesView key) const {
  const std::uint32_t wanted = head_at(key, prefix_bytes_);
  // How many heads are <= wanted, by halving without a branch to mispredict.
  std::uint32_t below = 0;
  std::uint32_t width = restart_count_;
  while (width > 1) {
    const std::uint32_t half = width / 2;
    below = head(below + half - 1) <= wanted ? below + half : below;
    width -= half;
  }
  below += head(below) <= wanted ? 1 : 0;
  if (below == 0) return std::nullopt;

  // Restart points with an equal head: only whole keys can tell. One is the rule, more the exception.
  std::uint32_t restart = below - 1;
  if (head(restart) != wanted || restart_key(restart) <= key) return restart;
  if (restart == 0) return std::nullopt;
  if (head(restart - 1) != wanted) return restart - 1;
  std::uint32_t low = 0;  // restart points before `low` are <= key
  std::uint32_t high = restart;
  while (low != high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (head(middle) < wanted || restart_key(middle) <= key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) return std::nullopt;
  return low - 1;
}

std::optional<Entry> BlockView::find(BytesView key) const {
  // Whether the key begins with prefix() need not be asked, which saves looking at the first entry: if it
  // does not, it is not here, and whatever entry the search leads to does not equal it.
  const std::optional<std::uint32_t> restart = restart_at_or_before(key);
  if (!restart) return std::nullopt;
  const char* at = bytes_ + entry_offset(*restart);
  const char* const end = bytes_ + entry_offset(*restart + 1);
  EntryText entry = read_trusted_entry(at);
  if (entry.suffix == key) return Entry{key, entry.value, EntryTag::decode(entry.tag)};
  if (entry.end == end) return std::nullopt;

  // An entry that shares more with the restart key than the wanted key does is before it.
  const std::size_t shared = shared_bytes(entry.suffix, key);
  for (at = entry.end; at != end; at = entry.end) {
    entry = read_trusted_entry(at);
    if (entry.shared > shared) continue;
    const int order = key.substr(entry.shared).compare(entry.suffix);
    if (order == 0) return Entry{key, entry.value, EntryTag::decode(entry.tag)};
    if (order < 0) return std::nullopt;
  }
  return std::nullopt;
}

void BlockCursor::reset(const BlockView& block) {
  block_ = block;
  valid_ = false;
  listed_restart_.reset();
}

void BlockCursor::enter(std::uint32_t restart) {
  restart_ = restart;
  read(block_.entry_offset(restart));
}

void BlockCursor::read(std::uint32_t offset) {
  const EntryText entry = read_trusted_entry(block_.bytes_ + offset);
  offset_ = offset;
  next_offset_ = static_cast<std::uint32_t>(entry.end - block_.bytes_);
  __builtin_prefetch(entry.end);  // a value of some length parts it from what is in the processor's caches
  valid_ = true;
  entry_.value = entry.value;
  entry_.tag = EntryTag::decode(entry.tag);
  if (entry.shared == 0) {
    restart_key_ = entry.suffix;
    entry_.key = entry.suffix;
    return;
  }
  key_.assign(restart_key_.data(), entry.shared).append(entry.suffix);
  entry_.key = key_;
}

void BlockCursor::seek_first() { enter(0); }

void BlockCursor::seek_last() {
  enter(block_.restart_count_ - 1);
  while (next_offset_ != block_.size_) read(next_offset_);
}

void BlockCursor::seek(BytesView key) {
  valid_ = false;
  const BytesView prefix = block_.prefix();
  const int order = key.substr(0, prefix.size()).compare(prefix);
  if (order > 0) return;
  if (order < 0) return enter(0);
  const std::optional<std::uint32_t> restart = block_.restart_at_or_before(key);
  enter(restart.value_or(0));
  while (valid_ && entry_.key < key) next();
}

void BlockCursor::seek_before(BytesView key) {
  seek(key);
  if (valid_) {
    previous();
  } else {
    seek_last();
  }
}

void BlockCursor::next() {
  assert(valid_);
  if (next_offset_ == block_.size_) {
    valid_ = false;
    return;
  }
  if (next_offset_ == block_.entry_offset(restart_ + 1)) ++restart_;
  read(next_offset_);
}

void BlockCursor::previous() {
  assert(valid_);
  if (offset_ == block_.entry_offset(restart_)) {
    if (restart_ == 0) {
      valid_ = false;
      return;
    }
    enter(restart_ - 1);
    if (next_offset_ == block_.entry_offset(restart_ + 1)) return;  // it stands alone
    list_group();
    return read(group_.back());
  }
  list_group();
  read(*(std::ranges::lower_bound(group_, offset_) - 1));
}

void BlockCursor::list_group() {
  if (listed_restart_ == restart_) return;
  listed_restart_ = restart_;
  group_.clear();
  const char* const end = block_.bytes_ + block_.entry_offset(restart_ + 1);
  for (const char* at = block_.bytes_ + block_.entry_offset(restart_); at != end;) {
    group_.push_back(static_cast<std::uint32_t>(at - block_.bytes_));
    at = read_trusted_entry(at).end;
  }
}

namespace {

constexpr std::size_t kAllocationOverheadBytes = 16;  // what malloc keeps for itself

}  // namespace

boost::intrusive_ptr<Block> Block::allocate(std::size_t size) {
  return new (::operator new(sizeof(Block) + size)) Block{size};
}

std::span<char> Block::bytes() { return {reinterpret_cast<char*>(this + 1), size_}; }

bool Block::adopt(std::size_t used, Structure structure) {
  if (structure == Structure::checked_before) {
    view_ = BlockView::parse_trusted(stored().substr(0, used));
    return true;
  }
  const std::optional<BlockView> view = BlockView::parse(stored().substr(0, used));
  if (!view) return false;
  view_ = *view;
  return true;
}

std::size_t Block::memory_bytes() const { return sizeof(Block) + size_ + kAllocationOverheadBytes; }

}  // namespace shale::engine::lsm
