#include "engine/btree/inner_page.h"

#include "engine/btree/record.h"
#include "engine/encoding.h"

namespace shale::engine::btree {

PageImage::Ref InnerPage::encode() const {
  const std::size_t prefix_bytes =
      children.size() < 2 ? 0 : shared_bytes(children[1].separator, children.back().separator);
  Bytes payload;
  append_u8(payload, level);
  append_varint(payload, children.size());
  append_length_prefixed(payload, BytesView{children.back().separator}.substr(0, prefix_bytes));
  for (const Child& child : children) {
    if (&child != &children.front()) {
      append_length_prefixed(payload, BytesView{child.separator}.substr(prefix_bytes));
    }
    append_address(payload, child.page);
    if (level == 1) append_address(payload, child.changes);
  }
  auto image = PageImage::make(kPageHeaderBytes + payload.size());
  std::memcpy(image->data() + kPageHeaderBytes, payload.data(), payload.size());
  return image;
}

std::optional<InnerPage> InnerPage::decode(BytesView payload) {
  ByteReader reader{payload};
  InnerPage page;
  page.level = reader.u8();
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
    page.children.push_back(std::move(child));
  }
  if (reader.failed() || !reader.at_end()) return {};
  return page;
}

}  // namespace shale::engine::btree
