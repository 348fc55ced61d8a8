#include "src/rdb/crc64.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace shale::rdb {
namespace {

constexpr std::uint64_t kPolynomial = 0x95ac9329ac4bc9b5;  // reflected
constexpr std::size_t kSlices = 8;

// tables[k][b]: what byte b, followed by k zero bytes, makes of the checksum. With eight of them a word is
// eight independent look-ups.
using Tables = std::array<std::array<std::uint64_t, 256>, kSlices>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint64_t before = tables[slice - 1][byte];
      tables[slice][byte] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint64_t crc64(std::uint64_t crc, std::string_view bytes) {
  for (; bytes.size() >= kSlices; bytes.remove_prefix(kSlices)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    crc ^= word;
    std::uint64_t next = 0;
    for (std::size_t at = 0; at < kSlices; ++at) next ^= kTables[kSlices - 1 - at][crc >> (8 * at) & 0xff];
    crc = next;
  }
  for (const char byte : bytes) crc = crc >> 8 ^ kTables[0][(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return crc;
}

}  // namespace shale::rdb
