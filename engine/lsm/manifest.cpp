#include "engine/lsm/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "engine/encoding.h"

namespace shale::engine::lsm {
namespace {

// file := magic:8  format:u32  snapshot_bytes:u64  edit*      (of the edits that the file began with)
// edit := checksum:u64 (XXH3-64 of everything behind it)  length:u32  payload
// payload := tree:varint  drops_tree:varint (0 or 1)  persisted_lsn:varint  removed count:varint
// number:varint*
//            added count:varint  slice*
// slice := number:varint  level:varint  run:varint  begin_key:text  end_key:text  bytes:varint
//          entries:varint  tombstones:varint  cut_since_ms:varint
//          balance count:varint  (class:varint  sum:zigzag varint)*
//          value file count:varint  (file:varint  records:varint  bytes:varint)*
// text := length:varint  bytes
constexpr BytesView kMagic = "SHALEMAN";
// 1 had neither runs nor slices, 2 no snapshot_bytes, 3 no value files, 4 no cut_since_ms, 5 no drops_tree.
constexpr std::uint32_t kFormatVersion = 6;
constexpr std::uint32_t kFormatWithoutDrops = 5;  // is read
constexpr std::size_t kHeaderBytes = 20;
constexpr std::size_t kEditHeaderBytes = 12;
constexpr BytesView kNamePrefix = "manifest-";
// A file is replaced when it is longer than this and this many times its snapshot.
constexpr std::uint64_t kReplaceBytesMin = 1u << 20;
constexpr std::uint64_t kReplaceGrowth = 4;

void append_slice(Bytes& into, const SliceDescriptor& slice) {
  append_varint(into, slice.number);
  append_varint(into, slice.level);
  append_varint(into, slice.run);
  append_length_prefixed(into, slice.begin_key);
  append_length_prefixed(into, slice.end_key);
  append_varint(into, slice.bytes);
  append_varint(into, slice.entry_count);
  append_varint(into, slice.tombstone_count);
  append_varint(into, static_cast<std::uint64_t>(slice.cut_since_ms));
  append_varint(into, slice.balances.size());
  for (const ClassBalance& balance : slice.balances) {
    append_varint(into, balance.count_class);
    append_signed_varint(into, balance.sum);
  }
  append_varint(into, slice.value_files.size());
  for (const ValueFileUse& use : slice.value_files) {
    append_varint(into, use.file);
    append_varint(into, use.record_count);
    append_varint(into, use.record_bytes);
  }
}

SliceDescriptor take_slice(ByteReader& reader) {
  SliceDescriptor slice;
  slice.number = reader.varint();
  slice.level = static_cast<std::uint32_t>(reader.varint());
  slice.run = reader.varint();
  slice.begin_key = reader.length_prefixed();
  slice.end_key = reader.length_prefixed();
  slice.bytes = reader.varint();
  slice.entry_count = reader.varint();
  slice.tombstone_count = reader.varint();
  slice.cut_since_ms = static_cast<std::int64_t>(reader.varint());
  for (std::uint64_t count = reader.varint(); count > 0 && !reader.failed(); --count) {
    const auto count_class = static_cast<std::uint32_t>(reader.varint());
    slice.balances.push_back({count_class, reader.signed_varint()});
  }
  for (std::uint64_t count = reader.varint(); count > 0 && !reader.failed(); --count) {
    ValueFileUse& use = slice.value_files.emplace_back();
    use.file = reader.varint();
    use.record_count = reader.varint();
    use.record_bytes = reader.varint();
  }
  return slice;
}

Bytes encode_edit(const VersionEdit& edit) {
  Bytes payload;
  append_varint(payload, edit.tree);
  append_varint(payload, edit.drops_tree ? 1 : 0);
  append_varint(payload, edit.persisted_lsn);
  append_varint(payload, edit.removed.size());
  for (const std::uint64_t number : edit.removed) append_varint(payload, number);
  append_varint(payload, edit.added.size());
  for (const SliceDescriptor& slice : edit.added) append_slice(payload, slice);
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

Result<VersionEdit> decode_edit(BytesView payload, std::uint32_t format, const std::string& path,
                                std::uint64_t offset) {
  ByteReader reader{payload};
  VersionEdit edit;
  edit.tree = static_cast<std::uint32_t>(reader.varint());
  edit.drops_tree = format > kFormatWithoutDrops && reader.varint() != 0;
  edit.persisted_lsn = reader.varint();
  for (std::uint64_t count = reader.varint(); count > 0 && !reader.failed(); --count) {
    edit.removed.push_back(reader.varint());
  }
  for (std::uint64_t count = reader.varint(); count > 0 && !reader.failed(); --count) {
    edit.added.push_back(take_slice(reader));
    if (edit.added.back().level >= Version::kLevelCount) {
      return corruption(fmt::format("{}: impossible level at offset {}", path, offset));
    }
  }
  if (reader.failed() || !reader.at_end()) {
    return corruption(fmt::format("{}: unreadable edit at offset {}", path, offset));
  }
  return edit;
}

void apply(const VersionEdit& edit, Manifest::Trees& trees) {
  if (edit.drops_tree) {
    trees.erase(edit.tree);
  } else {
    trees[edit.tree].apply(edit);
  }
}

Status read_edits(FileSystem& files, const std::string& path, Manifest::Contents& into) {
  const auto contents = read_file(files, path);
  if (!contents) return contents.error();
  const BytesView bytes = *contents;
  into.bytes = bytes.size();
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + sizeof kFormatVersion) {
    return corruption(fmt::format("{}: is not a Shale manifest (offset 0)", path));
  }
  const auto version = load_u32(bytes.data() + kMagic.size());
  if (version != kFormatVersion && version != kFormatWithoutDrops) {
    return Error{ErrorKind::unsupported, fmt::format("{}: has format version {}, this build reads {}", path,
                                                     version, kFormatVersion)};
  }
  if (bytes.size() < kHeaderBytes) return corruption(fmt::format("{}: damaged header at offset 12", path));
  const std::uint64_t snapshot_bytes = load_u64(bytes.data() + kHeaderBytes - sizeof(std::uint64_t));
  if (snapshot_bytes > bytes.size() - kHeaderBytes) {
    return corruption(fmt::format("{}: shorter than when it was begun, by what offset 12 says", path));
  }
  std::size_t offset = kHeaderBytes;
  while (offset < bytes.size()) {
    const BytesView rest = bytes.substr(offset);
    const std::uint64_t length = rest.size() < kEditHeaderBytes ? rest.size() : load_u32(rest.data() + 8);
    const bool whole = rest.size() >= kEditHeaderBytes && length <= rest.size() - kEditHeaderBytes &&
                       load_u64(rest.data()) == hash_bytes(rest.substr(8, 4 + length));
    if (!whole) {
      if (offset - kHeaderBytes < snapshot_bytes || holds_edit_behind(bytes, offset)) {
        return corruption(fmt::format("{}: damaged edit at offset {}", path, offset));
      }
      into.torn_bytes = rest.size();
      return {};
    }
    const auto edit = decode_edit(rest.substr(kEditHeaderBytes, length), version, path, offset);
    if (!edit) return edit.error();
    apply(*edit, into.trees);
    ++into.edits;
    offset += kEditHeaderBytes + length;
  }
  return {};
}

// There is a manifest before there is a table: where it is missing somebody has removed it, and to begin an
// empty one would be to give up all tables as strays.
Status check_for_lost_manifest(const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!name.ends_with(".table")) continue;
    return corruption(fmt::format("{}: there is no manifest, but tables ({})", folder, name));
  }
  return {};
}

}  // namespace

