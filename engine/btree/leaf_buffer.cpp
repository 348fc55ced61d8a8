#include "engine/btree/leaf_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/btree/record_page.h"

namespace shale::engine::btree {
namespace {
constexpr std::size_t kDeadBytesMin = 1024;  // below that compacting is not worth it
}

LeafBuffer::Header LeafBuffer::header(const Slot& slot) const {
  Header header;
  std::memcpy(&header, arena_.data() + slot.offset, sizeof header);
  return header;
}

BytesView LeafBuffer::key(const Slot& slot) const {
  return BytesView{arena_}.substr(slot.offset + sizeof(Header), header(slot).key_bytes);
}

Record LeafBuffer::at(std::uint32_t index) const {
  const Slot& slot = slots_[index];
  const Header found = header(slot);
  const char* const key = arena_.data() + slot.offset + sizeof(Header);
  return {{key, found.key_bytes}, {key + found.key_bytes, found.value_bytes}, RecordTag::decode(found.tag)};
}

std::uint32_t LeafBuffer::lower_bound(BytesView wanted, bool& is_equal) const {
  is_equal = false;
  const std::uint64_t head = key_head(wanted);
  std::uint32_t first = 0;
  for (std::uint32_t size = count(); size != 0;) {  // by heads first, without a branch
    const std::uint32_t half = size / 2;
    const bool is_before = slots_[first + half].head < head;
    first = is_before ? first + half + 1 : first;
    size = is_before ? size - half - 1 : half;
  }
  if (first == count() || slots_[first].head != head) return first;
  for (std::uint32_t size = count() - first; size != 0;) {
    const std::uint32_t half = size / 2;
    const Slot& middle = slots_[first + half];
    const bool is_before = middle.head == head && key(middle) < wanted;
    first = is_before ? first + half + 1 : first;
    size = is_before ? size - half - 1 : half;
  }
  is_equal = first < count() && slots_[first].head == head && key(slots_[first]) == wanted;
  return first;
}

void LeafBuffer::put_at(std::uint32_t index, bool is_equal, const Record& record) {
  if (is_equal) {
    replace(slots_[index], record);
  } else {
    const std::uint32_t offset = append_record(record);
    slots_.insert(slots_.begin() + index, Slot{key_head(record.key), offset});
    page_bytes_ += record_bytes(record.key.size(), record.value.size());
  }
  if (dead_bytes_ > kDeadBytesMin && dead_bytes_ > arena_.size() / 2) compact();
  note_memory();
}

void LeafBuffer::note_memory() {
  charge_.set(allocation_bytes(sizeof *this) + allocation_bytes(slots_.capacity() * sizeof(Slot)) +
              allocation_bytes(arena_.capacity()));
}

void LeafBuffer::replace(Slot& slot, const Record& record) {
  Header known = header(slot);
  page_bytes_ -= record_bytes(known.key_bytes, known.value_bytes);
  page_bytes_ += record_bytes(record.key.size(), record.value.size());
  if (record.value.size() > known.value_room) {
    dead_bytes_ += sizeof(Header) + known.key_bytes + known.value_room;
    slot.offset = append_record(record);
    return;
  }
  known.value_bytes = static_cast<std::uint32_t>(record.value.size());
  known.tag = record.tag.encode();
  std::memcpy(arena_.data() + slot.offset, &known, sizeof known);
  if (!record.value.empty()) {
    std::memcpy(arena_.data() + slot.offset + sizeof known + known.key_bytes, record.value.data(),
                record.value.size());
  }
}

void LeafBuffer::set_tag(std::uint32_t index, RecordTag tag) {
  Header known = header(slots_[index]);
  known.tag = tag.encode();
  std::memcpy(arena_.data() + slots_[index].offset, &known, sizeof known);
}

std::size_t LeafBuffer::erased_bytes() const {
  std::size_t bytes = 0;
  for (const Slot& slot : slots_) {
    const Header found = header(slot);
    if (RecordTag::decode(found.tag).erased) bytes += record_bytes(found.key_bytes, 0);
  }
  return bytes;
}

std::size_t LeafBuffer::guess_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      slots_, [this](const Slot& slot) { return RecordTag::decode(header(slot).tag).guessed; }));
}

std::uint32_t LeafBuffer::append_record(const Record& record) {
  assert(arena_.size() + sizeof(Header) + record.key.size() + record.value.size() < UINT32_MAX);
  const auto offset = static_cast<std::uint32_t>(arena_.size());
  Header header{};
  header.key_bytes = static_cast<std::uint32_t>(record.key.size());
  header.value_bytes = static_cast<std::uint32_t>(record.value.size());
  header.value_room = header.value_bytes;
  header.tag = record.tag.encode();
  arena_.append(reinterpret_cast<const char*>(&header), sizeof header);
  arena_.append(record.key);
  arena_.append(record.value);
  return offset;
}

void LeafBuffer::compact() {
  const Bytes old = std::move(arena_);
  arena_ = {};
  arena_.reserve(old.size() - dead_bytes_ + old.size() / 4);
  dead_bytes_ = 0;
  for (Slot& slot : slots_) {
    Header header;
    std::memcpy(&header, old.data() + slot.offset, sizeof header);
    const char* const key = old.data() + slot.offset + sizeof header;
    slot.offset = append_record({{key, header.key_bytes},
                                 {key + header.key_bytes, header.value_bytes},
                                 RecordTag::decode(header.tag)});
  }
}

}  // namespace shale::engine::btree
