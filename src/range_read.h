// What one RANGE command reads: keys and values in order, of one hash tag, or where keys are placed by range
// of a database. Begun on the client's thread; what is long, or not in memory, goes on in the background,
// where it holds no more than its result and the blocks of one record at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cluster/store.h"
#include "engine/engine.h"
#include "engine/large/large_value.h"
#include "src/keyspace_range.h"
#include "src/value.h"

namespace shale::server {

struct RangeQuery {
  KeyRange keys;
  // Of all keys that are wanted: tokens of two tags may be the same. Nothing: of any.
  std::optional<Bytes> tag;
  bool keys_only = false;
  std::uint64_t pairs_max = UINT64_MAX;
  // Of all keys and values together, and kPairBytes for each pair; a single pair may have more.
  std::size_t bytes_max = 0;
};

// Used by one thread at a time: the client's, and as a Load the background's.
class RangeRead final : public engine::Load {
 public:
  struct Pair {
    BytesView key;
    BytesView value;                            // empty with keys_only, and if it is large
    std::shared_ptr<engine::LargeValue> large;  // open
    std::uint64_t large_bytes = 0;
  };

  enum class Excess : std::uint8_t { nothing, bytes, large_values };

  // What a pair takes beside its bytes, here and in the reply.
  static constexpr std::size_t kPairBytes = 32;
  // No reply has more large values: each has its file open until it is sent.
  static constexpr std::size_t kLargeValuesMax = 64;

  // `within`: as read_range_piece(). Such a read is no Load: begin() does all of it.
  RangeRead(cluster::Store& store, unsigned database, std::int64_t now_ms, RangeQuery query,
            cluster::Transaction* within = nullptr);

  // Reads at most so many pieces. Waits for nothing: it ends before what is not in memory. Within a
  // transaction its reads() then say what that is, if it is not done.
  void begin(std::size_t pieces_max);
  // Goes on, and waits for the disk.
  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }

  // The rest is for when it is done.

  const engine::Status& status() const { return status_; }  // errors: corruption, io
  // Other than nothing: what the pairs are not all because of.
  Excess excess() const { return excess_; }
  const RangeQuery& query() const { return query_; }
  std::size_t pair_count() const { return records_.size(); }
  Pair pair(std::size_t index) const;

 private:
  static constexpr std::uint32_t kNotLarge = UINT32_MAX;

  struct Record {
    std::size_t offset;  // into bytes_, where the key is, and the value behind it
    std::uint32_t key_bytes;
    std::uint32_t value_bytes;
    std::uint32_t large;  // into large_, or kNotLarge
  };
  static_assert(sizeof(Record) <= kPairBytes);
  struct Large {
    engine::LargeValueReference reference;
    std::shared_ptr<engine::LargeValue> value;
  };

  engine::Status read_piece();
  bool add(BytesView key, const Value& value);
  bool is_full() const { return records_.size() >= query_.pairs_max || excess_ != Excess::nothing; }
  void load_missing();
  void finish_within();
  engine::Status open_large_values(std::size_t count_max);
  void finish(engine::Status status);

  cluster::Store& store_;
  const unsigned database_;
  const std::int64_t now_ms_;
  cluster::Transaction* const within_;
  RangeQuery query_;  // its keys: what is left to read
  bool all_read_ = false;
  Bytes bytes_;
  std::vector<Record> records_;
  std::vector<Large> large_;
  std::size_t large_opened_ = 0;
  Excess excess_ = Excess::nothing;
  engine::ReadContext reads_;
  std::vector<std::shared_ptr<engine::Load>> loads_;  // of the record that is read next
  engine::Status status_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::server
