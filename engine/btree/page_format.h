// What every page in a page file begins with, and how a page that is not what it should be is caught.
//
//   page := checksum:u64  offset:u64  payload_bytes:u32  tree:u32  type:u8  zero:u8[7]  payload
//
// The checksum is XXH3-64 of everything after itself. It covers the page's own offset, and whoever refers to
// a page repeats the lower half of its checksum: a page that was written elsewhere, not at all, or in an
// earlier life of its place does not match. docs/formats.md, "Page file".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/btree/memory_use.h"
#include "engine/bytes.h"
#include "engine/encoding.h"
#include "engine/memory/pinned.h"
#include "engine/result.h"

namespace shale::engine::btree {

enum class PageType : std::uint8_t {  // stored: append, never renumber
  base = 1,                           // record_page.h
  changes = 2,                        // record_page.h
  inner = 3,                          // inner_page.h
  directory = 4,                      // directory.h
};

inline constexpr std::size_t kPageHeaderBytes = 32;

// Where a page lies, and what tells that it is the one that is meant.
struct PageAddress {
  std::uint64_t offset = 0;  // in the file
  std::uint32_t bytes = 0;   // header included; 0: there is no page
  std::uint32_t check = 0;   // the lower half of its checksum

  bool exists() const { return bytes != 0; }
  bool operator==(const PageAddress&) const = default;
};

// varint offset, varint bytes, u32 check; of no page a single 0.
void append_address(Bytes& to, const PageAddress& address);
PageAddress take_address(ByteReader& from);

// A page's bytes in memory, header included: read from the file, or built and given its header when it is
// written. The payload never changes.
class PageImage final : public Pinned {
 public:
  using Ref = boost::intrusive_ptr<const PageImage>;
  using MutableRef = boost::intrusive_ptr<PageImage>;

  static MutableRef make(std::size_t page_bytes);
  static void operator delete(void* memory) { ::operator delete(memory); }

  std::size_t bytes() const { return bytes_; }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  char* data() { return reinterpret_cast<char*>(this + 1); }
  BytesView payload() const { return {data() + kPageHeaderBytes, bytes_ - kPageHeaderBytes}; }
  // What the image takes of memory.
  std::size_t memory_bytes() const { return charge_.bytes(); }

 private:
  explicit PageImage(std::size_t bytes)
      : bytes_(bytes), charge_(MemoryKind::pages, allocation_bytes(sizeof(PageImage) + bytes)) {}
  // There is memory behind the object: only make() knows how much.
  static void* operator new(std::size_t, void* place) { return place; }

  const std::size_t bytes_;
  const MemoryCharge charge_;
};

// Fills in the header of a page that will stand at `offset`. `page` has room for it in front of the payload.
PageAddress seal_page(char* page, std::size_t page_bytes, PageType type, std::uint32_t tree,
                      std::uint64_t offset);

// Whether `page` is the page that `address` means. The Error names `path` and the offset.
Status check_page(BytesView page, const PageAddress& address, PageType type, const std::string& path);

}  // namespace shale::engine::btree