std::string Manifest::file_name(std::uint64_t number) { return fmt::format("{}{:06}", kNamePrefix, number); }

Result<Manifest::Contents> Manifest::read(FileSystem& files, const std::string& folder) {
  const auto names = files.list(folder);
  if (!names) return names.error();
  std::optional<std::uint64_t> newest;
  for (const std::string& name : *names) newest = std::max(newest, number_of(name));
  Contents contents;
  if (!newest) return contents;
  contents.number = *newest;
  if (auto read = read_edits(files, folder + "/" + file_name(*newest), contents); !read) return read.error();
  return contents;
}

Result<std::unique_ptr<Manifest>> Manifest::open(FileSystem& files, const std::string& folder) {
  if (auto made = files.create_folder(folder); !made) return made.error();
  auto contents = read(files, folder);
  if (!contents) return contents.error();
  const auto names = files.list(folder);  // before there is one more
  if (!names) return names.error();
  if (contents->number == 0) {
    if (auto lost = check_for_lost_manifest(folder, *names); !lost) return lost.error();
  }

  std::unique_ptr<Manifest> manifest{new Manifest(files, folder)};
  manifest->trees_ = manifest->opened_trees_ = std::move(contents->trees);
  if (auto started = manifest->start_file(contents->number + 1); !started) return started.error();
  for (const std::string& name : *names) {
    if (!number_of(name)) continue;
    if (auto removed = files.remove(fmt::format("{}/{}", folder, name)); !removed) return removed.error();
  }
  return manifest;
}

