// The file that holds the pages of all trees of a store.
//
//   I1  Nothing that the directory on disk leads to is overwritten: space is handed out only if neither it
//       nor the rest of its block is part of such a page.
//   I2  The directory on disk changes with one write of a superblock, after all that it leads to is durable.
//   I3  Both superblocks lead to the same directory, except between two writes.
//
// Free space is not stored: when a file is opened, the trees claim their pages, and what nobody has claimed
// is free. Bytes on disk: page_format.h, directory.h, docs/formats.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "engine/btree/block_set.h"
#include "engine/btree/directory.h"
#include "engine/btree/free_space.h"
#include "engine/btree/page_format.h"
#include "engine/io/file_system.h"
#include "engine/io/paced_copy.h"

namespace shale::engine::btree {

struct PageFileStats {
  std::uint64_t file_bytes = 0;  // now
  std::uint64_t free_bytes = 0;  // now, within the file
  std::uint64_t free_pieces = 0;
  std::uint64_t unwiped_bytes = 0;  // now, in blocks with free bytes that have not been wiped yet
  std::uint64_t bytes_written = 0;  // since it was opened, as is
  std::uint64_t commits = 0;
};

// Thread-safe. All calls may wait for the disk, except stats(), move_from(), claim() and release().
class PageFile {
 public:
  // The file as it was committed last: as long as there is a Pin, what that leads to is neither overwritten
  // nor cut off. Space that is released meanwhile is free only when all pins have gone.
  class Pin {
   public:
    ~Pin() { file_.unpin(); }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    // Writes the file, as it was, to the same places of an empty one: where space was free, that has a hole.
    // Durable when it returns, but for the name. Errors: as PacedCopy.
    Status copy_to(PacedCopy& copy, const std::string& path) const;
    std::uint64_t bytes() const;  // that copy_to() writes

   private:
    friend class PageFile;
    explicit Pin(PageFile& file) : file_(file) {}
    PageFile& file_;
    Superblock superblock_;
    std::vector<BlockRun> used_;  // behind the superblocks, ascending
  };
  // Waits for a commit that is going on. Errors: io.
  Result<std::unique_ptr<Pin>> pin();

  // Opens the file `pages` in `folder`, or makes it. `on_damage` hears of what is damaged and can be done
  // without. Errors: io, no_space, corruption, unsupported.
  static Result<std::unique_ptr<PageFile>> open(FileSystem& files, const std::string& folder,
                                                const std::function<void(const std::string&)>& on_damage);

  // The same file for reading alone: no commit, no finish_opening(). Must exist.
  static Result<std::unique_ptr<PageFile>> open_to_verify(
      FileSystem& files, const std::string& folder, const std::function<void(const std::string&)>& on_damage);

  // Opening: other trees than these do not count and are forgotten; every page that the trees refer to is
  // claimed, then all else becomes free. Error{corruption} if two claims overlap or one is not in the file.
  void keep_only(const std::set<std::uint32_t>& trees);
  Status claim(const PageAddress& page);
  Status finish_opening();

  // A copy of the directory, as on disk.
  Directory directory() const;
  const std::string& path() const { return path_; }

  // Reads a page and checks that it is the one that is meant; its payload is for the caller to check.
  Result<PageImage::Ref> read(const PageAddress& page, PageType type) const;

  // The same if the kernel has the page in memory, without waiting; null if not, or if it is damaged. The one
  // call for under a shard's lock, with stats() and such.
  PageImage::Ref read_resident(const PageAddress& page, PageType type) const;
  // Says that a read() follows soon.
  void announce_read(const PageAddress& page) const { file_->announce_read(page.offset, page.bytes); }

  // Space for writing, whole blocks; more than `bytes_max` never, less than `bytes_min` neither.
  BlockRun allocate(std::uint64_t bytes_min, std::uint64_t bytes_max);
  Status write(std::uint64_t offset, BytesView bytes);
  Status sync();  // an Error is final, for all who write to the file
  // Space that is in no tree that a crash could bring back: never committed, or by a commit since left out.
  void release(std::uint64_t offset, std::uint64_t bytes);
  // Pages that stay whatever is released, until the file is opened again: nobody knows whether a crash could
  // bring back a tree that has them.
  void hold(std::span<const PageAddress> pages);

  // From now on free space is to be wiped; what is free already too. Before or at finish_opening().
  void wipe_released() { wipes_released_ = true; }
  // Wipes what has been free since the call before the last. Between two calls most of what is released is
  // written over again.
  Status wipe();

  // Where pages begin that had better lie further in front, so that the end can be cut; kNowhere as long as
  // there is little free space. Some MiB in front of the end at most: how much there is to be moved at a
  // time.
  std::uint64_t move_from() const;
  static constexpr std::uint64_t kNowhere = UINT64_MAX;

  // Gives free space at the end back to the file system, once it is worth a system call.
  void cut_tail();

  // Makes the tree's new state durable, and all that has been written so far. After an Error the file takes
  // no more commits: nobody knows what is on the disk.
  Status commit(std::uint32_t tree, const TreeState& state);
  // The same of several trees, all or none.
  Status commit(const Directory& changed);
  // Makes it durable that there is no such tree any more. Errors: as commit().
  Status drop(std::uint32_t tree);

  PageFileStats stats() const;

 private:
  PageFile(std::string path, std::unique_ptr<File> file) : path_(std::move(path)), file_(std::move(file)) {}

  static Result<std::unique_ptr<File>> make(FileSystem& files, const std::string& folder,
                                            const std::string& path);
  Status load(const std::function<void(const std::string&)>& on_damage);
  Status replace_directory(Directory directory);  // with commit_mutex_
  Result<PageAddress> write_directory(const Directory& directory);
  Status write_superblocks(const Superblock& superblock);
  void note_space();                                         // with mutex_
  void set_free(std::uint64_t offset, std::uint64_t bytes);  // with mutex_
  void unpin();
  Status wipe(const BlockRun& blocks);
  Status write_zeros(const BlockRun& run);

  const std::string path_;
  const std::unique_ptr<File> file_;

  std::mutex commit_mutex_;       // one commit at a time; guards the next two; taken before mutex_
  Superblock superblock_;         // as on disk
  std::optional<Error> failure_;  // of an earlier commit

  // Copies for stats() and move_from(), which must not wait for a truncation.
  std::atomic<std::uint64_t> file_bytes_ = kPagesBegin;
  std::atomic<std::uint64_t> free_bytes_ = 0;
  std::atomic<std::uint64_t> free_pieces_ = 0;
  std::atomic<std::uint64_t> free_block_bytes_ = 0;
  std::atomic<std::uint64_t> unwiped_bytes_ = 0;
  std::atomic<std::uint64_t> bytes_written_ = 0;
  std::atomic<std::uint64_t> commits_ = 0;

  mutable std::mutex mutex_;           // guards everything below
  std::optional<Error> sync_failure_;  // final
  Directory directory_;
  bool forgets_trees_ = false;  // that the directory on disk has; while opening
  FreeSpace free_;
  bool wipes_released_ = false;
  BlockSet released_;          // where something has been released since the last wipe()
  BlockSet released_earlier_;  // between the two before
  std::uint32_t pins_ = 0;
  std::vector<BlockRun> released_while_pinned_;
  std::set<std::uint64_t> held_;                    // offsets of pages
  std::map<std::uint64_t, std::uint64_t> claimed_;  // offset -> bytes; only while opening
  std::uint64_t end_ = kPagesBegin;                 // of the file, as far as it has been handed out
};

}  // namespace shale::engine::btree
