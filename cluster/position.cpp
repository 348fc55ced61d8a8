#include "cluster/position.h"

#include <array>

namespace shale::cluster {
namespace {

// CRC-16/XMODEM (polynomial 0x1021, nothing reflected, initial value 0), which Redis Cluster prescribes. Two
// bytes a step: table 1 is table 0 with one more zero byte behind it.
using CrcTable = std::array<std::uint16_t, 256>;

constexpr CrcTable make_crc_table() {
  CrcTable table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000u) ? (crc << 1 ^ 0x1021u) : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}

constexpr CrcTable kCrcTable = make_crc_table();

constexpr CrcTable make_two_byte_table() {
  CrcTable table{};
  for (unsigned byte = 0; byte < table.size(); ++byte) {
    const unsigned crc = kCrcTable[byte];
    table[byte] = static_cast<std::uint16_t>((crc << 8 ^ kCrcTable[crc >> 8]) & 0xffffu);
  }
  return table;
}

constexpr CrcTable kTwoByteTable = make_two_byte_table();

std::uint32_t crc16(BytesView bytes) {
  unsigned crc = 0;
  std::size_t i = 0;
  for (; i + 2 <= bytes.size(); i += 2) {
    const unsigned first = (crc >> 8) ^ static_cast<std::uint8_t>(bytes[i]);
    const unsigned second = (crc & 0xff) ^ static_cast<std::uint8_t>(bytes[i + 1]);
    crc = kTwoByteTable[first] ^ kCrcTable[second];
  }
  if (i < bytes.size()) {
    const unsigned index = (crc >> 8) ^ static_cast<std::uint8_t>(bytes[i]);
    crc = (crc << 8 ^ kCrcTable[index]) & 0xffffu;
  }
  return crc;
}

constexpr std::uint64_t kTagHashMask = (std::uint64_t{1} << (64 - kSlotBits)) - 1;

}  // namespace

BytesView hash_tag(BytesView key) {
  const auto open = key.find('{');
  if (open == BytesView::npos) return key;
  const auto close = key.find('}', open + 1);
  if (close == BytesView::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

std::uint32_t slot_of(BytesView key) { return crc16(hash_tag(key)) & (kSlotCount - 1); }

std::uint64_t token_of(BytesView key) {
  const BytesView tag = hash_tag(key);
  const std::uint64_t slot = crc16(tag) & (kSlotCount - 1);
  return slot << (64 - kSlotBits) | (engine::hash_bytes(tag) & kTagHashMask);
}

void Placement::append(std::uint64_t token, DatabaseId database, BytesView key, Bytes& out) const {
  const std::uint64_t token_bytes = __builtin_bswap64(token);
  const std::uint32_t id = __builtin_bswap32(database);
  char prefix[kTokenBytes + sizeof id];
  std::memcpy(prefix, &token_bytes, sizeof token_bytes);
  std::memcpy(prefix + sizeof token_bytes, &id, sizeof id);
  out.append(prefix + kTokenBytes - database_offset_, prefix_bytes());
  out.append(key);
}

Bytes end_of_prefix(Bytes prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

}  // namespace shale::cluster
