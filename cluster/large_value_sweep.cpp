#include "cluster/large_value_sweep.h"

#include <memory>
#include <utility>
#include <vector>

#include "cluster/log_records.h"
#include "cluster/position.h"
#include "cluster/store.h"

namespace shale::cluster {
namespace {

constexpr std::size_t kFilesPerRound = 8;
constexpr std::chrono::seconds kBetweenPasses{60};

}  // namespace

void LargeValueSweep::round() {
  if (flushed_.exchange(false, std::memory_order_acq_rel)) release_flushed();
  const auto now = store_.clock().now();
  if (next_pass_ && now < *next_pass_) return;
  next_pass_.reset();
  const auto files = store_.large_values().list(last_id_, kFilesPerRound);
  for (const auto& file : files) look_at(file);
  if (files.size() == kFilesPerRound) {
    last_id_ = files.back().id;
  } else {
    last_id_ = 0;
    next_pass_ = now + kBetweenPasses;
  }
}

// All files of emptied databases at once: their keys say it, no store has to be asked.
void LargeValueSweep::release_flushed() {
  const engine::Lsn lsn = store_.log().appended_lsn();
  constexpr std::size_t kListed = 1024;
  std::uint64_t last_id = 0;
  for (auto files = store_.large_values().list(0, kListed); !files.empty();
       files = store_.large_values().list(last_id, kListed)) {
    last_id = files.back().id;
    for (const auto& file : files) {
      if (file.key.size() < store_.placement().prefix_bytes()) continue;
      if (store_.is_live(store_.placement().database_of(file.key))) continue;
      store_.large_values().note_dead(file.id, lsn);
    }
  }
}

std::optional<Bytes> LargeValueSweep::owner_of(std::uint64_t id) {
  const auto value = store_.large_values().find(id);
  if (auto opened = value->open(); !opened) {
    // Nobody knows whose it is: it stays. Whoever reads the value hears of the damage.
    if (store_.options().on_damage) store_.options().on_damage(opened.error().message);
    return {};
  }
  if (value->trailer().key.size() < store_.placement().prefix_bytes()) return {};
  return value->trailer().key;
}

void LargeValueSweep::look_at(const engine::LargeValueStore::Listed& file) {
  const std::optional<Bytes> owner = file.key.empty() ? owner_of(file.id) : file.key;
  if (!owner) return;
  const engine::HashedKey key{*owner};
  std::vector<std::shared_ptr<engine::Load>> loads;  // kept: what they have fetched stays in memory
  for (;;) {
    engine::ReadContext context;
    const auto layout = store_.layout();
    Shard& shard = layout->owner(key.bytes);
    {
      const std::lock_guard lock{shard.mutex};
      if (&store_.layout()->owner(key.bytes) != &shard) continue;  // it has moved meanwhile
      if (decide(shard, key, file.id, context)) return;
    }
    for (auto& load : context.missing) {
      load->run();
      loads.push_back(std::move(load));
    }
  }
}

bool LargeValueSweep::decide(Shard& shard, const engine::HashedKey& key, std::uint64_t id,
                             engine::ReadContext& context) {
  const auto found = shard.engine->get(key, context);
  // A value that cannot be read keeps what it may refer to.
  if (!found) return found.error().kind != engine::ErrorKind::not_resident;
  const auto reference = *found ? store_.large_value_in(**found) : std::nullopt;
  if (!reference || reference->id != id || !store_.is_live(store_.placement().database_of(key.bytes))) {
    store_.large_values().note_dead(id, store_.log().appended_lsn());
  } else if (store_.policy().obsolete_from_ms(key.bytes, **found) <= store_.clock().unix_ms()) {
    erase_expired(shard, key, id);
  } else {
    store_.large_values().note_alive(*reference, key);
  }
  return true;
}

// What has expired is gone for readers, but its record may stay for long: without a record that says so, it
// would come back without its value if the machine's clock were set back. Not now is soon enough.
void LargeValueSweep::erase_expired(Shard& shard, const engine::HashedKey& key, std::uint64_t id) {
  Bytes payload;
  append_erase(payload, key.bytes);
  if (!shard.engine->admit_write(payload.size())) return;
  const auto lsn = store_.log().append(static_cast<engine::RecordKind>(LogRecord::batch), payload);
  if (!lsn) return;
  shard.engine->erase(key, *lsn);
  store_.large_values().note_dead(id, *lsn);
}

}  // namespace shale::cluster
