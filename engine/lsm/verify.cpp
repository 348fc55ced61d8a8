#include "engine/lsm/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "engine/lsm/block_cache.h"
#include "engine/lsm/manifest.h"
#include "engine/lsm/table_verify.h"
#include "engine/lsm/tree_store.h"
#include "engine/lsm/value_file_scanner.h"

namespace shale::engine::lsm {
namespace {

class TreesVerifier {
 public:
  TreesVerifier(FileSystem& files, const std::string& folder, const CountClassOf& class_of,
                Verification& verification, const EntryVisitor& visit)
      : files_(files), folder_(folder), class_of_(class_of), verification_(verification), visit_(visit) {}

  std::map<std::uint32_t, Lsn> run() {
    const auto names = files_.list(folder_);
    if (!names) {
      verification_.add(names.error());
      return {};
    }
    present_ = {names->begin(), names->end()};
    read_manifest();
    report_strays();
    for (const auto& [number, slices] : slices_) verify_table(number, slices);
    for (const std::uint64_t number : value_files_) verify_values(number);
    for (const auto& [tree, state] : manifest_.trees) verify_runs(tree, state);
    std::map<std::uint32_t, Lsn> persisted;
    for (const auto& [tree, state] : manifest_.trees) persisted[tree] = state.persisted_lsn;
    return persisted;
  }

 private:
  void read_manifest() {
    auto contents = Manifest::read(files_, folder_);
    if (!contents) {
      // Without it nobody knows which tables count. Each can still be held to its own checksums.
      verification_.add(contents.error());
      for (const std::string& name : present_) {
        if (const auto number = TreeStore::table_number(name)) slices_[*number];
      }
      return;
    }
    manifest_is_read_ = true;
    manifest_ = std::move(*contents);
    if (manifest_.number == 0) return report_missing_manifest();
    verification_.count_file(manifest_.bytes);
    verification_.count_records(manifest_.edits);
    if (manifest_.torn_bytes != 0) {
      verification_.remark(fmt::format("{}: offset {}: {} bytes of an edit that was being written",
                                       path_of(Manifest::file_name(manifest_.number)),
                                       manifest_.bytes - manifest_.torn_bytes, manifest_.torn_bytes));
    }
    for (const auto& [tree, state] : manifest_.trees) {
      for (const auto& [number, slices] : state.tables) {
        auto& all = slices_[number];
        all.insert(all.end(), slices.begin(), slices.end());
        for (const SliceDescriptor& slice : slices) {
          for (const ValueFileUse& use : slice.value_files) value_files_.insert(use.file);
        }
      }
    }
  }

  // A folder that has never held a table may have none.
  void report_missing_manifest() {
    for (const std::string& name : present_) {
      const auto number = TreeStore::table_number(name);
      if (!number) continue;
      if (slices_.empty())
        verification_.problem(fmt::format("{}: there is no manifest, but tables", folder_));
      slices_[*number];
    }
  }

  // A crash leaves files that were being written, and those it kept from being removed.
  void report_strays() {
    if (!manifest_is_read_) return;
    std::set<std::string> known{Manifest::file_name(manifest_.number)};
    for (const auto& [number, slices] : slices_) known.insert(TreeStore::table_name(number));
    for (const std::uint64_t number : value_files_) known.insert(TreeStore::value_file_name(number));
    for (const std::string& name : present_) {
      if (known.contains(name)) continue;
      verification_.remark(fmt::format("{}: the manifest does not name this file", path_of(name)));
    }
  }

  void verify_table(std::uint64_t number, const std::vector<SliceDescriptor>& slices) {
    const std::string path = path_of(TreeStore::table_name(number));
    if (!present_.contains(TreeStore::table_name(number))) {
      std::uint64_t entries = 0;
      for (const SliceDescriptor& slice : slices) entries += slice.entry_count;
      verification_.problem(fmt::format("{}: is missing; it held about {} entries", path, entries));
      return;
    }
    const Result<std::shared_ptr<const Table>> table = Table::open(files_, path, number, cache_);
    if (!table) {
      verification_.add(table.error());
      return;
    }
    TableVerifier{*table, slices, class_of_, references_, verification_, visit_}.run();
  }

  // Every record of a value file, also those that nothing refers to any more.
  void verify_values(std::uint64_t number) {
    const std::string path = path_of(TreeStore::value_file_name(number));
    if (!present_.contains(TreeStore::value_file_name(number))) {
      verification_.problem(fmt::format("{}: is missing, and tables refer to it", path));
      return;
    }
    const Result<std::shared_ptr<ValueFile>> file = ValueFile::open(files_, path, number, cache_);
    if (!file) {
      verification_.add(file.error());
      return;
    }
    verification_.count_file((*file)->file_bytes());
    verification_.count_records((*file)->record_count());
    verify_records(*file, path, references_[number]);
  }

  void verify_records(const std::shared_ptr<const ValueFile>& file, const std::string& path,
                      std::map<std::uint64_t, ReferencedValue>& references) {
    ValueFileScanner scanner{file};
    Status moved = scanner.seek_first();
    for (; moved && scanner.valid(); moved = scanner.next()) {
      const auto referenced = references.find(scanner.offset());
      if (referenced == references.end()) continue;  // garbage
      const ReferencedValue& value = referenced->second;
      if (value.key_hash == hash_bytes(scanner.key()) && value.value_bytes == scanner.value_bytes()) {
        references.erase(referenced);
      }
    }
    if (!moved) return verification_.add(moved.error());  // where the next record begins is not known
    for (const auto& [offset, value] : references) {
      verification_.problem(fmt::format("{}: offset {}: is not the value that {} refers to", path, offset,
                                        path_of(TreeStore::table_name(value.table))));
    }
  }

  void verify_runs(std::uint32_t tree, const Manifest::TreeState& state) {
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::vector<SliceDescriptor>> runs;
    for (const auto& [number, slices] : state.tables) {
      for (const SliceDescriptor& slice : slices) runs[{slice.level, slice.run}].push_back(slice);
    }
    for (auto& [place, slices] : runs) {
      std::ranges::sort(slices, {}, &SliceDescriptor::begin_key);
      for (std::size_t i = 1; i < slices.size(); ++i) {
        if (slices[i - 1].end_key <= slices[i].begin_key) continue;
        verification_.problem(
            fmt::format("{}: tree {}, level {}, run {}: the slices of tables {} and {} overlap",
                        path_of(Manifest::file_name(manifest_.number)), tree, place.first, place.second,
                        slices[i - 1].number, slices[i].number));
      }
    }
  }

  std::string path_of(const std::string& name) const { return folder_ + "/" + name; }

  FileSystem& files_;
  const std::string& folder_;
  const CountClassOf& class_of_;
  Verification& verification_;
  const EntryVisitor& visit_;
  BlockCache cache_{0};  // every block is read once, and not through it
  bool manifest_is_read_ = false;
  std::set<std::string> present_;
  Manifest::Contents manifest_;
  std::map<std::uint64_t, std::vector<SliceDescriptor>> slices_;  // of all trees, by table
  ReferencedValues references_;                                   // of slices
  std::set<std::uint64_t> value_files_;                           // that slices refer to
};

}  // namespace

std::map<std::uint32_t, Lsn> verify_trees(FileSystem& files, const std::string& folder,
                                          const CountClassOf& class_of, Verification& verification,
                                          const EntryVisitor& visit) {
  return TreesVerifier{files, folder, class_of, verification, visit}.run();
}

}  // namespace shale::engine::lsm
