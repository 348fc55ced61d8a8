#include "cluster/store_cut.h"

#include <set>

#include "cluster/expirer.h"
#include "cluster/expiry_calendar.h"
#include "cluster/store.h"
#include "engine/btree/tree_store.h"
#include "engine/lsm/tree_store.h"

namespace shale::cluster {

// With the mutex no layout is replaced and nothing is trimmed or removed. Flushes, compactions and
// checkpoints go on, and so do writes.
engine::Result<StoreCut> Store::cut() {
  StoreCut cut;
  {
    const std::lock_guard round{maintenance_mutex_};
    const engine::Lsn needed_from = oldest_needed_lsn();
    const DatabasesState state = databases_state();
    const ShardMap& map = state.layout->map();
    cut.catalog = catalog_of(needed_from, state, map.version(), map.boundaries(), shard_records());
    std::set<std::uint32_t> of_lsm{ExpiryCalendar::kTree};
    bool has_btrees = false;
    for (const ShardRecord& shard : cut.catalog.shards) {
      if (shard.engine == EngineKind::lsm) of_lsm.insert(shard.tree);
      has_btrees |= shard.engine == EngineKind::btree;
    }
    auto trees = trees_->lsm().snapshot(of_lsm);
    if (!trees) return trees.error();
    cut.lsm = std::move(*trees);
    if (has_btrees) {
      auto pages = trees_->btree()->file().pin();
      if (!pages) return pages.error();
      cut.pages = std::move(*pages);
    }
    cut.log = log_->cut(needed_from);
    const auto kept_from = std::make_shared<const engine::Lsn>(needed_from);
    log_kept_from_ = kept_from;
    cut.log_kept = kept_from;
    cut.large_values_kept = std::make_shared<const bool>(true);
    large_values_kept_ = cut.large_values_kept;
  }
  if (auto durable = barrier_->wait_until_durable(cut.log.lsn); !durable) return durable.error();
  return cut;
}

}  // namespace shale::cluster
