#include "engine/lsm/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "engine/encoding.h"

namespace shale::engine::lsm {
namespace {

// file := magic:8  format:u32  edit*
// edit := checksum:u64 (XXH3-64 of everything behind it)  length:u32  payload
// payload := tree:varint  persisted_lsn:varint  removed count:varint  number:varint*
//            added count:varint  (level:varint  number:varint)*
constexpr BytesView kMagic = "SHALEMAN";
constexpr std::uint32_t kFormatVersion = 1;
constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kEditHeaderBytes = 12;
constexpr BytesView kNamePrefix = "manifest-";

Bytes encode_edit(const VersionEdit& edit) {
  Bytes payload;
  append_varint(payload, edit.tree);
  append_varint(payload, edit.persisted_lsn);
  append_varint(payload, edit.removed.size());
  for (const std::uint64_t number : edit.removed) append_varint(payload, number);
  append_varint(payload, edit.added.size());
  for (const auto& added : edit.added) {
    append_varint(payload, added.level);
    append_varint(payload, added.table_number);
  }
  Bytes covered;
  append_u32(covered, static_cast<std::uint32_t>(payload.size()));
  covered += payload;
  Bytes record;
  append_u64(record, hash_bytes(covered));
  record += covered;
  return record;
}

// The number in a manifest's name, or nothing for other files.
std::optional<std::uint64_t> number_of(const std::string& name) {
  if (!name.starts_with(kNamePrefix)) return {};
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kNamePrefix.size(), end, number);
  if (error != std::errc{} || stop != end) return {};
  return number;
}

// Whether a whole edit begins anywhere behind `offset`: then what stands at `offset` is damage, not a torn
// end.
bool holds_edit_behind(BytesView bytes, std::size_t offset) {
  for (std::size_t at = offset + 1; at + kEditHeaderBytes <= bytes.size(); ++at) {
    const std::uint64_t length = load_u32(bytes.data() + at + 8);
    if (length == 0 || length > bytes.size() - at - kEditHeaderBytes) continue;
    if (load_u64(bytes.data() + at) == hash_bytes(bytes.substr(at + 8, 4 + length))) return true;
  }
  return false;
}

}  // namespace

std::string Manifest::file_name(std::uint64_t number) { return fmt::format("{}{:06}", kNamePrefix, number); }

Result<std::unique_ptr<Manifest>> Manifest::open(FileSystem& files, const std::string& folder) {
  if (auto made = files.create_folder(folder); !made) return made.error();
  const auto names = files.list(folder);
  if (!names) return names.error();
  std::optional<std::uint64_t> newest;
  for (const std::string& name : *names) newest = std::max(newest, number_of(name));

  std::unique_ptr<Manifest> manifest{new Manifest(files, folder)};
  if (newest) {
    if (auto read = manifest->read(file_name(*newest)); !read) return read.error();
  }
  const std::uint64_t next = newest.value_or(0) + 1;
  if (auto started = manifest->start_file(next); !started) return started.error();
  for (const std::string& name : *names) {
    if (!number_of(name)) continue;
    if (auto removed = files.remove(fmt::format("{}/{}", folder, name)); !removed) return removed.error();
  }
  return manifest;
}

Status Manifest::read(const std::string& name) {
  const std::string path = folder_ + "/" + name;
  const auto contents = read_file(files_, path);
  if (!contents) return contents.error();
  const BytesView bytes = *contents;
  if (!bytes.starts_with(kMagic) || bytes.size() < kHeaderBytes) {
    return corruption(fmt::format("{}: is not a Shale manifest (offset 0)", path));
  }
  if (const auto version = load_u32(bytes.data() + kMagic.size()); version != kFormatVersion) {
    return Error{ErrorKind::unsupported, fmt::format("{}: has format version {}, this build reads {}", path,
                                                     version, kFormatVersion)};
  }
  std::size_t offset = kHeaderBytes;
  while (offset < bytes.size()) {
    const BytesView rest = bytes.substr(offset);
    const std::uint64_t length = rest.size() < kEditHeaderBytes ? rest.size() : load_u32(rest.data() + 8);
    const bool whole = rest.size() >= kEditHeaderBytes && length <= rest.size() - kEditHeaderBytes &&
                       load_u64(rest.data()) == hash_bytes(rest.substr(8, 4 + length));
    if (!whole) {
      if (holds_edit_behind(bytes, offset)) {
        return corruption(fmt::format("{}: damaged edit at offset {}", path, offset));
      }
      return {};
    }
    if (auto applied = apply(rest.substr(kEditHeaderBytes, length), path, offset); !applied) return applied;
    offset += kEditHeaderBytes + length;
  }
  return {};
}

Status Manifest::apply(BytesView payload, const std::string& path, std::uint64_t offset) {
  ByteReader reader{payload};
  TreeState& tree = trees_[static_cast<std::uint32_t>(reader.varint())];
  tree.persisted_lsn = std::max<Lsn>(tree.persisted_lsn, reader.varint());
  for (std::uint64_t count = reader.varint(); count > 0 && !reader.failed(); --count) {
    tree.levels.erase(reader.varint());
  }
  for (std::uint64_t count = reader.varint(); count > 0 && !reader.failed(); --count) {
    const std::uint64_t level = reader.varint();
    const std::uint64_t number = reader.varint();
    if (level >= Version::kLevelCount)
      return corruption(fmt::format("{}: impossible level at offset {}", path, offset));
    tree.levels[number] = static_cast<std::uint32_t>(level);
  }
  if (reader.failed() || !reader.at_end()) {
    return corruption(fmt::format("{}: unreadable edit at offset {}", path, offset));
  }
  return {};
}

Status Manifest::start_file(std::uint64_t number) {
  Bytes contents{kMagic};
  append_u32(contents, kFormatVersion);
  for (const auto& [tree, state] : trees_) {
    VersionEdit edit;
    edit.tree = tree;
    edit.persisted_lsn = state.persisted_lsn;
    for (const auto& [table_number, level] : state.levels) edit.added.push_back({level, table_number});
    contents += encode_edit(edit);
  }
  // Not replace_file: the open file goes on being written under its final name.
  const std::string path = folder_ + "/" + file_name(number);
  auto file = files_.create(path + ".tmp");
  if (!file) return file.error();
  if (auto written = (*file)->write_at(0, contents); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto renamed = files_.rename(path + ".tmp", path); !renamed) return renamed;
  if (auto synced = files_.sync_folder(folder_); !synced) return synced;
  file_ = std::move(*file);
  end_ = contents.size();
  return {};
}

Status Manifest::append(const VersionEdit& edit) {
  const Bytes record = encode_edit(edit);
  std::lock_guard lock{mutex_};
  if (broken_) return *broken_;
  auto written = file_->write_at(end_, record);
  if (!written && written.error().kind == ErrorKind::no_space) return written;
  if (written) written = file_->sync();
  if (!written) {
    broken_ = Error{ErrorKind::stopped, "the manifest cannot be written: " + written.error().message};
    return written;
  }
  end_ += record.size();
  return {};
}

}  // namespace shale::engine::lsm