Status Manifest::create(FileSystem& files, const std::string& folder, Trees trees) {
  Manifest manifest{files, folder};
  manifest.trees_ = std::move(trees);
  return manifest.start_file(1);
}

void Manifest::TreeState::apply(const VersionEdit& edit) {
  persisted_lsn = std::max(persisted_lsn, edit.persisted_lsn);
  for (const std::uint64_t number : edit.removed) tables.erase(number);
  for (const SliceDescriptor& slice : edit.added) tables[slice.number].push_back(slice);
}

Status Manifest::start_file(std::uint64_t number) {
  Bytes snapshot;
  for (const auto& [tree, state] : trees_) {
    VersionEdit edit;
    edit.tree = tree;
    edit.persisted_lsn = state.persisted_lsn;
    for (const auto& [table, slices] : state.tables) {
      edit.added.insert(edit.added.end(), slices.begin(), slices.end());
    }
    snapshot += encode_edit(edit);
  }
  Bytes contents{kMagic};
  append_u32(contents, kFormatVersion);
  append_u64(contents, snapshot.size());
  contents += snapshot;
  // Not replace_file: the open file goes on being written under its final name.
  const std::string path = folder_ + "/" + file_name(number);
  auto file = files_.create(path + ".tmp");
  if (!file) return file.error();
  if (auto written = (*file)->write_at(0, contents); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto renamed = files_.rename(path + ".tmp", path); !renamed) return renamed;
  if (auto synced = files_.sync_folder(folder_); !synced) return synced;
  file_ = std::move(*file);
  number_ = number;
  snapshot_bytes_ = end_ = contents.size();
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
    refuse_from_now_on("the manifest cannot be written: ", written.error());
    return written;
  }
  end_ += record.size();
  apply(edit, trees_);
  if (end_ > std::max(kReplaceBytesMin, kReplaceGrowth * snapshot_bytes_)) replace_long_file();
  return {};
}

// The edit is durable in the file that is; if no new one can be made, that one goes on growing. But once the
// new one may have its name, the old one must not be written to: a start would read the new.
void Manifest::replace_long_file() {
  const std::uint64_t old_number = number_;
  const auto started = start_file(number_ + 1);
  if (started) {
    static_cast<void>(files_.remove(folder_ + "/" + file_name(old_number)).has_value());
    return;
  }
  const auto has_name = files_.exists(folder_ + "/" + file_name(old_number + 1));
  if (has_name && !*has_name) {
    snapshot_bytes_ = end_;  // not again before it has grown as much again
    return;
  }
  refuse_from_now_on("the manifest cannot be replaced: ", started.error());
}

void Manifest::refuse_from_now_on(const char* what, const Error& cause) {
  broken_ = Error{ErrorKind::stopped, what + cause.message};
  in_doubt_.store(true, std::memory_order_release);
}

}  // namespace shale::engine::lsm
