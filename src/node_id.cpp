#include "src/node_id.h"

#include <algorithm>
#include <random>

// GCC 12 takes the memory behind a short string's bytes for ours.
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overread"

namespace shale::server {
namespace {

constexpr std::size_t kDigits = 40;
constexpr std::string_view kHexadecimal = "0123456789abcdef";

bool is_id(std::string_view text) {
  return text.size() == kDigits && text.find_first_not_of(kHexadecimal) == std::string_view::npos;
}

}  // namespace

std::string random_id() {
  std::random_device random;
  std::string id;
  while (id.size() < kDigits) id += kHexadecimal[random() % kHexadecimal.size()];
  return id;
}

engine::Result<std::string> load_node_id(engine::FileSystem& files, const std::string& folder) {
  const std::string path = folder + "/node-id";
  const auto exists = files.exists(path);
  if (!exists) return exists.error();
  if (*exists) {
    auto kept = engine::read_file(files, path);
    if (!kept) return kept.error();
    kept->erase(std::min(kept->find('\n'), kept->size()));
    if (!is_id(*kept)) {
      return engine::Error{
          engine::ErrorKind::corruption,
          path + ": not a node's id of 40 hexadecimal digits; without the file a new one is made"};
    }
    return kept;
  }
  std::string id = random_id();
  if (const auto written = engine::replace_file(files, path, id + '\n'); !written) return written.error();
  return id;
}

}  // namespace shale::server
