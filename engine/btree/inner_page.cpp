#include "engine/btree/inner_page.h"

#include <algorithm>

#include "engine/btree/record.h"
#include "engine/encoding.h"

namespace shale::engine::btree {
namespace {

constexpr std::uint8_t kHasCounts = 0x80;  // beside the level
constexpr std::uint8_t kHasTimes = 0x40;

// To the second, rather early than late.
std::uint64_t encode_time(std::int64_t unix_ms) {
  if (unix_ms == KeyPolicy::kNeverObsolete) return 0;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(unix_ms, 0)) / 1000 + 1;
}

std::int64_t decode_time(std::uint64_t encoded) {
  constexpr std::uint64_t kSecondsMax = INT64_MAX / 1000;
  return encoded == 0 || encoded > kSecondsMax ? KeyPolicy::kNeverObsolete
                                               : static_cast<std::int64_t>((encoded - 1) * 1000);
}

void append_counts(Bytes& to, const KeyCounts& counts) {
  std::uint64_t classes = 0;
  counts.for_each([&](std::uint32_t, std::int64_t) { ++classes; });
  append_varint(to, classes);
  counts.for_each([&](std::uint32_t count_class, std::int64_t sum) {
    append_varint(to, count_class);
    append_signed_varint(to, sum);
  });
}

// False if there is something else.
bool take_counts(ByteReader& from, KeyCounts& counts) {
  const std::uint64_t classes = from.varint();
  for (std::uint64_t i = 0; i < classes && !from.failed(); ++i) {
    const std::uint64_t count_class = from.varint();
    const std::int64_t sum = from.signed_varint();
    if (count_class > UINT32_MAX) return false;
    counts.add(static_cast<std::uint32_t>(count_class), sum);
  }
  return !from.failed();
}

}  // namespace

KeyCounts InnerPage::keys() const {
  KeyCounts all;
  for (const Child& child : children) all.add(child.keys);
  return all;
}

PageImage::Ref InnerPage::encode() const {
  const std::size_t prefix_bytes =
      children.size() < 2 ? 0 : shared_bytes(children[1].separator, children.back().separator);
  Bytes payload;
  append_u8(payload, level | kHasCounts | (level == 1 ? kHasTimes : 0));
  append_varint(payload, children.size());
  append_length_prefixed(payload, BytesView{children.back().separator}.substr(0, prefix_bytes));
  for (const Child& child : children) {
    if (&child != &children.front()) {
      append_length_prefixed(payload, BytesView{child.separator}.substr(prefix_bytes));
    }
    append_address(payload, child.page);
    if (level == 1) append_address(payload, child.changes);
    append_counts(payload, child.keys);
    if (level == 1) append_varint(payload, encode_time(child.obsolete_from_ms));
  }
  auto image = PageImage::make(kPageHeaderBytes + payload.size());
  std::memcpy(image->data() + kPageHeaderBytes, payload.data(), payload.size());
  return image;
}

std::optional<InnerPage> InnerPage::decode(BytesView payload) {
  ByteReader reader{payload};
  InnerPage page;
  const std::uint8_t first = reader.u8();
  page.level = first & ~(kHasCounts | kHasTimes);
  const bool has_times = (first & kHasTimes) != 0;
  page.has_counts = (first & kHasCounts) != 0;
  const std::uint64_t count = reader.varint();
  const BytesView prefix = reader.length_prefixed();
  if (reader.failed() || page.level == 0 || count == 0 || count > payload.size()) return {};
  page.children.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    Child child;
    if (i != 0) {
      child.separator = prefix;
      child.separator += reader.length_prefixed();
      if (i > 1 && child.separator <= page.children.back().separator) return {};
    }
    child.page = take_address(reader);
    if (page.level == 1) child.changes = take_address(reader);
    if (page.level > 1 && !child.page.exists()) return {};
    if (page.has_counts && !take_counts(reader, child.keys)) return {};
    if (page.level == 1) child.obsolete_from_ms = has_times ? decode_time(reader.varint()) : 0;
    page.children.push_back(std::move(child));
  }
  if (reader.failed() || !reader.at_end()) return {};
  return page;
}

}  // namespace shale::engine::btree
