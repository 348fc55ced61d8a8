#include "engine/btree/page_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace shale::engine::btree {
namespace {

constexpr BytesView kFileName = "pages";

}  // namespace

// Under another name until it is whole: a file without a superblock never stands under its own.
Result<std::unique_ptr<File>> PageFile::make(FileSystem& files, const std::string& folder,
                                             const std::string& path) {
  const std::string temporary = path + ".new";
  auto file = files.create(temporary);
  if (!file) return file.error();
  const Bytes block = Superblock{}.encode();
  if (auto written = (*file)->write_at(0, block + block); !written) return written.error();
  if (auto synced = (*file)->sync(); !synced) return synced.error();
  if (auto renamed = files.rename(temporary, path); !renamed) return renamed.error();
  if (auto synced = files.sync_folder(folder); !synced) return synced.error();
  return files.open_writable(path);
}

Result<std::unique_ptr<PageFile>> PageFile::open(FileSystem& files, const std::string& folder,
                                                 const std::function<void(const std::string&)>& on_damage) {
  if (auto made = files.create_folder(folder); !made) return made.error();
  const std::string path = fmt::format("{}/{}", folder, kFileName);
  const auto exists = files.exists(path);
  if (!exists) return exists.error();
  auto opened = *exists ? files.open_writable(path) : make(files, folder, path);
  if (!opened) return opened.error();
  std::unique_ptr<PageFile> file{new PageFile(path, std::move(*opened))};
  if (auto loaded = file->load(on_damage); !loaded) return loaded.error();
  return file;
}

Result<std::unique_ptr<PageFile>> PageFile::open_to_verify(
    FileSystem& files, const std::string& folder, const std::function<void(const std::string&)>& on_damage) {
  const std::string path = fmt::format("{}/{}", folder, kFileName);
  auto opened = files.open(path);
  if (!opened) return opened.error();
  std::unique_ptr<PageFile> file{new PageFile(path, std::move(*opened))};
  if (auto loaded = file->load(on_damage); !loaded) return loaded.error();
  return file;
}

Status PageFile::load(const std::function<void(const std::string&)>& on_damage) {
  const auto size = file_->size();
  if (!size) return size.error();
  Bytes blocks(kPagesBegin, '\0');
  if (auto read = file_->read_at(0, blocks); !read) return read;
  const std::array<std::optional<Superblock>, 2> found = {
      Superblock::decode(BytesView{blocks}.substr(0, kSuperblockBytes)),
      Superblock::decode(BytesView{blocks}.substr(kSuperblockBytes))};
  if (!found[0] && !found[1]) {
    return corruption(
        fmt::format("{}: both superblocks, at offsets 0 and {}, are damaged", path_, kSuperblockBytes));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i] && on_damage) {
      on_damage(fmt::format("{}: superblock at offset {} is damaged or half written; the other one is used",
                            path_, i * kSuperblockBytes));
    }
  }
  const bool first = found[0] && (!found[1] || found[0]->sequence >= found[1]->sequence);
  superblock_ = first ? *found[0] : *found[1];
  if (superblock_.format < kFormatMin || superblock_.format > kFormat) {
    return Error{ErrorKind::unsupported, fmt::format("{}: page file of format {}; this build knows {} to {}",
                                                     path_, superblock_.format, kFormatMin, kFormat)};
  }
  superblock_.format = kFormat;  // when it is next written
  end_ = std::max(round_up_to_block(*size), kPagesBegin);
  file_bytes_ = end_;
  if (!superblock_.directory.exists()) return {};
  const auto page = read(superblock_.directory, PageType::directory);
  if (!page) return page.error();
  auto directory = decode_directory((*page)->payload());
  if (!directory) {
    return corruption(
        fmt::format("{}: directory at offset {} makes no sense", path_, superblock_.directory.offset));
  }
  directory_ = std::move(*directory);
  return claim(superblock_.directory);
}

void PageFile::keep_only(const std::set<std::uint32_t>& trees) {
  const std::lock_guard lock{mutex_};
  forgets_trees_ =
      std::erase_if(directory_, [&](const auto& tree) { return !trees.contains(tree.first); }) != 0;
}

Status PageFile::claim(const PageAddress& page) {
  const std::lock_guard lock{mutex_};
  const std::uint64_t end = page.offset + page.bytes;
  const auto behind = claimed_.lower_bound(page.offset);
  const bool overlaps =
      (behind != claimed_.end() && behind->first < end) ||
      (behind != claimed_.begin() && std::prev(behind)->first + std::prev(behind)->second > page.offset);
  if (overlaps) return corruption(fmt::format("{}: page at offset {} overlaps another", path_, page.offset));
  if (page.offset < kPagesBegin || end > end_) {
    return corruption(fmt::format("{}: page at offset {} is not in the file", path_, page.offset));
  }
  claimed_.emplace(page.offset, page.bytes);
  return {};
}

