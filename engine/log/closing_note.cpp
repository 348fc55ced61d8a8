#include "engine/log/closing_note.h"

#include <fmt/format.h>

#include "engine/encoding.h"

namespace shale::engine {
namespace {

constexpr std::string_view kNoteMagic = "SHALECLO";
constexpr std::uint32_t kNoteFormatVersion = 1;
constexpr std::size_t kNoteVersionAt = 8;
constexpr std::size_t kNoteLsnAt = 16;
constexpr std::size_t kNoteChecksumAt = 24;
constexpr std::size_t kNoteBytes = 32;
static_assert(kNoteMagic.size() == kNoteVersionAt);

}  // namespace

std::string closing_note_path(const std::string& folder) { return folder + "/closed"; }

Status write_closing_note(FileSystem& files, const std::string& folder, Lsn lsn) {
  Bytes note{kNoteMagic};
  append_u32(note, kNoteFormatVersion);
  append_u32(note, 0);
  append_u64(note, lsn);
  append_u64(note, hash_bytes(note));
  return replace_file(files, closing_note_path(folder), note);
}

Result<Lsn> read_closing_note(FileSystem& files, const std::string& folder) {
  const std::string path = closing_note_path(folder);
  const auto exists = files.exists(path);
  if (!exists) return exists.error();
  if (!*exists) return Lsn{0};
  const auto note = read_file(files, path);
  if (!note) return note.error();
  if (!note->starts_with(kNoteMagic))
    return corruption(fmt::format("{} at offset 0: not a closing note", path));
  if (note->size() != kNoteBytes) {
    return corruption(fmt::format("{} is {} bytes long instead of {}", path, note->size(), kNoteBytes));
  }
  // Before the checksum: another version may keep it elsewhere.
  if (const auto version = load_u32(note->data() + kNoteVersionAt); version != kNoteFormatVersion) {
    return Error{ErrorKind::unsupported, fmt::format("{}: format {} of a closing note, this build knows {}",
                                                     path, version, kNoteFormatVersion)};
  }
  if (load_u64(note->data() + kNoteChecksumAt) != hash_bytes(BytesView{*note}.substr(0, kNoteChecksumAt))) {
    return corruption(fmt::format("{} at offset 0: the checksum is wrong", path));
  }
  return load_u64(note->data() + kNoteLsnAt);
}

}  // namespace shale::engine
