#include "engine/lsm/key_guesses.h"

#include <optional>

namespace shale::engine::lsm {
namespace {

// The table's entry of the key, waiting for its block if need be.
Result<std::optional<EntryType>> find_waiting(const LiveTable& table, const HashedKey& key) {
  if (!table.may_contain(key.hash)) return std::optional<EntryType>{};
  ReadContext context;
  for (;;) {
    const auto entry = table.find(key, context);
    if (entry) return *entry ? std::optional{(*entry)->tag.type} : std::nullopt;
    if (entry.error().kind != ErrorKind::not_resident) return entry.error();
    for (const auto& load : context.missing) load->run();
  }
}

Result<bool> is_live(const Version& version, const HashedKey& key) {
  for (std::uint32_t level = 0; level < Version::kLevelCount; ++level) {
    for (const Run& run : version.runs(level)) {
      const LiveTable* table = run.table_for(key.bytes);
      if (table == nullptr) continue;
      const auto found = find_waiting(*table, key);
      if (!found) return found.error();
      if (*found) return **found == EntryType::value;
    }
  }
  return false;
}

}  // namespace

std::vector<Bytes> keys_not_in(const Version& version, const std::vector<Bytes>& keys) {
  std::vector<Bytes> absent;
  for (const Bytes& key : keys) {
    const auto live = is_live(version, HashedKey{key});
    if (live && !*live) absent.push_back(key);
  }
  return absent;
}

}  // namespace shale::engine::lsm
