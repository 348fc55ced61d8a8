// The names on a simulated disk: which file is called what in which folder, and which of that is sure to be
// so after a crash.
//
// What a successful sync_folder covered is sure. Every other change of names is kept or lost by itself, as a
// whole. That folders are made and removed is durable at once; that one gets another name is not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/io/file_system.h"
#include "engine/testing/simulated_inode.h"

namespace shale::engine {

// Paths of files and of folders are told apart by the function they are given to. Not thread-safe.
class SimulatedNames {
 public:
  using Inode = std::shared_ptr<SimulatedInode>;

  SimulatedNames() = default;
  SimulatedNames(SimulatedNames&&) = default;
  SimulatedNames& operator=(SimulatedNames&&) = default;

  // The same names of copies of the inodes.
  SimulatedNames copy() const;

  Inode find(const std::string& path) const;  // null if there is none
  bool has_folder(const std::string& folder) const { return folders_.contains(folder); }
  bool has_folder_of(const std::string& path) const { return has_folder(parent_folder(path)); }
  // Names in a folder that is there, without the folder's own.
  std::vector<std::string> files_in(const std::string& folder) const;
  std::vector<std::string> folders_in(const std::string& folder) const;
  bool is_empty(const std::string& folder) const;
  std::vector<std::string> paths() const;  // of all files, sorted
  std::uint64_t bytes_used() const;        // by files as they are now; one with two names counts once

  // The folders of the paths are there; so is what goes or gets another name.
  void add(const std::string& path, const Inode& inode);
  void remove(const std::string& path);
  void rename(const std::string& from, const std::string& to);
  void rename_folder(const std::string& from, const std::string& to);  // within the one that it is in
  void create_folder(const std::string& path);                         // and those that it lies in
  void remove_folder(const std::string& path);
  void sync_folder(const std::string& folder);

  // Decides what the disk holds, names and contents.
  void crash(Unsynced unsynced, std::mt19937_64& random);
  void process_kill();

 private:
  // A file's place is its folder's own, which stays when the folder gets another name.
  using Names = std::map<std::string, Inode>;          // by place
  using Folders = std::map<std::string, std::string>;  // by path, what places in it begin with
  // A change of names inside one folder that no sync_folder has covered. Applied as a whole or not at all.
  struct Change {
    std::string folder;   // where, as in Folders
    std::string removed;  // place, empty if none
    std::string added;    // place, empty if none
    Inode inode;          // null: it is of a folder, and these are paths
  };

  SimulatedNames(const SimulatedNames&) = default;

  // Where the file is, if its folder is there, and of that what its Folders have.
  std::string place(const std::string& path) const;
  const std::string& folder_place(const std::string& folder) const { return folders_.at(folder); }
  void make(Change change);
  static void apply(const Change& change, Names& names, Folders& folders);
  // Calls `visit` once for each inode that has a name.
  template <class Visit>
  void for_each_inode(Visit visit) const;

  Names names_;         // as the running machine sees them
  Names synced_names_;  // as they are sure to be after a crash
  std::vector<Change> unsynced_changes_;
  Folders folders_;
  Folders synced_folders_;
  std::uint64_t folders_made_ = 0;
};

}  // namespace shale::engine
