// An open sorted table: immutable, shared, read by any number of threads at once.
//
//   I1  Index, filter and properties are resident from open() on. Data blocks come and go with the
//       BlockCache.
//   I2  Nothing here waits for a disk except open(), the Loads, and TableScanner.
//   I3  Every block's checksum is checked when it is read, and its structure the first time: the checksum
//       says that these are the bytes that were sound then. Reads rely on it.
//   I4  A read that lacks a block shares the Load of whoever asked for it first. While anyone keeps that
//       Load, the table finds the block through it, also if the cache has evicted or refused the block.
//   I5  An error met by a Load is returned by every read of the block while the Load is kept. After that the
//       block is read again: a disk may recover, and remembering would outlive a repair.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/bytes.h"
#include "engine/engine.h"
#include "engine/io/file_system.h"
#include "engine/lsm/block_cache.h"
#include "engine/lsm/entry.h"
#include "engine/lsm/filter.h"
#include "engine/lsm/table_format.h"
#include "engine/lsm/table_index.h"
#include "engine/lsm/table_properties.h"
#include "engine/result.h"

namespace shale::engine::lsm {

class TableLoad;
class TableLoadRegistry;

// What is known of a key in a table without waiting.
enum class Presence : std::uint8_t { absent, value, tombstone, unknown };

class Table : public std::enable_shared_from_this<Table> {
 public:
  enum class Checksums : std::uint8_t { verify, skip };  // skip: only for the fuzzer

  // Waits for the disk. `cache` must outlive the table and every Load made by it. A file that is not a whole
  // table with this number is Error{corruption}, one of a later format Error{unsupported}.
  static Result<std::shared_ptr<Table>> open(FileSystem& files, const std::string& path,
                                             std::uint64_t table_number, BlockCache& cache,
                                             Checksums checksums = Checksums::verify);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  const TableProperties& properties() const { return properties_; }
  std::uint64_t number() const { return properties_.table_number; }
  const std::string& path() const { return path_; }
  // Memory that the open table holds apart from the block cache.
  std::uint64_t resident_bytes() const;

  // False: no key with this hash is here. True may be wrong as often as the filter's size says.
  bool may_contain(std::uint64_t hash) const { return filter_.may_contain(hash); }
  void prefetch_filter(std::uint64_t hash) const { filter_.prefetch(hash); }

  // The entry, a tombstone included, or nothing. Does not ask the filter: the caller has, and counts. The
  // entry's key is the view passed in; its value is pinned by context.pins. Errors: not_resident with a Load
  // added to context.missing; io and corruption from a Load run before.
  Result<std::optional<Entry>> find(const HashedKey& key, ReadContext& context) const;

  // Never asks for a load. Filter says no, or block is resident: exact; else unknown.
  Presence probe(const HashedKey& key) const;

  // Where a data block begins in the file.
  std::uint64_t block_offset(std::uint32_t block) const { return index_.offset(block); }
  // Where in the data a key stands, or would; right to a block.
  std::uint64_t approximate_offset(BytesView key) const;
  // A key that parts the table about there: the data before `offset` belongs to smaller keys. Nothing if
  // `offset` lies in the first block or behind the last.
  std::optional<Bytes> key_at(std::uint64_t offset) const;

  // Takes this table's blocks out of the cache, for when its file is deleted. Takes time in proportion to the
  // blocks that are there, in short steps; call it from a background thread.
  void drop_cached_blocks() const;

 private:
  // Larger blocks are read by Loads only: the shard's lock is held for the time that copying and checking
  // takes, some microseconds.
  static constexpr std::uint64_t kResidentReadBytesMax = 32U << 10;
  static constexpr unsigned kLotteryBits = 2;

  // A block that a walk has come to. `handle` keeps it; null if the view is of bytes that the walk has
  // itself.
  struct WalkedBlock {
    BlockView view;
    BlockHandle handle;
  };

  friend class TableCursor;
  friend class TableLoad;
  friend class TableScanner;

  Table(std::string path, std::unique_ptr<File> file, BlockCache& cache, Checksums checksums);

