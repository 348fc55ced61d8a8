#include "cluster/backup_writer.h"

#include <fmt/format.h>

#include "engine/large/large_value_store.h"
#include "engine/log/log_copy.h"

namespace shale::cluster {

engine::Result<engine::Lsn> BackupWriter::write(const std::string& folder) {
  auto cut = store_.cut();
  if (!cut) return cut.error();
  const engine::Lsn lsn = cut->log.lsn;
  engine::Status done = copy_log(*cut, folder);
  if (done) done = place_lsm(*cut, folder);
  if (done) done = place_large_values(folder);
  cut->large_values_kept.reset();
  if (done) done = copy_pages(*cut, folder);
  if (done) done = write_rest(*cut, folder);
  size_.copied_bytes = copy_.bytes();
  if (!done) return done.error();
  return lsn;
}

// First, so that the log can soon be trimmed again.
engine::Status BackupWriter::copy_log(StoreCut& cut, const std::string& folder) {
  const std::string path = folder + "/log";
  if (auto room = check_room(engine::bytes_of(cut.log), folder); !room) return room;
  if (auto made = files_.create_folder(path); !made) return made;
  if (auto copied = engine::copy_log(copy_, cut.log, path); !copied) return copied;
  size_.files += cut.log.parts.size();
  cut.log_kept.reset();
  return {};
}

engine::Status BackupWriter::place_lsm(const StoreCut& cut, const std::string& folder) {
  const std::string from = store_.options().folder + "/lsm/";
  const std::string to = folder + "/lsm";
  if (auto made = files_.create_folder(to); !made) return made;
  return engine::lsm::write_snapshot(
      files_, cut.lsm, to, [&](const std::string& name) { return place(from + name, to + "/" + name); });
}

// All there are by now: those of later records do no harm, since no key refers to them. What a record refers
// to was there before the record, and stays as long as the cut wants it.
engine::Status BackupWriter::place_large_values(const std::string& folder) {
  const std::string from = store_.options().folder + "/large";
  const auto exists = files_.exists(from);
  if (!exists) return exists.error();
  if (!*exists) return {};
  const std::string to = folder + "/large";
  if (auto made = files_.create_folder(to); !made) return made;
  const auto names = files_.list(from);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!engine::LargeValueStore::id_of(name)) continue;  // it is being written
    if (auto placed = place(from + "/" + name, to + "/" + name); !placed) {
      // A client that has vanished before its command came to anything takes its file along.
      const auto still_there = files_.exists(from + "/" + name);
      if (!still_there || *still_there) return placed;
    }
  }
  return files_.sync_folder(to);
}

engine::Status BackupWriter::copy_pages(const StoreCut& cut, const std::string& folder) {
  if (!cut.pages) return {};
  const std::string path = folder + "/btree";
  if (auto room = check_room(cut.pages->bytes(), folder); !room) return room;
  if (auto made = files_.create_folder(path); !made) return made;
  if (auto copied = cut.pages->copy_to(copy_, path + "/pages"); !copied) return copied;
  ++size_.files;
  return files_.sync_folder(path);
}

// FORMAT after the large values, since the first of them may have changed it.
engine::Status BackupWriter::write_rest(const StoreCut& cut, const std::string& folder) {
  if (auto written = engine::replace_file(files_, folder + "/catalog", cut.catalog.encode()); !written) {
    return written;
  }
  const auto has_history = files_.exists(store_.options().folder + "/history");
  if (!has_history) return has_history.error();
  if (*has_history) {
    if (auto copied = copy_as_it_is("history", folder); !copied) return copied;
  }
  return copy_as_it_is("FORMAT", folder);
}

engine::Status BackupWriter::place(const std::string& from, const std::string& to) {
  if (auto go_on = copy_.check_stop(); !go_on) return go_on;
  const auto file = files_.open(from);
  if (!file) return file.error();
  const auto bytes = (*file)->size();
  if (!bytes) return bytes.error();
  if (links_) {
    auto linked = files_.link(from, to);
    if (linked) {
      ++size_.files;
      size_.linked_bytes += *bytes;
      return {};
    }
    if (linked.error().kind != engine::ErrorKind::unsupported) return linked;
    links_ = false;
  }
  if (auto room = check_room(*bytes, engine::parent_folder(to)); !room) return room;
  if (auto copied = copy_.file(from, to); !copied) return copied;
  ++size_.files;
  return {};
}

engine::Status BackupWriter::copy_as_it_is(const std::string& name, const std::string& folder) {
  const auto contents = engine::read_file(files_, store_.options().folder + "/" + name);
  if (!contents) return contents.error();
  return engine::replace_file(files_, folder + "/" + name, *contents);
}

engine::Status BackupWriter::check_room(std::uint64_t bytes, const std::string& folder) const {
  constexpr std::uint64_t kLeft = 64u << 20;
  const auto free_bytes = files_.free_bytes(folder);
  if (!free_bytes) return free_bytes.error();
  if (*free_bytes >= bytes + kLeft) return {};
  return engine::Error{engine::ErrorKind::no_space,
                       fmt::format("{}: {} bytes are to be copied, and {} to stay free; {} are free", folder,
                                   bytes, kLeft, *free_bytes)};
}

}  // namespace shale::cluster
