#include "src/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

namespace shale::server {
namespace {

class OpenFile {
 public:
  explicit OpenFile(int number) : number_(number) {}
  ~OpenFile() {
    if (number_ >= 0) ::close(number_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  int number_;
};

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool give_owner_and_mode(int descriptor, const struct ::stat& old) {
  // Only root may give a file away; whoever may not is its owner already, or has to do without.
  if (::fchown(descriptor, old.st_uid, old.st_gid) != 0 && old.st_uid == ::geteuid()) return false;
  return ::fchmod(descriptor, old.st_mode & 07777) == 0;
}

}  // namespace

bool replace_file(const std::filesystem::path& path, std::string_view contents) {
  std::error_code failed;
  const std::filesystem::path target =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path), failed);
  if (failed) {
    errno = failed.value();
    return false;
  }
  struct ::stat old {};
  const bool is_new = ::stat(target.c_str(), &old) != 0;
  if (is_new && errno != ENOENT) return false;
  std::string temporary = target.string() + ".new-XXXXXX";
  const OpenFile file{::mkstemp(temporary.data())};
  if (!file.open()) return false;
  const bool replaced = (is_new || give_owner_and_mode(file.number(), old)) &&
                        write_all(file.number(), contents) && ::fsync(file.number()) == 0 &&
                        ::rename(temporary.c_str(), target.c_str()) == 0;
  if (!replaced) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    return false;
  }
  const OpenFile folder{::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return folder.open() && ::fsync(folder.number()) == 0;
}

}  // namespace shale::server
