// What a B+ tree, and the page file of all of them, have to say.
#pragma once

#include "engine/btree/tree_store.h"
#include "engine/engine.h"
#include "src/stats/figures.h"

namespace shale::server {

// `stats.btree` must be there.
void add_btree_figures(const engine::EngineStats& stats, Figures& into);
Figures describe_page_file(engine::btree::TreeStore& trees);

}  // namespace shale::server
