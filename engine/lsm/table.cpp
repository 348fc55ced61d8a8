#include "engine/lsm/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/lsm/key_bounds.h"
#include "engine/lsm/table_load.h"

namespace shale::engine::lsm {
namespace {

Error out_of_memory(const std::string& path, std::uint64_t bytes) {
  return {ErrorKind::io, fmt::format("{}: no memory for {} bytes", path, bytes)};
}

}  // namespace

Table::Table(std::string path, std::unique_ptr<File> file, BlockCache& cache, Checksums checksums)
    : path_(std::move(path)),
      file_(std::move(file)),
      cache_(cache),
      cache_id_(cache.new_table()),
      checksums_(checksums),
      loads_(std::make_unique<TableLoadRegistry>()) {}

Table::~Table() { drop_cached_blocks(); }

Result<std::shared_ptr<Table>> Table::open(FileSystem& files, const std::string& path,
                                           std::uint64_t table_number, BlockCache& cache,
                                           Checksums checksums) {
  Result<std::unique_ptr<File>> file = files.open(path);
  if (!file) return file.error();
  const std::shared_ptr<Table> table{new Table{path, std::move(*file), cache, checksums}};
  if (Status status = table->read_tail(table_number); !status) return status.error();
  return table;
}

Error Table::damaged(std::uint64_t offset, std::string_view what) const {
  return corruption(fmt::format("{}: offset {}: {}", path_, offset, what));
}

Status Table::read_tail(std::uint64_t table_number) {
  const Result<std::uint64_t> size = file_->size();
  if (!size) return size.error();
  if (*size < TableFooter::kEncodedBytes) return damaged(0, "too short for a table");
  const std::uint64_t footer_offset = *size - TableFooter::kEncodedBytes;
  std::array<char, TableFooter::kEncodedBytes> encoded;
  if (Status status = file_->read_at(footer_offset, encoded); !status) return status;
  TableFooter footer;
  switch (decode_footer(encoded, checksums_ == Checksums::verify, footer)) {
    case FooterState::sound: break;
    case FooterState::not_a_table: return damaged(footer_offset, "does not end as a table does");
    case FooterState::damaged: return damaged(footer_offset, "damaged footer");
    case FooterState::newer_version:
      return Error{ErrorKind::unsupported,
                   fmt::format("{}: table format {}; this build knows formats up to {}", path_,
                               footer.format_version, kTableFormatVersion)};
  }
  if (footer.table_number != table_number) {
    return damaged(footer_offset, fmt::format("is table {}, not {}", footer.table_number, table_number));
  }
  properties_.table_number = table_number;  // what the checksums below are made with
  if (footer.filter_offset > footer.index_offset || footer.index_offset > footer.properties_offset ||
      footer.properties_offset > footer_offset) {
    return damaged(footer_offset, "footer with offsets out of order");
  }

  // Filter, index and properties are neighbours: one read.
  Bytes tail;
  const std::uint64_t tail_bytes = footer_offset - footer.filter_offset;
  try {
    tail.resize(tail_bytes);
  } catch (const std::bad_alloc&) {
    return out_of_memory(path_, tail_bytes);
  }
  if (Status status = file_->read_at(footer.filter_offset, tail); !status) return status;
  const auto part = [&](std::uint64_t begin, std::uint64_t end) -> Result<BytesView> {
    BlockTrailer trailer;
    const BytesView stored = BytesView{tail}.substr(begin - footer.filter_offset, end - begin);
    Result<BytesView> payload = check_stored(begin, stored, trailer);
    if (payload && trailer.compression != Compression::none)
      return damaged(begin, "compressed where nothing is");
    return payload;
  };

  const Result<BytesView> stored_filter = part(footer.filter_offset, footer.index_offset);
  if (!stored_filter) return stored_filter.error();
  std::optional<Filter> filter = Filter::decode(*stored_filter);
  if (!filter) return damaged(footer.filter_offset, "damaged filter");
  filter_ = std::move(*filter);

  const Result<BytesView> stored_index = part(footer.index_offset, footer.properties_offset);
  if (!stored_index) return stored_index.error();
  std::optional<TableIndex> index = TableIndex::decode(*stored_index, footer.filter_offset);
  if (!index) return damaged(footer.index_offset, "damaged index");
  index_ = std::move(*index);
  slots_ = std::make_unique<BlockSlot[]>(index_.block_count());

  const Result<BytesView> stored_properties = part(footer.properties_offset, footer_offset);
  if (!stored_properties) return stored_properties.error();
  std::optional<TableProperties> properties = decode_properties(*stored_properties, footer.format_version);
  if (!properties || properties->block_count != index_.block_count()) {
    return damaged(footer.properties_offset, "damaged properties");
  }
  properties_ = std::move(*properties);
  properties_.smallest_key = Bytes{lower_bound_of(properties_.smallest_key)};
  properties_.largest_key = upper_bound_of(properties_.largest_key);
  properties_.table_number = table_number;
  properties_.format_version = footer.format_version;
  properties_.data_bytes = footer.filter_offset;
  properties_.file_bytes = *size;
  return {};
}

std::uint64_t Table::resident_bytes() const {
  return sizeof *this + path_.capacity() + properties_.smallest_key.capacity() +
         properties_.largest_key.capacity() + properties_.balances.capacity() * sizeof(ClassBalance) +
         properties_.value_files.capacity() * sizeof(ValueFileUse) + index_.memory_bytes() +
         index_.block_count() * sizeof(BlockSlot) + filter_.memory_bytes();
}

Status Table::check_trailer(std::uint64_t offset, std::uint64_t payload_bytes,
                            const BlockTrailer& trailer) const {
  if (!is_known(trailer.compression)) return damaged(offset, "unknown compression");
  const bool is_sound = trailer.compression == Compression::none
                            ? trailer.raw_bytes == payload_bytes
                            : trailer.raw_bytes <= raw_bytes_max(trailer.compression, payload_bytes);
  if (!is_sound) return damaged(offset, "wrong length");
  return {};
}

Status Table::check_checksum(std::uint64_t offset, std::uint64_t payload_hash,
                             const BlockTrailer& trailer) const {
  if (checksums_ == Checksums::skip) return {};
  if (block_checksum(payload_hash, trailer, number(), offset) == trailer.checksum) return {};
  return damaged(offset, "checksum does not match");
}

Result<BytesView> Table::check_stored(std::uint64_t offset, BytesView stored, BlockTrailer& trailer) const {
  if (stored.size() < BlockTrailer::kEncodedBytes) return damaged(offset, "too short for a block");
  const BytesView payload = stored.substr(0, stored.size() - BlockTrailer::kEncodedBytes);
  const char* const encoded = payload.data() + payload.size();
  trailer = BlockTrailer::decode(
      std::span<const char, BlockTrailer::kEncodedBytes>{encoded, BlockTrailer::kEncodedBytes});
  const std::uint64_t payload_hash =
      checksums_ == Checksums::verify ? XXH3_64bits(payload.data(), payload.size()) : 0;
  // The checksum first: what else may be wrong is then not damage on the way but a bug of the writer.
  if (Status status = check_checksum(offset, payload_hash, trailer); !status) return status.error();
  if (Status status = check_trailer(offset, payload.size(), trailer); !status) return status.error();
  return payload;
}

Result<BlockHandle> Table::read_block(std::uint32_t block_index) const {
  const std::uint64_t stored_bytes = index_.stored_bytes(block_index);
  try {
    boost::intrusive_ptr<Block> block = Block::allocate(stored_bytes);
    const Status status = file_->read_at(index_.offset(block_index), block->bytes());
    if (!status) return status.error();
    Result<BlockHandle> adopted = adopt_stored(block_index, std::move(block));
    if (adopted) cache(block_index, *adopted);
    return adopted;
  } catch (const std::bad_alloc&) {
    return out_of_memory(path_, stored_bytes);
  }
}

Result<BlockHandle> Table::adopt_stored(std::uint32_t block_index, boost::intrusive_ptr<Block> stored) const {
  BlockTrailer trailer;
  const Result<BytesView> payload = check_stored(index_.offset(block_index), stored->stored(), trailer);
  if (!payload) return payload.error();
  // What is not compressed has come to where it stays; the trailer stays behind it.
  if (trailer.compression == Compression::none) return adopt(block_index, std::move(stored), payload->size());
  return adopt_copy(block_index, *payload, trailer);
}

Result<BlockHandle> Table::cache_stored(std::uint32_t block_index, BytesView stored) const {
  BlockTrailer trailer;
  const Result<BytesView> payload = check_stored(index_.offset(block_index), stored, trailer);
  if (!payload) return payload.error();
  try {
    Result<BlockHandle> adopted = adopt_copy(block_index, *payload, trailer);
    if (adopted) cache(block_index, *adopted);
    return adopted;
  } catch (const std::bad_alloc&) {
    return out_of_memory(path_, trailer.raw_bytes);
  }
}

Result<BlockHandle> Table::adopt_copy(std::uint32_t block_index, BytesView payload,
                                      const BlockTrailer& trailer) const {
  boost::intrusive_ptr<Block> block = Block::allocate(trailer.raw_bytes);
  if (trailer.compression == Compression::none) {
    payload.copy(block->bytes().data(), payload.size());
  } else if (!decompress(trailer.compression, payload, block->bytes().data(), trailer.raw_bytes)) {
    return damaged(index_.offset(block_index), "cannot be decompressed");
  }
  return adopt(block_index, std::move(block), trailer.raw_bytes);
}

Result<BlockHandle> Table::adopt(std::uint32_t block_index, boost::intrusive_ptr<Block> block,
                                 std::size_t bytes) const {
  const auto structure =
      is_structure_known(block_index) ? Block::Structure::checked_before : Block::Structure::unknown;
  if (!block->adopt(bytes, structure)) return damaged(index_.offset(block_index), "damaged block");
  slots_[block_index].note_sound();
  return BlockHandle{std::move(block)};
}

Result<BlockHandle> Table::known_block(std::uint32_t block_index, BlockCache::Access access) const {
  BlockHandle block = cache_.find(slots_[block_index], cache_id_, access);
  if (block != nullptr) return block;
  if (const std::shared_ptr<TableLoad> load = loads_->find(block_index)) {
    return load->outcome(block_index).value_or(BlockHandle{});
  }
  return block;
}

Result<BlockHandle> Table::resident_block(std::uint32_t block_index) const {
  Result<BlockHandle> known = known_block(block_index, BlockCache::Access::point);
  if (!known || *known != nullptr) return known;
  BlockHandle block = read_resident_block(block_index);
  if (block == nullptr) return block;
  cache(block_index, block);
  // A Load would be followed by a second look into the cache, which counts.
  slots_[block_index].find(true);
  return block;
}

bool Table::draw_place_in_cache() const {
  constexpr std::uint64_t kMultiplier = 6364136223846793005;  // Knuth's, of a linear congruential generator
  // That threads may draw the same number does no harm.
  const std::uint64_t drawn = lottery_.load(std::memory_order_relaxed) * kMultiplier + 1;
  lottery_.store(drawn, std::memory_order_relaxed);
  return drawn >> (64 - kLotteryBits) == 0;
}

BlockHandle Table::read_resident_block(std::uint32_t block_index) const {
  const std::uint64_t stored_bytes = index_.stored_bytes(block_index);
  if (stored_bytes > kResidentReadBytesMax) return {};
  try {
    boost::intrusive_ptr<Block> block = Block::allocate(stored_bytes);
    if (file_->read_resident(index_.offset(block_index), block->bytes()) != stored_bytes) return {};
    Result<BlockHandle> adopted = adopt_stored(block_index, std::move(block));
    return adopted ? *std::move(adopted) : BlockHandle{};
  } catch (const std::bad_alloc&) {
    return {};
  }
}

std::optional<Table::WalkedBlock> Table::open_stored(std::uint32_t block_index, BytesView stored,
                                                     bool is_wanted) const {
  BlockTrailer trailer;
  const Result<BytesView> payload = check_stored(index_.offset(block_index), stored, trailer);
  if (!payload) return std::nullopt;
  const bool is_admitted = draw_place_in_cache();
  if (!is_admitted && trailer.compression == Compression::none) {
    const std::optional<BlockView> view = is_structure_known(block_index)
                                              ? std::optional{BlockView::parse_trusted(*payload)}
                                              : BlockView::parse(*payload);
    if (!view) return std::nullopt;
    slots_[block_index].note_sound();
    return WalkedBlock{*view, nullptr};
  }
  try {
    Result<BlockHandle> block = adopt_copy(block_index, *payload, trailer);
    if (!block) return std::nullopt;
    if (is_admitted) cache(block_index, *block);
    if (is_admitted && is_wanted) slots_[block_index].find(true);
    return WalkedBlock{(*block)->view(), *std::move(block)};
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

void Table::note_walk(std::uint32_t followed_blocks) const {
  constexpr std::uint32_t kFollowedMax = 1024;
  constexpr std::uint32_t kWeight = 8;  // one walk in so many
  const std::uint32_t before = walk_.load(std::memory_order_relaxed);
  const std::uint32_t followed = std::min(followed_blocks, kFollowedMax) * kWalkUnit;
  // That threads may overwrite each other's does no harm.
  const std::uint32_t now = before - before / kWeight + followed / kWeight;
  if (now != before) walk_.store(now, std::memory_order_relaxed);
}

Error Table::request(std::uint32_t block_index, std::uint32_t first, std::uint32_t end,
                     ReadContext& context) const {
  std::shared_ptr<Load> load = loads_->find_or_make(*this, block_index, first, end);
  // Neighbouring keys of one command want the same block; a Load that is there twice does no harm.
  if (context.missing.empty() || context.missing.back() != load) context.missing.push_back(std::move(load));
  return {ErrorKind::not_resident, {}};
}

Result<std::optional<Entry>> Table::find(const HashedKey& key, ReadContext& context) const {
  const std::optional<std::uint32_t> block_index = index_.find(key.bytes);
  if (!block_index) return std::optional<Entry>{};
  Result<BlockHandle> block = resident_block(*block_index);
  if (!block) return block.error();
  if (*block == nullptr) return request(*block_index, *block_index, *block_index + 1, context);
  std::optional<Entry> entry = (*block)->view().find(key.bytes);
  if (entry) context.pins.push_back(*std::move(block));
  return entry;
}

Presence Table::probe(const HashedKey& key) const {
  if (!may_contain(key.hash)) return Presence::absent;
  const std::optional<std::uint32_t> block_index = index_.find(key.bytes);
  if (!block_index) return Presence::absent;
  const Result<BlockHandle> block = known_block(*block_index, BlockCache::Access::peek);
  if (!block || *block == nullptr) return Presence::unknown;
  const std::optional<Entry> entry = (*block)->view().find(key.bytes);
  if (!entry) return Presence::absent;
  return entry->tag.type == EntryType::value ? Presence::value : Presence::tombstone;
}

std::uint64_t Table::approximate_offset(BytesView key) const {
  if (key > properties_.largest_key) return properties_.data_bytes;
  const std::optional<std::uint32_t> block = index_.find(key);
  return block ? index_.offset(*block) : 0;
}

std::optional<Bytes> Table::key_at(std::uint64_t offset) const {
  if (offset >= properties_.data_bytes) return std::nullopt;
  const std::uint32_t block = index_.block_at(offset);
  if (block == 0) return std::nullopt;
  return index_.fence(block);
}

void Table::drop_cached_blocks() const {
  if (slots_ == nullptr) return;  // could not be opened
  for (std::uint32_t block = 0; block != index_.block_count(); ++block) {
    if (!slots_[block].is_empty()) cache_.erase(block_id(block), &slots_[block]);
  }
}

}  // namespace shale::engine::lsm
