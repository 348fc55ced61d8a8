// What an LSM tree, or all of them together, has to say.
#pragma once

#include "engine/lsm/block_cache.h"
#include "src/stats/figures.h"
#include "src/stats/snapshot.h"

namespace shale::server {

// Bytes of tables over those of the last level: as if nothing above it were new, so never less than the
// truth. Not known while the last level is empty. `last_bytes`: last_level_bytes() of all trees that `stats`
// is of.
Figure space_amplification_max(const engine::EngineStats& stats, std::uint64_t last_bytes);

// Adds what can be said of one tree or of all, in groups.
void add_tree_figures(const engine::EngineStats& stats, std::uint64_t last_bytes, Figures& into);
// Adds what each tree has for itself: its shape, and its levels.
void add_shape_figures(const engine::EngineStats& stats, cluster::Placement placement, Figures& into);

// Of all trees.
Figures describe_block_cache(const engine::lsm::BlockCache& cache);

}  // namespace shale::server
