#include "engine/testing/simulated_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

namespace shale::engine {

namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

template <class Visit>
void SimulatedNames::for_each_inode(Visit visit) const {
  std::set<const SimulatedInode*> seen;
  for (const auto& [place, inode] : names_) {
    if (seen.insert(inode.get()).second) visit(*inode);
  }
}

SimulatedNames SimulatedNames::copy() const {
  SimulatedNames made{*this};
  std::map<const SimulatedInode*, Inode> copies;  // an inode may have several names
  const auto replace = [&](Inode& inode) {
    Inode& copied = copies[inode.get()];
    if (!copied) copied = inode->copy();
    inode = copied;
  };
  for (auto& [place, inode] : made.names_) replace(inode);
  for (auto& [place, inode] : made.synced_names_) replace(inode);
  for (Change& change : made.unsynced_changes_) {
    if (change.inode) replace(change.inode);
  }
  return made;
}

std::string SimulatedNames::place(const std::string& path) const {
  return folder_place(parent_folder(path)) + last_part(path);
}

SimulatedNames::Inode SimulatedNames::find(const std::string& path) const {
  if (!has_folder_of(path)) return nullptr;
  const auto found = names_.find(place(path));
  return found == names_.end() ? nullptr : found->second;
}

std::vector<std::string> SimulatedNames::files_in(const std::string& folder) const {
  std::vector<std::string> files;
  const std::string& begin = folder_place(folder);
  for (const auto& [place, inode] : names_) {
    if (place.starts_with(begin)) files.push_back(place.substr(begin.size()));
  }
  return files;
}

std::vector<std::string> SimulatedNames::folders_in(const std::string& folder) const {
  std::vector<std::string> names;
  for (const auto& [path, place] : folders_) {
    if (path != folder && parent_folder(path) == folder) names.push_back(last_part(path));
  }
  return names;
}

bool SimulatedNames::is_empty(const std::string& folder) const {
  const auto is_below = [&](const auto& other) { return other.first.starts_with(folder + "/"); };
  return files_in(folder).empty() && std::ranges::none_of(folders_, is_below);
}

std::vector<std::string> SimulatedNames::paths() const {
  std::vector<std::string> paths;
  for (const auto& [folder, begin] : folders_) {
    for (const std::string& name : files_in(folder)) paths.push_back(folder + "/" + name);
  }
  std::ranges::sort(paths);
  return paths;
}

std::uint64_t SimulatedNames::bytes_used() const {
  std::uint64_t bytes = 0;
  for_each_inode([&](const SimulatedInode& inode) { bytes += inode.current->size(); });
  return bytes;
}

void SimulatedNames::make(Change change) {
  apply(change, names_, folders_);
  unsynced_changes_.push_back(std::move(change));
}

void SimulatedNames::apply(const Change& change, Names& names, Folders& folders) {
  if (!change.inode) {
    Folders renamed;
    for (const auto& [path, place] : folders) {
      const bool is_inside = path == change.removed || path.starts_with(change.removed + "/");
      renamed[is_inside ? change.added + path.substr(change.removed.size()) : path] = place;
    }
    folders = std::move(renamed);
    return;
  }
  if (!change.removed.empty()) {
    const auto found = names.find(change.removed);
    // Another file may have the name by now, if changes before this one were not kept.
    if (found != names.end() && found->second == change.inode) names.erase(found);
  }
  if (!change.added.empty()) names[change.added] = change.inode;
}

void SimulatedNames::add(const std::string& path, const Inode& inode) {
  make({folder_place(parent_folder(path)), {}, place(path), inode});
}

void SimulatedNames::remove(const std::string& path) {
  make({folder_place(parent_folder(path)), place(path), {}, find(path)});
}

void SimulatedNames::rename(const std::string& from, const std::string& to) {
  const Inode inode = find(from);
  if (parent_folder(from) == parent_folder(to)) {
    make({folder_place(parent_folder(from)), place(from), place(to), inode});
  } else {  // two folders, two syncs: either half may be lost
    add(to, inode);
    remove(from);
  }
}

void SimulatedNames::rename_folder(const std::string& from, const std::string& to) {
  assert(parent_folder(from) == parent_folder(to));
  make({folder_place(parent_folder(from)), from, to, nullptr});
}

void SimulatedNames::create_folder(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!folders_.contains(part)) {
      folders_[part] = synced_folders_[part] = fmt::format("{}/", ++folders_made_);
    }
    if (end == std::string::npos) return;
  }
}

void SimulatedNames::remove_folder(const std::string& path) {
  const std::string place = folder_place(path);
  folders_.erase(path);
  std::erase_if(synced_folders_, [&](const auto& folder) { return folder.second == place; });
}

void SimulatedNames::sync_folder(const std::string& folder) {
  const std::string synced = folder_place(folder);
  const auto covered = [&](const Change& change) { return change.folder == synced; };
  for (const Change& change : unsynced_changes_) {
    if (covered(change)) apply(change, synced_names_, synced_folders_);
  }
  std::erase_if(unsynced_changes_, covered);
}

void SimulatedNames::crash(Unsynced unsynced, std::mt19937_64& random) {
  for (const Change& change : unsynced_changes_) {
    if (unsynced == Unsynced::kept || (unsynced == Unsynced::torn && random() % 2 == 0)) {
      apply(change, synced_names_, synced_folders_);
    }
  }
  unsynced_changes_.clear();
  names_ = synced_names_;
  folders_ = synced_folders_;
  for_each_inode([&](SimulatedInode& inode) { inode.crash(unsynced, random); });
}

void SimulatedNames::process_kill() {
  for_each_inode([](SimulatedInode& inode) { inode.process_kill(); });
}

}  // namespace shale::engine