  Status read_tail(std::uint64_t table_number);
  Error damaged(std::uint64_t offset, std::string_view what) const;

  // Checks that what is stored at `offset`, payload and trailer, was written there; returns the payload.
  Result<BytesView> check_stored(std::uint64_t offset, BytesView stored, BlockTrailer& trailer) const;
  Status check_trailer(std::uint64_t offset, std::uint64_t payload_bytes, const BlockTrailer& trailer) const;
  Status check_checksum(std::uint64_t offset, std::uint64_t payload_hash, const BlockTrailer& trailer) const;

  BlockId block_id(std::uint32_t block_index) const { return {cache_id_, index_.offset(block_index)}; }
  // Both for Loads: check, decompress, and put the block into the cache. The first waits for the disk.
  Result<BlockHandle> read_block(std::uint32_t block_index) const;
  Result<BlockHandle> cache_stored(std::uint32_t block_index, BytesView stored) const;
  // The block in what is stored, checked and decompressed.
  Result<BlockHandle> adopt_stored(std::uint32_t block_index, boost::intrusive_ptr<Block> stored) const;
  Result<BlockHandle> adopt_copy(std::uint32_t block_index, BytesView payload,
                                 const BlockTrailer& trailer) const;
  // The first `bytes` of what the block holds.
  Result<BlockHandle> adopt(std::uint32_t block_index, boost::intrusive_ptr<Block> block,
                            std::size_t bytes) const;

  // The block if it is in the cache or a Load has it, else null. Errors: what its Load met.
  Result<BlockHandle> known_block(std::uint32_t block_index, BlockCache::Access access) const;
  // The same for a point read, which takes a block that lies in the kernel's memory into the cache here and
  // now: that costs less than a Load does.
  Result<BlockHandle> resident_block(std::uint32_t block_index) const;
  // Null also if there is anything wrong with it: a Load will say what.
  BlockHandle read_resident_block(std::uint32_t block_index) const;
  // The block in what a walk has read of it; `is_wanted` as Access::point. Nothing if there is anything wrong
  // with it: a Load will say what.
  std::optional<WalkedBlock> open_stored(std::uint32_t block_index, BytesView stored, bool is_wanted) const;
  // Whether a block that a cursor has found in the kernel's memory gets a place in the cache: one in
  // 2^kLotteryBits does. It is cheap to get again, and a place, which another block has to leave, costs
  // nearly as much as that. So only what is wanted often should have one. Those of point reads always get
  // one: a write that follows probes it to learn whether its key is new.
  bool draw_place_in_cache() const;
  void cache(std::uint32_t block_index, BlockHandle block) const {
    cache_.insert(block_id(block_index), std::move(block), &slots_[block_index]);
  }
  bool is_structure_known(std::uint32_t block_index) const {
    return checksums_ == Checksums::verify && slots_[block_index].was_found_sound();
  }

  // How many blocks walks have lately gone on to, on average, after the one that they began in.
  double expected_walk() const {
    return static_cast<double>(walk_.load(std::memory_order_relaxed)) / kWalkUnit;
  }
  void note_walk(std::uint32_t followed_blocks) const;

  // Adds the Load of this block to context.missing; a new one takes those around it in [first, end), too, as
  // far as no other Load has them.
  Error request(std::uint32_t block_index, std::uint32_t first, std::uint32_t end,
                ReadContext& context) const;

  const std::string path_;
  const std::unique_ptr<File> file_;
  BlockCache& cache_;
  const std::uint64_t cache_id_;  // names this table's blocks in the cache
  const Checksums checksums_;
  TableProperties properties_;
  TableIndex index_;
  Filter filter_;
  mutable std::atomic<std::uint64_t> lottery_ = 0;
  static constexpr std::uint32_t kWalkUnit = 256;
  mutable std::atomic<std::uint32_t> walk_ = 0;     // in 1/kWalkUnit of a block
  std::unique_ptr<BlockSlot[]> slots_;              // one per block
  const std::unique_ptr<TableLoadRegistry> loads_;  // has a lock of its own
};

}  // namespace shale::engine::lsm
