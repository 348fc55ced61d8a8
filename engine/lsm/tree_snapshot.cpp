#include "engine/lsm/tree_snapshot.h"

#include <set>

#include "engine/lsm/manifest.h"
#include "engine/lsm/tree_store.h"

namespace shale::engine::lsm {

Status write_snapshot(FileSystem& files, const TreeSnapshots& trees, const std::string& folder,
                      const std::function<Status(const std::string& name)>& place) {
  Manifest::Trees described;
  std::set<std::string> names;  // two trees may have slices of one table
  for (const auto& [id, tree] : trees) {
    Manifest::TreeState& state = described[id];
    state.persisted_lsn = tree.persisted_lsn;
    tree.version->for_each([&](const TableRef& table) {
      const SliceDescriptor& slice = table->slice();
      state.tables[slice.number].push_back(slice);
      names.insert(TreeStore::table_name(slice.number));
      for (const ValueFileUse& use : slice.value_files) names.insert(TreeStore::value_file_name(use.file));
    });
  }
  for (const std::string& name : names) {
    if (Status placed = place(name); !placed) return placed;
  }
  return Manifest::create(files, folder, std::move(described));  // syncs the folder
}

}  // namespace shale::engine::lsm
