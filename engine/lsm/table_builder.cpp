#include "engine/lsm/table_builder.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/lsm/block.h"
#include "engine/lsm/filter.h"
#include "engine/lsm/table_format.h"
#include "engine/lsm/table_index.h"
#include "engine/lsm/value_file_format.h"
#include "engine/lsm/value_reference.h"
#include "engine/lsm/value_usage.h"

namespace shale::engine::lsm {
namespace {

constexpr std::size_t kTableWriteBytes = 256U << 10;
// A block at least this large is written from where it lies instead of through the write buffer.
constexpr std::size_t kDirectBlockBytes = 256U << 10;

std::uint64_t hash_both(BytesView first, BytesView second) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  XXH3_64bits_update(&state, first.data(), first.size());
  XXH3_64bits_update(&state, second.data(), second.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace

class TableBuilder::Implementation {
 public:
  Implementation(std::unique_ptr<File> file, const TableBuilderOptions& options)
      : file_(std::move(file)), options_(options) {
    properties_.table_number = options.table_number;
    written_.reserve(kTableWriteBytes + options.block_bytes);
  }

  Status add(const Entry& entry) {
    assert(!finished_);
    const std::uint64_t bytes_with = block_.bytes_with(entry.key.size(), entry.value.size());
    if (bytes_with > options_.block_bytes && !block_.empty()) {
      if (Status status = finish_block(); !status) return status;
    }
    if (block_.bytes_with(entry.key.size(), entry.value.size()) > UINT32_MAX) {
      return Error{ErrorKind::unsupported, "a record of 4 GiB or more"};
    }
    count(entry);
    block_.add(entry);
    return {};
  }

  std::uint64_t entry_count() const { return properties_.entry_count; }
  std::uint64_t file_bytes() const { return offset() + block_.entries().size(); }

  Result<TableProperties> finish() {
    assert(!finished_);
    finished_ = true;
    if (!block_.empty()) {
      properties_.largest_key.assign(block_.last_key());
      if (Status status = finish_block(); !status) return status.error();
    }
    properties_.data_bytes = offset();
    const Bytes index = index_.finish();
    properties_.block_count = index_.block_count();
    std::ranges::sort(properties_.balances, {}, &ClassBalance::count_class);
    properties_.value_files = value_usage_.all();
    properties_.format_version = format_version_for(properties_);

    TableFooter footer;
    footer.format_version = properties_.format_version;
    footer.table_number = options_.table_number;
    footer.filter_offset = offset();
    Bytes filter;
    Filter::build(hashes_, options_.filter_bits_per_key).encode(filter);
    if (Status status = write_block(filter, {}, Compression::none); !status) return status.error();
    footer.index_offset = offset();
    if (Status status = write_block(index, {}, Compression::none); !status) return status.error();
    footer.properties_offset = offset();
    if (Status status = write_block(encode_properties(properties_), {}, Compression::none); !status) {
      return status.error();
    }
    const auto encoded_footer = footer.encode();
    written_.append(encoded_footer.data(), encoded_footer.size());
    if (Status status = flush(); !status) return status.error();
    if (Status status = file_->sync(); !status) return status.error();
    properties_.file_bytes = offset();
    return properties_;
  }

 private:
  std::uint64_t offset() const { return flushed_bytes_ + written_.size(); }

  void count(const Entry& entry) {
    if (properties_.entry_count++ == 0) properties_.smallest_key.assign(entry.key);
    properties_.tombstone_count += entry.tag.type == EntryType::tombstone ? 1 : 0;
    properties_.raw_key_bytes += entry.key.size();
    properties_.raw_value_bytes += entry.value.size();
    if (options_.filter_bits_per_key > 0) hashes_.push_back(hash_bytes(entry.key));
    balance_of(entry.key) += entry.tag.balance;  // also 0: the class is then known to occur
    if (entry.tag.separated) count_reference(entry);
    note_obsolete_time(entry);
  }

  void note_obsolete_time(const Entry& entry) {
    ObsoleteTimes& times = properties_.obsolete_times;
    if (entry.tag.type == EntryType::tombstone) {
      times.oldest_tombstone_ms = options_.tombstones_since_ms;
    } else if (options_.policy != nullptr) {
      times.earliest_expiry_ms =
          std::min(times.earliest_expiry_ms, options_.policy->obsolete_from_ms(entry.key, value_head(entry)));
    }
  }

  void count_reference(const Entry& entry) {
    const std::optional<ValueReference> reference = ValueReference::decode(entry.value);
    assert(reference);
    value_usage_.add(reference->file, value_record_bytes(entry.key.size(), reference->value_bytes));
  }

  std::int64_t& balance_of(BytesView key) {
    const std::uint32_t count_class = options_.policy == nullptr ? 0 : options_.policy->count_class(key);
    auto& balances = properties_.balances;
    // Neighbours are mostly of one class; the search starts where the last one was found.
    if (balance_index_ < balances.size() && balances[balance_index_].count_class == count_class) {
      return balances[balance_index_].sum;
    }
    const auto found = std::ranges::find(balances, count_class, &ClassBalance::count_class);
    balance_index_ = static_cast<std::size_t>(found - balances.begin());
    if (found == balances.end()) balances.push_back({count_class, 0});
    return balances[balance_index_].sum;
  }

  Status finish_block() {
    const std::uint64_t begin = offset();
    if (Status status = write_block(block_.arrays(), block_.entries(), options_.compression); !status)
      return status;
    index_.add_block(offset() - begin, last_key_, block_.first_key());
    last_key_.assign(block_.last_key());
    block_.clear();
    return {};
  }

  // Writes one block, whose contents are `first` and `second` together.
  Status write_block(BytesView first, BytesView second, Compression compression) {
    BlockTrailer trailer;
    trailer.raw_bytes = static_cast<std::uint32_t>(first.size() + second.size());
    if (compression != Compression::none) {
      raw_.assign(first).append(second);
      if (compress(compression, raw_, compressed_)) {
        trailer.compression = compression;
        first = compressed_;
        second = {};
      }
    }
    if (first.size() + second.size() >= kDirectBlockBytes) return write_directly(first, second, trailer);
    const std::uint64_t begin = offset();
    const std::size_t begin_in_buffer = written_.size();
    written_.append(first).append(second);
    const std::uint64_t payload_hash =
        XXH3_64bits(written_.data() + begin_in_buffer, written_.size() - begin_in_buffer);
    append_trailer(payload_hash, trailer, begin);
    return written_.size() < kTableWriteBytes ? Status{} : flush();
  }

  Status write_directly(BytesView first, BytesView second, const BlockTrailer& trailer) {
    if (Status status = flush(); !status) return status;
    const std::uint64_t begin = offset();
    for (const BytesView part : {first, second}) {
      if (part.empty()) continue;
      if (Status status = file_->write_at(flushed_bytes_, part); !status) return status;
      flushed_bytes_ += part.size();
    }
    append_trailer(hash_both(first, second), trailer, begin);
    // Nothing as large is kept for blocks of the usual size.
    Bytes{}.swap(raw_);
    Bytes{}.swap(compressed_);
    return {};
  }

  void append_trailer(std::uint64_t payload_hash, BlockTrailer trailer, std::uint64_t block_offset) {
    trailer.checksum = block_checksum(payload_hash, trailer, options_.table_number, block_offset);
    const auto encoded = trailer.encode();
    written_.append(encoded.data(), encoded.size());
  }

  Status flush() {
    if (written_.empty()) return {};
    if (Status status = file_->write_at(flushed_bytes_, written_); !status) return status;
    flushed_bytes_ += written_.size();
    written_.clear();
    return {};
  }

  const std::unique_ptr<File> file_;
  const TableBuilderOptions options_;
  bool finished_ = false;
  BlockBuilder block_;
  TableIndexBuilder index_;
  TableProperties properties_;
  std::vector<std::uint64_t> hashes_;  // of all keys, for the filter
  std::size_t balance_index_ = 0;
  ValueUsage value_usage_;
  Bytes last_key_;  // of the last finished block
  Bytes raw_;
  Bytes compressed_;
  Bytes written_;  // not yet in the file
  std::uint64_t flushed_bytes_ = 0;
};

TableBuilder::TableBuilder(std::unique_ptr<File> file, const TableBuilderOptions& options)
    : implementation_(std::make_unique<Implementation>(std::move(file), options)) {}
TableBuilder::~TableBuilder() = default;
Status TableBuilder::add(const Entry& entry) { return implementation_->add(entry); }
std::uint64_t TableBuilder::entry_count() const { return implementation_->entry_count(); }
std::uint64_t TableBuilder::file_bytes() const { return implementation_->file_bytes(); }
Result<TableProperties> TableBuilder::finish() { return implementation_->finish(); }

}  // namespace shale::engine::lsm