Status PageFile::finish_opening() {
  std::uint64_t begin = kPagesBegin;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [offset, bytes] : claimed_) {
      set_free(begin, offset - begin);
      begin = offset + bytes;
    }
    set_free(begin, end_ - begin);
    claimed_.clear();
    note_space();
  }
  // A crash may have come between the two superblocks.
  const std::lock_guard committing{commit_mutex_};
  auto written = write_superblocks(superblock_);
  // What is forgotten may be written over from here on. A crash before that is on the disk leaves trees that
  // nobody will claim either.
  if (written && forgets_trees_) written = replace_directory(directory());
  return written;
}

Directory PageFile::directory() const {
  const std::lock_guard lock{mutex_};
  return directory_;
}

Result<PageImage::Ref> PageFile::read(const PageAddress& page, PageType type) const {
  auto image = PageImage::make(page.bytes);
  if (auto read = file_->read_at(page.offset, {image->data(), image->bytes()}); !read) return read.error();
  if (auto checked = check_page({image->data(), image->bytes()}, page, type, path_); !checked)
    return checked.error();
  return PageImage::Ref{std::move(image)};
}

PageImage::Ref PageFile::read_resident(const PageAddress& page, PageType type) const {
  auto image = PageImage::make(page.bytes);
  const std::span<char> bytes{image->data(), image->bytes()};
  if (file_->read_resident(page.offset, bytes) != bytes.size()) return nullptr;
  if (!check_page({image->data(), image->bytes()}, page, type, path_)) return nullptr;
  return PageImage::Ref{std::move(image)};
}

BlockRun PageFile::allocate(std::uint64_t bytes_min, std::uint64_t bytes_max) {
  const std::lock_guard lock{mutex_};
  auto run = free_.take(bytes_min, bytes_max);
  if (!run) {
    run = BlockRun{end_, round_up_to_block(std::max(bytes_min, bytes_max))};
    end_ += run->bytes;
  }
  note_space();
  return *run;
}

Status PageFile::write(std::uint64_t offset, BytesView bytes) {
  if (auto written = file_->write_at(offset, bytes); !written) return written;
  bytes_written_ += bytes.size();
  return {};
}

// After a failure what others have written may be lost as well, and a later success would not say so.
Status PageFile::sync() {
  {
    const std::lock_guard lock{mutex_};
    if (sync_failure_) return *sync_failure_;
  }
  auto synced = file_->sync();
  if (!synced) {
    const std::lock_guard lock{mutex_};
    sync_failure_ = synced.error();
  }
  return synced;
}

void PageFile::release(std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  if (held_.contains(offset)) return;
  set_free(offset, bytes);
  note_space();
}

void PageFile::hold(std::span<const PageAddress> pages) {
  const std::lock_guard lock{mutex_};
  for (const PageAddress& page : pages) held_.insert(page.offset);
}

Status PageFile::commit(std::uint32_t tree, const TreeState& state) { return commit({{tree, state}}); }

Status PageFile::commit(const Directory& changed) {
  const std::lock_guard committing{commit_mutex_};
  Directory directory = this->directory();
  for (const auto& [tree, state] : changed) directory[tree] = state;
  return replace_directory(std::move(directory));
}

Status PageFile::drop(std::uint32_t tree) {
  const std::lock_guard committing{commit_mutex_};
  Directory directory = this->directory();
  if (directory.erase(tree) == 0) return {};
  return replace_directory(std::move(directory));
}

Status PageFile::replace_directory(Directory directory) {
  if (failure_) return *failure_;
  const auto page = write_directory(directory);
  if (!page) {
    if (page.error().kind != ErrorKind::no_space) failure_ = page.error();
    return page.error();
  }
  const PageAddress before = superblock_.directory;
  const Superblock superblock{kFormat, superblock_.sequence + 1, *page};
  if (auto written = write_superblocks(superblock); !written) {
    failure_ = written.error();
    return written;
  }
  superblock_ = superblock;
  {
    const std::lock_guard lock{mutex_};
    directory_ = std::move(directory);
    set_free(before.offset, before.bytes);
  }
  ++commits_;
  return {};
}

// And syncs, with it, what the directory leads to.
Result<PageAddress> PageFile::write_directory(const Directory& directory) {
  const auto image = encode_directory(directory);
  Bytes page{image->data(), image->bytes()};
  const BlockRun run = allocate(page.size(), page.size());
  const PageAddress address = seal_page(page.data(), page.size(), PageType::directory, 0, run.offset);
  const std::uint64_t page_bytes = page.size();
  page.resize(run.bytes, '\0');
  Status status = write(run.offset, page);
  if (status) {
    release(run.offset + page_bytes, run.bytes - page_bytes);
    status = sync();
    if (status) return address;
    return status.error();
  }
  release(run.offset, run.bytes);
  return status.error();
}

