// A store as it was at one moment: what a backup is made of.
//
// It is what a start would find had the machine stopped then: a catalog, trees that have persisted each up to
// a record of its own, and the log from the first record that one of them lacks up to the cut. Trees are
// looked at before the log is cut, so none has persisted more than the log has; and whatever has been removed
// or trimmed before, a start would not have needed.
#pragma once

#include <memory>

#include "cluster/catalog.h"
#include "engine/btree/page_file.h"
#include "engine/log/log.h"
#include "engine/lsm/tree_snapshot.h"

namespace shale::cluster {

struct StoreCut {
  CatalogState catalog;
  engine::lsm::TreeSnapshots lsm;                       // their files stay as long as this does
  std::unique_ptr<engine::btree::PageFile::Pin> pages;  // likewise; null: no shard is a B+ tree
  engine::LogCut log;                                   // log.lsn: all records up to here, and no others
  std::shared_ptr<const void> log_kept;           // while it is there, the log is not trimmed beyond the cut
  std::shared_ptr<const void> large_values_kept;  // while it is there, no large value is removed
};

}  // namespace shale::cluster
