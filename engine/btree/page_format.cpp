#include "engine/btree/page_format.h"

#include <fmt/format.h>

#include <limits>
#include <new>

namespace shale::engine::btree {
namespace {

constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kOffsetAt = 8;
constexpr std::size_t kPayloadBytesAt = 16;
constexpr std::size_t kTreeAt = 20;
constexpr std::size_t kTypeAt = 24;

template <class Number>
void store(char* to, Number value) {
  std::memcpy(to, &value, sizeof value);
}

std::uint64_t checksum_of(BytesView page) { return hash_bytes(page.substr(kChecksumBytes)); }

}  // namespace

void append_address(Bytes& to, const PageAddress& address) {
  append_varint(to, address.bytes);
  if (!address.exists()) return;
  append_varint(to, address.offset);
  append_u32(to, address.check);
}

PageAddress take_address(ByteReader& from) {
  PageAddress address;
  const std::uint64_t bytes = from.varint();
  if (bytes == 0 || bytes > std::numeric_limits<std::uint32_t>::max()) {
    if (bytes != 0) from.take(std::numeric_limits<std::uint64_t>::max());  // fails
    return address;
  }
  address.bytes = static_cast<std::uint32_t>(bytes);
  address.offset = from.varint();
  address.check = from.u32();
  return from.failed() ? PageAddress{} : address;
}

PageImage::MutableRef PageImage::make(std::size_t page_bytes) {
  void* const memory = ::operator new(sizeof(PageImage) + page_bytes);
  return MutableRef{new (memory) PageImage(page_bytes)};
}

PageAddress seal_page(char* page, std::size_t page_bytes, PageType type, std::uint32_t tree,
                      std::uint64_t offset) {
  std::memset(page, 0, kPageHeaderBytes);
  store(page + kOffsetAt, offset);
  store(page + kPayloadBytesAt, static_cast<std::uint32_t>(page_bytes - kPageHeaderBytes));
  store(page + kTreeAt, tree);
  store(page + kTypeAt, static_cast<std::uint8_t>(type));
  const std::uint64_t checksum = checksum_of({page, page_bytes});
  store(page, checksum);
  return {offset, static_cast<std::uint32_t>(page_bytes), static_cast<std::uint32_t>(checksum)};
}

Status check_page(BytesView page, const PageAddress& address, PageType type, const std::string& path) {
  const auto damage = [&](std::string_view what) {
    return corruption(fmt::format("{}: page at offset {}: {}", path, address.offset, what));
  };
  if (page.size() < kPageHeaderBytes || page.size() != address.bytes) return damage("impossible length");
  const std::uint64_t checksum = load_u64(page.data());
  if (checksum != checksum_of(page)) return damage("checksum mismatch");
  if (static_cast<std::uint32_t>(checksum) != address.check) return damage("not the page that was written");
  const bool is_expected = load_u64(page.data() + kOffsetAt) == address.offset &&
                           load_u32(page.data() + kPayloadBytesAt) == page.size() - kPageHeaderBytes &&
                           static_cast<PageType>(page[kTypeAt]) == type;
  if (!is_expected) return damage("another page than expected");
  return {};
}

}  // namespace shale::engine::btree
