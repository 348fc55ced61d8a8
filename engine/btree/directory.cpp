#include "engine/btree/directory.h"

#include "engine/encoding.h"

namespace shale::engine::btree {
namespace {
constexpr BytesView kMagic = "SHALEPAG";
constexpr std::size_t kChecksumAt = 8 + 4 + 8 + 8 + 4 + 4;
}  // namespace

Bytes Superblock::encode() const {
  Bytes block{kMagic};
  append_u32(block, format);
  append_u64(block, sequence);
  append_u64(block, directory.offset);
  append_u32(block, directory.bytes);
  append_u32(block, directory.check);
  append_u64(block, hash_bytes(block));
  block.resize(kSuperblockBytes, '\0');
  return block;
}

std::optional<Superblock> Superblock::decode(BytesView block) {
  ByteReader reader{block};
  if (reader.take(kMagic.size()) != kMagic) return {};
  Superblock superblock;
  superblock.format = reader.u32();
  superblock.sequence = reader.u64();
  superblock.directory.offset = reader.u64();
  superblock.directory.bytes = reader.u32();
  superblock.directory.check = reader.u32();
  const std::uint64_t checksum = reader.u64();
  if (reader.failed() || checksum != hash_bytes(block.substr(0, kChecksumAt))) return {};
  return superblock;
}

PageImage::Ref encode_directory(const Directory& directory) {
  Bytes payload;
  append_varint(payload, directory.size());
  for (const auto& [id, state] : directory) {
    append_varint(payload, id);
    append_varint(payload, state.persisted_lsn);
    append_address(payload, state.root);
    append_varint(payload, state.counts.all().size());
    for (const lsm::ClassBalance& balance : state.counts.all()) {
      append_varint(payload, balance.count_class);
      append_signed_varint(payload, balance.sum);
    }
  }
  auto image = PageImage::make(kPageHeaderBytes + payload.size());
  std::memcpy(image->data() + kPageHeaderBytes, payload.data(), payload.size());
  return image;
}

std::optional<Directory> decode_directory(BytesView payload) {
  ByteReader reader{payload};
  Directory directory;
  const std::uint64_t trees = reader.varint();
  for (std::uint64_t i = 0; i < trees && !reader.failed(); ++i) {
    const std::uint64_t id = reader.varint();
    TreeState state;
    state.persisted_lsn = reader.varint();
    state.root = take_address(reader);
    const std::uint64_t balances = reader.varint();
    for (std::uint64_t j = 0; j < balances && !reader.failed(); ++j) {
      const std::uint64_t count_class = reader.varint();
      const std::int64_t sum = reader.signed_varint();
      if (count_class > UINT32_MAX) return {};
      state.counts.add(static_cast<std::uint32_t>(count_class), sum);
    }
    if (id > UINT32_MAX || !directory.emplace(static_cast<std::uint32_t>(id), std::move(state)).second)
      return {};
  }
  if (reader.failed() || !reader.at_end()) return {};
  return directory;
}

}  // namespace shale::engine::btree
