#include "engine/btree/record_page.h"

#include <algorithm>
#include <cassert>

namespace shale::engine::btree {
namespace {

constexpr std::size_t kHeadBytes = RecordPage::kHeadBytes;

std::size_t varint_bytes(std::uint64_t value) {
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

// Of the records themselves, without the arrays.
std::size_t bytes_of(const Record& record, std::size_t prefix_bytes) {
  const std::size_t suffix_bytes = record.key.size() - prefix_bytes;
  return varint_bytes(suffix_bytes) + varint_bytes(record.value.size()) + 1 +
         (suffix_bytes > kHeadBytes ? suffix_bytes - kHeadBytes : 0) + record.value.size();
}

char* append(char* to, BytesView bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

template <class Number>
char* append(char* to, Number value) {
  std::memcpy(to, &value, sizeof value);
  return to + sizeof value;
}

}  // namespace

RecordPage::RecordPage(BytesView payload)
    : payload_(payload.data()),
      payload_bytes_(static_cast<std::uint32_t>(payload.size())),
      count_(load_u32(payload.data())),
      prefix_bytes_(load_u32(payload.data() + 4)) {}

std::optional<RecordPage> RecordPage::parse(BytesView payload) {
  if (payload.size() < kArraysAt) return {};
  const std::uint64_t count = load_u32(payload.data());
  const std::uint64_t prefix_bytes = load_u32(payload.data() + 4);
  const std::uint64_t offset_bytes = payload.size() > kNarrowBytesMax ? 4 : 2;
  if (kArraysAt + count * (kHeadBytes + offset_bytes) + prefix_bytes > payload.size()) return {};
  const RecordPage page{payload};
  if (!page.is_sound()) return {};
  return page;
}

// Records lie back to back, in order, from behind the prefix to the end.
bool RecordPage::is_sound() const {
  auto begin = static_cast<std::uint32_t>(prefix().data() + prefix().size() - payload_);
  for (std::uint32_t i = 0; i < count_; ++i) {
    const auto end = i + 1 < count_ ? offset(i + 1) : payload_bytes_;
    if (offset(i) != begin || !record_is_sound(i, begin, end)) return false;
    begin = end;
  }
  return begin == payload_bytes_;
}

bool RecordPage::record_is_sound(std::uint32_t index, std::uint32_t begin, std::uint32_t end) const {
  if (end < begin || end > payload_bytes_) return false;
  ByteReader reader{{payload_ + begin, end - begin}};
  const std::uint64_t suffix_bytes = reader.varint();
  const std::uint64_t value_bytes = reader.varint();
  const std::uint8_t tag = reader.u8();
  reader.take(suffix_bytes > kHeadBytes ? suffix_bytes - kHeadBytes : 0);
  reader.take(value_bytes);
  if (reader.failed() || !reader.at_end() || !RecordTag::is_valid(tag)) return false;
  // Of a short suffix the head is padded with zeros.
  if (suffix_bytes < kHeadBytes && (head(index) << 8 * suffix_bytes) != 0 && suffix_bytes != 0) return false;
  if (suffix_bytes == 0 && head(index) != 0) return false;
  if (index == 0) return true;
  Bytes previous;
  key(index - 1, previous);
  const BytesView suffix = BytesView{previous}.substr(prefix_bytes_);
  return compare(index, key_head(suffix), suffix) > 0;
}

RecordPage::Parts RecordPage::parts(std::uint32_t index) const {
  assert(index < count_);
  const char* at = payload_ + offset(index);
  Parts parts;
  std::uint64_t value_bytes = 0;
  at = read_varint(at, end(), parts.suffix_bytes);
  at = read_varint(at, end(), value_bytes);
  parts.tag = RecordTag::decode(static_cast<std::uint8_t>(*at++));
  const std::size_t rest_bytes = parts.suffix_bytes > kHeadBytes ? parts.suffix_bytes - kHeadBytes : 0;
  parts.rest = {at, rest_bytes};
  parts.value = {at + rest_bytes, value_bytes};
  return parts;
}

BytesView RecordPage::entry(std::uint32_t index, Bytes& key) const {
  const Parts record = parts(index);
  const std::uint64_t head_bytes = __builtin_bswap64(head(index));
  key.resize(prefix_bytes_ + record.suffix_bytes);
  char* at = append(key.data(), prefix());
  if (record.suffix_bytes < kHeadBytes) {
    std::memcpy(at, &head_bytes, record.suffix_bytes);
  } else {
    append(append(at, head_bytes), record.rest);
  }
  return record.value;
}

// The record's key against `suffix`, whose head is `head`: below, equal to or above 0 as memcmp.
int RecordPage::compare(std::uint32_t index, std::uint64_t other_head, BytesView suffix) const {
  const std::uint64_t own_head = head(index);
  if (own_head != other_head) return own_head < other_head ? -1 : 1;
  const Parts record = parts(index);
  // Equal heads of which one is padded: the bytes they have are equal, and zeros follow.
  if (record.suffix_bytes > kHeadBytes && suffix.size() > kHeadBytes) {
    return record.rest.compare(suffix.substr(kHeadBytes));
  }
  if (record.suffix_bytes == suffix.size()) return 0;
  return record.suffix_bytes < suffix.size() ? -1 : 1;
}

std::uint32_t RecordPage::lower_bound(std::uint64_t wanted) const {
  if (count_ == 0) return 0;
  std::uint32_t first = 0;
  for (std::uint32_t size = count_; size > 1;) {  // without a branch that would be mispredicted half the time
    const std::uint32_t half = size / 2;
    first = head(first + half - 1) < wanted ? first + half : first;
    size -= half;
  }
  return first + (head(first) < wanted ? 1 : 0);
}

std::uint32_t RecordPage::lower_bound(std::uint32_t first, std::uint64_t wanted, BytesView suffix,
                                      bool& is_equal) const {
  is_equal = false;
  if (first == count_ || head(first) != wanted) return first;
  // Mostly there is one.
  const bool are_several = first + 1 < count_ && head(first + 1) == wanted;
  const auto end_of_head = [&] { return wanted == UINT64_MAX ? count_ : lower_bound(wanted + 1); };
  std::uint32_t size = are_several ? end_of_head() - first : 1;
  while (size != 0) {
    const std::uint32_t half = size / 2;
    const int order = compare(first + half, wanted, suffix);
    if (order == 0) {
      is_equal = true;
      return first + half;
    }
    first = order < 0 ? first + half + 1 : first;
    size = order < 0 ? size - half - 1 : half;
  }
  return first;
}

std::uint32_t RecordPage::lower_bound(BytesView key, bool& is_equal) const {
  is_equal = false;
  if (count_ == 0) return 0;
  if (!key.starts_with(prefix())) return key < prefix() ? 0 : count_;
  const BytesView suffix = key.substr(prefix_bytes_);
  const std::uint64_t wanted = key_head(suffix);
  return lower_bound(lower_bound(wanted), wanted, suffix, is_equal);
}

// All lines of heads that a search may read, or of many those of its first steps, and the offsets: one after
// the other each would be waited for.
void RecordPage::prefetch_search() const {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kLinesMax = 20;
  const auto bytes = static_cast<std::size_t>(offsets() - heads());
  const std::size_t stride = std::max(kLine, bytes / kLinesMax);
  for (std::size_t at = 0; at < bytes; at += stride) __builtin_prefetch(heads() + at);
  if (stride > kLine) return;
  const std::size_t offset_bytes = std::size_t{count_} * 2;
  for (std::size_t at = 0; at < offset_bytes; at += kLine) __builtin_prefetch(offsets() + at);
}

// The prefix of the key is taken for the page's: find() looks at it.
std::uint32_t RecordPage::first_with_head(BytesView key) const {
  if (key.size() < prefix_bytes_) return count_;
  const std::uint64_t wanted = key_head(key.substr(prefix_bytes_));
  const std::uint32_t first = lower_bound(wanted);
  if (first == count_ || head(first) != wanted) return count_;
  const char* const record = payload_ + offset(first);
  __builtin_prefetch(record);
  __builtin_prefetch(record + 64);
  return first;
}

std::optional<std::uint32_t> RecordPage::find(BytesView key, std::uint32_t first) const {
  if (first == count_) return {};
  const BytesView suffix = key.substr(prefix_bytes_);
  bool is_equal = false;
  const std::uint32_t index = lower_bound(first, key_head(suffix), suffix, is_equal);
  if (!is_equal || !key.starts_with(prefix())) return {};
  return index;
}

std::size_t record_bytes(std::size_t key_bytes, std::size_t value_bytes) {
  return kHeadBytes + 2 + varint_bytes(key_bytes) + varint_bytes(value_bytes) + 1 +
         (key_bytes > kHeadBytes ? key_bytes - kHeadBytes : 0) + value_bytes;
}

PageImage::Ref build_record_page(std::span<const Record> records) {
  const std::size_t prefix_bytes =
      records.empty() ? 0 : shared_bytes(records.front().key, records.back().key);
  std::size_t bytes = RecordPage::kArraysAt + prefix_bytes + records.size() * (kHeadBytes + 2);
  for (const Record& record : records) bytes += bytes_of(record, prefix_bytes);
  const bool is_wide = bytes > RecordPage::kNarrowBytesMax;
  if (is_wide) bytes += records.size() * 2;
  auto image = PageImage::make(kPageHeaderBytes + bytes);
  std::memset(image->data(), 0, kPageHeaderBytes);
  char* const payload = image->data() + kPageHeaderBytes;
  char* heads = append(payload, static_cast<std::uint32_t>(records.size()));
  heads = append(heads, static_cast<std::uint32_t>(prefix_bytes));
  char* offsets = heads + records.size() * kHeadBytes;
  char* at = offsets + records.size() * (is_wide ? 4 : 2);
  if (!records.empty()) at = append(at, records.front().key.substr(0, prefix_bytes));
  for (const Record& record : records) {
    const BytesView suffix = record.key.substr(prefix_bytes);
    heads = append(heads, key_head(suffix));
    const auto offset = static_cast<std::uint32_t>(at - payload);
    offsets = is_wide ? append(offsets, offset) : append(offsets, static_cast<std::uint16_t>(offset));
    at = write_varint(at, suffix.size());
    at = write_varint(at, record.value.size());
    at = append(at, record.tag.encode());
    if (suffix.size() > kHeadBytes) at = append(at, suffix.substr(kHeadBytes));
    at = append(at, record.value);
  }
  assert(at == payload + bytes);
  return image;
}

}  // namespace shale::engine::btree