Status PageFile::write_superblocks(const Superblock& superblock) {
  const Bytes block = superblock.encode();
  if (auto written = write(0, block); !written) return written;
  if (auto synced = sync(); !synced) return synced;
  // Not synced: until the next commit's first sync, one of the two is enough.
  return write(kSuperblockBytes, block);
}

// Half of what is free is enough room for them, unless it lies behind them itself.
std::uint64_t PageFile::move_from() const {
  constexpr std::uint64_t kWorthwhile = 8 * kBlockBytes;
  constexpr std::uint64_t kFreePart = 2;  // of the file
  constexpr std::uint64_t kBytesMax = 4u << 20;
  const std::uint64_t free = free_block_bytes_;
  const std::uint64_t end = file_bytes_;
  if (free < kWorthwhile || free < end / kFreePart) return kNowhere;
  return end - std::min({end, free / 2, kBytesMax});
}

void PageFile::cut_tail() {
  constexpr std::uint64_t kBytesMin = 64u << 10;
  const std::lock_guard lock{mutex_};
  const std::uint64_t end = free_.trim(end_);
  if (end == end_) return;
  if (end_ - end < std::max(kBytesMin, end_ / 32) || !file_->truncate(end)) {
    free_.add(end, end_ - end);
  } else {
    end_ = end;
  }
  note_space();
}

void PageFile::set_free(std::uint64_t offset, std::uint64_t bytes) {
  if (pins_ != 0) {
    released_while_pinned_.push_back({offset, bytes});
    return;
  }
  free_.add(offset, bytes);
  if (wipes_released_) released_.add(offset, bytes);
}

// Nobody is given what is being wiped: it is not free for so long.
Status PageFile::wipe() {
  constexpr std::uint64_t kBytesAtOnce = 1u << 20;
  BlockSet due;
  {
    const std::lock_guard lock{mutex_};
    due = std::exchange(released_earlier_, released_.take());
  }
  bool any = false;
  Status status;
  for (std::uint64_t from = 0; status;) {
    const auto blocks = due.first_from(from, kBytesAtOnce);
    if (!blocks) break;
    from = blocks->offset + blocks->bytes;
    status = wipe(*blocks);
    any = true;
  }
  if (any && status) status = sync();
  const std::lock_guard lock{mutex_};
  note_space();
  return status;
}

// What lies beside a page that counts is overwritten in its block: where that is torn, the page's bytes are
// what they were before.
Status PageFile::wipe(const BlockRun& blocks) {
  const std::uint64_t end = blocks.offset + blocks.bytes;
  for (std::uint64_t from = blocks.offset; from < end;) {
    std::optional<BlockRun> run;
    {
      const std::lock_guard lock{mutex_};
      run = free_.first_in(from, end);
      if (!run) return {};
      free_.take_at(*run);
    }
    Status wiped = write_zeros(*run);
    const std::lock_guard lock{mutex_};
    free_.add(run->offset, run->bytes);
    if (!wiped) {
      released_.add(run->offset, run->bytes);
      return wiped;
    }
    from = run->offset + run->bytes;
  }
  return {};
}

// What is zero already, as all free space mostly is when a file is opened, is not written.
Status PageFile::write_zeros(const BlockRun& run) {
  constexpr std::uint64_t kBytesAtOnce = 64u << 10;
  const auto size = file_->size();
  if (!size) return size.error();
  const std::uint64_t end = std::min(run.offset + run.bytes, *size);
  const Bytes zeros(kBytesAtOnce, '\0');
  Bytes there(kBytesAtOnce, '\0');
  for (std::uint64_t from = run.offset; from < end; from += kBytesAtOnce) {
    there.resize(std::min(kBytesAtOnce, end - from));
    if (auto read = file_->read_at(from, there); !read) return read;
    const BytesView wanted = BytesView{zeros}.substr(0, there.size());
    if (there == wanted) continue;
    if (auto written = file_->write_at(from, wanted); !written) return written;
  }
  return {};
}

void PageFile::note_space() {
  file_bytes_ = end_;
  free_bytes_ = free_.bytes();
  free_pieces_ = free_.piece_count();
  free_block_bytes_ = free_.block_bytes();
  unwiped_bytes_ = released_.bytes() + released_earlier_.bytes();
}

PageFileStats PageFile::stats() const {
  return {file_bytes_, free_bytes_, free_pieces_, unwiped_bytes_, bytes_written_, commits_};
}

}  // namespace shale::engine::btree
