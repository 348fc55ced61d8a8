#include "cluster/folder_format.h"

#include <fmt/format.h>

namespace shale::cluster {
namespace {

constexpr std::string_view kFormat = "shale data folder, format ";
constexpr unsigned kNewestVersion = kFolderFormatWithLargeValues;

}  // namespace

std::string folder_format(unsigned version) { return fmt::format("{}{}\n", kFormat, version); }

engine::Result<unsigned> check_folder_format(engine::BytesView contents, const std::string& path) {
  unsigned version = 0;
  if (contents.starts_with(kFormat)) {
    for (const char c : contents.substr(kFormat.size())) {
      if (c < '0' || c > '9') break;
      version = version * 10 + static_cast<unsigned>(c - '0');
    }
  }
  if (version == 0)
    return engine::Error{engine::ErrorKind::unsupported, path + ": does not name a Shale format"};
  if (version <= kNewestVersion) return version;
  return engine::Error{
      engine::ErrorKind::unsupported,
      fmt::format("{}: the data folder has format version {}, this build reads versions up to {}", path,
                  version, kNewestVersion)};
}

}  // namespace shale::cluster
