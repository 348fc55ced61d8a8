#include "src/commands/string_values.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "src/large_scan.h"
#include "src/memory_budget.h"

namespace shale::server {
namespace {

// What stands before `offset`, zeros up to there, `bytes`, and what is left of `old` behind them.
std::vector<engine::LargePiece> overwritten(CommandContext& context, const Value& old, std::uint64_t offset,
                                            const ValueArgument& bytes) {
  const std::uint64_t kept = std::min(offset, old.size());
  const std::uint64_t end = offset + bytes.size();
  std::vector<engine::LargePiece> pieces;
  if (kept != 0) pieces.push_back(context.keyspace.piece(old, 0, kept));
  if (kept != offset) pieces.push_back(engine::LargePiece::zeros(offset - kept));
  pieces.push_back(Keyspace::piece(bytes));
  if (end < old.size()) pieces.push_back(context.keyspace.piece(old, end, old.size() - end));
  return pieces;
}

}  // namespace

bool is_composed_in_file(CommandContext& context, const Value& old, const ValueArgument& added,
                         std::uint64_t bytes) {
  return old.large || added.large || bytes >= large_value_bytes(context.server.memory_budget());
}

engine::Result<Bytes> read_bytes(Keyspace& keyspace, const Value& value, std::uint64_t begin,
                                 std::uint64_t length) {
  const std::uint64_t stored = begin < value.size() ? std::min(length, value.size() - begin) : 0;
  Bytes bytes;
  if (stored != 0 && value.large) {
    const auto extract = scanned<LargeExtract>(keyspace, value, begin, stored);
    if (!extract) return extract.error();
    bytes = (*extract)->bytes();
  } else if (stored != 0) {
    bytes = value.payload.substr(begin, stored);
  }
  bytes.resize(length, '\0');
  return bytes;
}

engine::Status store_overwritten(CommandContext& context, BytesView key, const Value& old,
                                 std::uint64_t offset, const ValueArgument& bytes) {
  const std::uint64_t length = std::max(offset + bytes.size(), old.size());
  if (is_composed_in_file(context, old, bytes, length)) {
    return context.keyspace.store_composed(key, overwritten(context, old, offset, bytes), old.expires_at_ms);
  }
  Bytes changed(old.payload);
  changed.resize(length);
  changed.replace(static_cast<std::size_t>(offset), bytes.bytes.size(), bytes.bytes);
  context.keyspace.store_edited(key, changed, old.expires_at_ms);
  return {};
}

}  // namespace shale::server
