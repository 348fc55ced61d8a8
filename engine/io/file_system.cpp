#include "engine/io/file_system.h"

namespace shale::engine {

Status replace_file(FileSystem& files, const std::string& path, BytesView contents) {
  const std::string temporary = path + ".new";
  {
    auto file = files.create(temporary);
    if (!file) return file.error();
    if (Status status = (*file)->write_at(0, contents); !status) return status;
    if (Status status = (*file)->sync(); !status) return status;
  }
  if (Status status = files.rename(temporary, path); !status) return status;
  return files.sync_folder(parent_folder(path));
}

std::string parent_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

Result<Bytes> read_file(FileSystem& files, const std::string& path) {
  auto file = files.open(path);
  if (!file) return file.error();
  const auto size_bytes = (*file)->size();
  if (!size_bytes) return size_bytes.error();
  Bytes contents(*size_bytes, '\0');
  if (Status status = (*file)->read_at(0, contents); !status) return status.error();
  return contents;
}

}  // namespace shale::engine
