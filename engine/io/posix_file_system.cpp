// The machine's own file system: thin wrappers over system calls that handle interruption and short counts,
// and turn errno into an Error that a person can act on.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/io/file_system.h"
#include "engine/io/residency_guess.h"

namespace shale::engine {
namespace {

Error system_error(std::string_view call, const std::string& path, int code = errno) {
  const bool full = code == ENOSPC || code == EDQUOT;
  return {full ? ErrorKind::no_space : ErrorKind::io,
          fmt::format("{} {}: {}", call, path, std::generic_category().message(code))};
}

// Calls again for as long as a signal interrupts.
template <class Call>
auto retried(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  // Linux closes the descriptor even if close() reports an error; what matters was synced before.
  ~FileDescriptor() {
    if (number_ != -1) ::close(number_);
  }
  int get() const { return number_; }

 private:
  int number_ = -1;
};

Result<FileDescriptor> open_descriptor(const std::string& path, int flags) {
  const int number = retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
  if (number == -1) return system_error("open", path);
  return FileDescriptor{number};
}

Result<std::uint64_t> size_of(const FileDescriptor& descriptor, const std::string& path) {
  struct stat status {};
  if (::fstat(descriptor.get(), &status) == -1) return system_error("fstat", path);
  return static_cast<std::uint64_t>(status.st_size);
}

Status write_all(const FileDescriptor& descriptor, const std::string& path, std::uint64_t offset,
                 BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = retried(
        [&] { return ::pwrite(descriptor.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (written == -1) return system_error("pwrite", path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

// Whether all pages of a range are in the page cache, if the kernel says: it can be asked from Linux 6.5 on,
// unless somebody has forbidden it. The C library does not know the call yet.
std::optional<bool> is_resident(const FileDescriptor& descriptor, std::uint64_t offset,
                                std::uint64_t length) {
  constexpr long kCachestat = 451;  // on every architecture
  static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  struct {
    std::uint64_t offset;
    std::uint64_t length;
  } const range{offset, length};
  struct {
    std::uint64_t cached_pages;
    std::uint64_t others[4];
  } counts{};
  if (::syscall(kCachestat, descriptor.get(), &range, &counts, 0U) != 0) return std::nullopt;
  const std::uint64_t pages = (offset + length - 1) / page_bytes - offset / page_bytes + 1;
  return counts.cached_pages >= pages;
}

class PosixFile final : public File {
 public:
  PosixFile(FileDescriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Status read_at(std::uint64_t offset, std::span<char> into) const override {
    while (!into.empty()) {
      const ssize_t count = retried(
          [&] { return ::pread(descriptor_.get(), into.data(), into.size(), static_cast<off_t>(offset)); });
      if (count == -1) return system_error("pread", path_);
      if (count == 0) {
        return corruption(fmt::format("{} ends at offset {}, {} bytes early", path_, offset, into.size()));
      }
      into = into.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }

  // A read with RWF_NOWAIT that finds nothing has begun to read from the disk on the way, which takes tens of
  // microseconds and may wait for room in the disk's queue. So the kernel is asked before; where it cannot be
  // asked, nothing is taken to be in memory.
  std::size_t read_resident(std::uint64_t offset, std::span<char> into) const override {
    const auto ask = [&] { return is_resident(descriptor_, offset, into.size()); };
    if (into.empty() || !residency_.is_worth_looking(ask)) return 0;
    const iovec whole{into.data(), into.size()};
    const ssize_t returned = ::preadv2(descriptor_.get(), &whole, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    const std::size_t count = returned > 0 ? static_cast<std::size_t>(returned) : 0;
    if (count != into.size()) residency_.note_miss();
    return count;
  }

  void announce_read(std::uint64_t offset, std::uint64_t length) const override {
    ::posix_fadvise(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                    POSIX_FADV_WILLNEED);
  }

  Status write_at(std::uint64_t offset, BytesView bytes) override {
    return write_all(descriptor_, path_, offset, bytes);
  }

  Status sync() override {
    if (retried([&] { return ::fdatasync(descriptor_.get()); }) == -1) {
      return system_error("fdatasync", path_);
    }
    return {};
  }

  Result<std::uint64_t> size() const override { return size_of(descriptor_, path_); }

  Status truncate(std::uint64_t size_bytes) override {
    if (retried([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size_bytes)); }) == -1) {
      return system_error("ftruncate", path_);
    }
    return {};
  }

  // A hint: an error means that the pages stay, which harms nobody.
  void drop_cache(std::uint64_t offset, std::uint64_t length) override {
    ::posix_fadvise(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                    POSIX_FADV_DONTNEED);
  }

 private:
  const FileDescriptor descriptor_;
  const std::string path_;
  mutable ResidencyGuess residency_;
};

class PosixMappedFile final : public MappedFile {
 public:
  PosixMappedFile(FileDescriptor descriptor, std::string path, std::span<char> bytes)
      : descriptor_(std::move(descriptor)), path_(std::move(path)), bytes_(bytes) {}
  ~PosixMappedFile() override { ::munmap(bytes_.data(), bytes_.size()); }

  std::span<char> bytes() override { return bytes_; }

  // msync(MS_SYNC) is fdatasync restricted to a range: the kernel runs the file's own fsync with datasync set
  // on the very `struct file` behind the mapping, so a writeback error since the last check is reported in
  // the same way (errseq_t, Linux 4.13 and later), whichever thread or flusher met it. It is preferred
  // because the range spares pages that appenders are writing to: fdatasync would write those too, and they
  // would fault again.
  //
  // Before it starts to write, the kernel takes back the right to write to each page that is mapped, one by
  // one, and has all other processors forget the page each time (an interrupt, and under a hypervisor a wait
  // for that processor): a quarter of what a load of 1 KiB values cost. Pages that are full are written to no
  // more, so they are unmapped first, all with one such call. They stay in the page cache, and a later access
  // maps them again.
  Status sync(std::uint64_t offset, std::uint64_t length) override {
    const std::uint64_t begin = page_start(offset);
    const std::uint64_t full_end = page_start(offset + length);
    if (full_end > begin) ::madvise(bytes_.data() + begin, full_end - begin, MADV_DONTNEED);
    if (retried([&] { return ::msync(bytes_.data() + begin, offset + length - begin, MS_SYNC); }) == -1) {
      return system_error("msync", path_);
    }
    return {};
  }

  // MADV_POPULATE_WRITE (Linux 5.14) faults pages in for writing without changing them; an older kernel
  // refuses, and the writer pays for its faults itself. MADV_POPULATE_READ would not do: the first write
  // faults again.
  void prefault(std::uint64_t offset, std::uint64_t length) override {
#ifdef MADV_POPULATE_WRITE
    const std::uint64_t begin = page_start(offset);
    ::madvise(bytes_.data() + begin, offset + length - begin, MADV_POPULATE_WRITE);
#endif
  }

  void mark_written(std::uint64_t offset, std::uint64_t length) override {
    static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    for (std::uint64_t at = offset; at < offset + length; at = page_start(at) + page_bytes) {
      volatile char& byte = bytes_[at];
      byte = byte;
    }
  }

 private:
  static std::uint64_t page_start(std::uint64_t offset) {
    static const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return offset / page_bytes * page_bytes;
  }

  const FileDescriptor descriptor_;  // keeps the writeback error state alive as long as the mapping
  const std::string path_;
  const std::span<char> bytes_;
};

// flock, not fcntl: it belongs to the open file, so that two servers inside one process (tests) exclude each
// other as well, and closing some other descriptor of the file does not release it.
class PosixFolderLock final : public FolderLock {
 public:
  explicit PosixFolderLock(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const FileDescriptor descriptor_;
};

Result<std::unique_ptr<MappedFile>> map(FileDescriptor descriptor, const std::string& path,
                                        std::uint64_t size_bytes) {
  if (size_bytes == 0) return corruption(fmt::format("{} is empty and cannot be mapped", path));
  void* const address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (address == MAP_FAILED) return system_error("mmap", path);
  return std::make_unique<PosixMappedFile>(std::move(descriptor), path,
                                           std::span{static_cast<char*>(address), size_bytes});
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> create(const std::string& path) override {
    auto descriptor = open_descriptor(path, O_RDWR | O_CREAT | O_TRUNC);
    if (!descriptor) return descriptor.error();
    return std::make_unique<PosixFile>(std::move(*descriptor), path);
  }

  Result<std::unique_ptr<File>> open(const std::string& path) override {
    auto descriptor = open_descriptor(path, O_RDONLY);
    if (!descriptor) return descriptor.error();
    return std::make_unique<PosixFile>(std::move(*descriptor), path);
  }

  Result<std::unique_ptr<File>> open_writable(const std::string& path) override {
    auto descriptor = open_descriptor(path, O_RDWR);
    if (!descriptor) return descriptor.error();
    return std::make_unique<PosixFile>(std::move(*descriptor), path);
  }

  Result<std::unique_ptr<MappedFile>> create_mapped(const std::string& path,
                                                    std::uint64_t size_bytes) override {
    auto descriptor = open_descriptor(path, O_RDWR | O_CREAT | O_TRUNC);
    if (!descriptor) return descriptor.error();
    if (Status status = allocate(*descriptor, path, size_bytes); !status) {
      ::unlink(path.c_str());  // a half-made file must not keep the space that was missing
      return status.error();
    }
    return map(std::move(*descriptor), path, size_bytes);
  }

  Result<std::unique_ptr<MappedFile>> open_mapped(const std::string& path) override {
    auto descriptor = open_descriptor(path, O_RDWR);
    if (!descriptor) return descriptor.error();
    const auto size_bytes = size_of(*descriptor, path);
    if (!size_bytes) return size_bytes.error();
    return map(std::move(*descriptor), path, *size_bytes);
  }

  Result<bool> exists(const std::string& path) override {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return system_error("stat", path);
  }

  Result<std::vector<std::string>> list(const std::string& folder) override {
    return names_in(folder, S_IFREG);
  }
  Result<std::vector<std::string>> list_folders(const std::string& folder) override {
    return names_in(folder, S_IFDIR);
  }

  Status create_folder(const std::string& path) override {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), 0755) == -1) {
        // A parent that exists may answer EROFS or EACCES instead; what counts is that it is a folder.
        const int code = errno;
        struct stat status {};
        if (::stat(part.c_str(), &status) == -1) return system_error("mkdir", part, code);
        if (!S_ISDIR(status.st_mode)) return system_error("mkdir", part, ENOTDIR);
      }
      if (end == std::string::npos) return {};
    }
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == -1) return system_error("rename", from + " to " + to);
    return {};
  }

  Status link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    const int code = errno;
    Error error = system_error("link", from + " to " + to, code);
    if (code == EXDEV || code == EPERM || code == EOPNOTSUPP || code == EMLINK) {
      error.kind = ErrorKind::unsupported;
    }
    return error;
  }

  Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) == -1) return system_error("unlink", path);
    return {};
  }

