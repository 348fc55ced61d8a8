#include "engine/btree/leaf_size.h"

#include <algorithm>

#include "engine/btree/record_page.h"

namespace shale::engine::btree {

Bytes separator_between(BytesView left, BytesView right) {
  return Bytes{right.substr(0, shared_bytes(left, right) + 1)};
}

std::int64_t obsolete_from_of(std::span<const Record> records, const KeyPolicy& policy) {
  std::int64_t from_ms = KeyPolicy::kNeverObsolete;
  for (const Record& record : records)
    from_ms = std::min(from_ms, policy.obsolete_from_ms(record.key, record.value));
  return from_ms;
}

std::vector<std::span<const Record>> cut_records(std::span<const Record> records, std::size_t bytes,
                                                 std::size_t bytes_max, bool is_append) {
  const std::size_t count = (bytes + bytes_max - 1) / bytes_max;
  const std::size_t piece_bytes = is_append || count == 0 ? bytes_max : bytes / count;
  std::vector<std::span<const Record>> pieces;
  std::size_t begin = 0;
  std::size_t piece = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::size_t more = record_bytes(records[i].key.size(), records[i].value.size());
    const bool is_last_piece = !is_append && pieces.size() + 1 >= count;
    // To whichever side of the aim the piece's end comes closer.
    if (i > begin && !is_last_piece && piece + more / 2 > piece_bytes) {
      pieces.push_back(records.subspan(begin, i - begin));
      begin = i;
      piece = 0;
    }
    piece += more;
  }
  if (begin < records.size()) pieces.push_back(records.subspan(begin));
  return pieces;
}

}  // namespace shale::engine::btree