  Status remove_folder(const std::string& path) override {
    if (::rmdir(path.c_str()) == -1) return system_error("rmdir", path);
    return {};
  }

  Status sync_folder(const std::string& path) override {
    auto descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!descriptor) return descriptor.error();
    if (retried([&] { return ::fsync(descriptor->get()); }) == -1) return system_error("fsync", path);
    return {};
  }

  Result<std::unique_ptr<FolderLock>> lock(const std::string& path) override {
    auto descriptor = open_descriptor(path, O_RDWR | O_CREAT);
    if (!descriptor) {  // a file that may only be read can be locked, too: somebody checks a copy
      const Error error = descriptor.error();
      descriptor = open_descriptor(path, O_RDONLY);
      if (!descriptor) return error;
    }
    if (retried([&] { return ::flock(descriptor->get(), LOCK_EX | LOCK_NB); }) == -1) {
      if (errno == EWOULDBLOCK) {
        return Error{ErrorKind::locked, fmt::format("flock {}: another process holds the lock", path)};
      }
      return system_error("flock", path);
    }
    return std::make_unique<PosixFolderLock>(std::move(*descriptor));
  }

  Result<std::uint64_t> free_bytes(const std::string& folder) override {
    struct statvfs status {};
    if (retried([&] { return ::statvfs(folder.c_str(), &status); }) == -1) {
      return system_error("statvfs", folder);
    }
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

 private:
  // Sorted.
  static Result<std::vector<std::string>> names_in(const std::string& folder, mode_t type) {
    const std::unique_ptr<DIR, int (*)(DIR*)> entries{::opendir(folder.c_str()), &::closedir};
    if (!entries) return system_error("opendir", folder);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* const entry = ::readdir(entries.get());
      if (!entry) break;
      struct stat status {};
      if (::fstatat(::dirfd(entries.get()), entry->d_name, &status, 0) == -1) {
        if (errno == ENOENT) continue;  // removed since
        return system_error("fstatat", folder + "/" + entry->d_name);
      }
      const std::string_view name = entry->d_name;
      if ((status.st_mode & S_IFMT) == type && name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return system_error("readdir", folder);
    std::sort(names.begin(), names.end());
    return names;
  }

  static Status allocate(const FileDescriptor& descriptor, const std::string& path,
                         std::uint64_t size_bytes) {
    const auto length = static_cast<off_t>(size_bytes);
    if (retried([&] { return ::fallocate(descriptor.get(), 0, 0, length); }) == 0) return {};
    if (errno != EOPNOTSUPP && errno != ENOSYS) return system_error("fallocate", path);
    const std::string zeros(std::min<std::uint64_t>(size_bytes, 1u << 20), '\0');
    for (std::uint64_t offset = 0; offset < size_bytes; offset += zeros.size()) {
      const auto part = BytesView{zeros}.substr(0, size_bytes - offset);
      if (Status status = write_all(descriptor, path, offset, part); !status) return status;
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace shale::engine
