#include "cluster/backup_folders.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

namespace shale::cluster {
namespace {

constexpr std::string_view kTemporarySuffix = ".tmp";

// Without colons, which some file systems do not take in names.
std::string name_of(std::int64_t unix_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{unix_ms}};
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto fraction = static_cast<int>((time - second).count());
  return fmt::format("{:%Y-%m-%dT%H-%M-%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(second)),
                     fraction);
}

// The inverse; nothing for other names.
std::optional<std::int64_t> time_of(std::string_view name) {
  constexpr std::string_view kPattern = "dddd-dd-ddTdd-dd-dd.dddZ";
  if (name.size() != kPattern.size()) return {};
  const auto number_at = [name](std::size_t offset, std::size_t digits) {
    int number = -1;
    const char* const end = name.data() + offset + digits;
    return std::from_chars(name.data() + offset, end, number).ptr == end ? number : -1;
  };
  const std::chrono::year_month_day day{std::chrono::year{number_at(0, 4)},
                                        std::chrono::month{static_cast<unsigned>(number_at(5, 2))},
                                        std::chrono::day{static_cast<unsigned>(number_at(8, 2))}};
  if (!day.ok()) return {};
  const auto time = std::chrono::sys_days{day} + std::chrono::hours{number_at(11, 2)} +
                    std::chrono::minutes{number_at(14, 2)} + std::chrono::seconds{number_at(17, 2)} +
                    std::chrono::milliseconds{number_at(20, 3)};
  const std::int64_t unix_ms = time.time_since_epoch().count();
  return name_of(unix_ms) == name ? std::optional{unix_ms} : std::nullopt;
}

engine::Status remove_tree(engine::FileSystem& files, const std::string& folder) {
  const auto folders = files.list_folders(folder);
  if (!folders) return folders.error();
  for (const std::string& name : *folders) {
    if (auto removed = remove_tree(files, folder + "/" + name); !removed) return removed;
  }
  const auto names = files.list(folder);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (auto removed = files.remove(folder + "/" + name); !removed) return removed;
  }
  return files.remove_folder(folder);
}

}  // namespace

std::string BackupFolders::temporary_path(const Backup& backup) {
  return backup.path + std::string{kTemporarySuffix};
}

engine::Result<std::vector<BackupFolders::Backup>> BackupFolders::list() const {
  std::vector<Backup> backups;
  const auto exists = files_.exists(folder_);
  if (!exists) return exists.error();
  if (!*exists) return backups;
  const auto names = files_.list_folders(folder_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const auto unix_ms = time_of(name);
    if (!unix_ms) continue;
    const auto in_use = files_.exists(path_of(name) + "/LOCK");
    if (!in_use) return in_use.error();
    if (!*in_use) backups.push_back({*unix_ms, path_of(name)});
  }
  return backups;
}

engine::Result<BackupFolders::Backup> BackupFolders::begin(std::int64_t now_ms) {
  if (auto made = files_.create_folder(folder_); !made) return made.error();
  if (auto synced = files_.sync_folder(engine::parent_folder(folder_)); !synced) return synced.error();
  // The clock may have been set back; what is newest must be told by its name.
  const auto names = files_.list_folders(folder_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (const auto unix_ms = time_of(name)) now_ms = std::max(now_ms, *unix_ms + 1);
  }
  if (auto removed = remove_unfinished(); !removed) return removed.error();
  Backup backup{now_ms, path_of(name_of(now_ms))};
  if (auto made = files_.create_folder(temporary_path(backup)); !made) return made.error();
  return backup;
}

engine::Status BackupFolders::finish(const Backup& backup) {
  if (auto synced = files_.sync_folder(temporary_path(backup)); !synced) return synced;
  if (auto renamed = files_.rename(temporary_path(backup), backup.path); !renamed) return renamed;
  return files_.sync_folder(folder_);
}

engine::Status BackupFolders::give_up(const Backup& backup) {
  return remove_tree(files_, temporary_path(backup));
}

// Never a whole backup's name on half of one.
engine::Status BackupFolders::keep_newest(std::size_t count) {
  const auto backups = list();
  if (!backups) return backups.error();
  for (std::size_t i = 0; i + count < backups->size(); ++i) {
    const Backup& oldest = (*backups)[i];
    if (auto renamed = files_.rename(oldest.path, temporary_path(oldest)); !renamed) return renamed;
    if (auto synced = files_.sync_folder(folder_); !synced) return synced;
    if (auto removed = remove_tree(files_, temporary_path(oldest)); !removed) return removed;
  }
  return {};
}

engine::Status BackupFolders::remove_unfinished() {
  const auto exists = files_.exists(folder_);
  if (!exists) return exists.error();
  if (!*exists) return {};
  const auto names = files_.list_folders(folder_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!name.ends_with(kTemporarySuffix)) continue;
    if (!time_of(std::string_view{name}.substr(0, name.size() - kTemporarySuffix.size()))) continue;
    if (auto removed = remove_tree(files_, path_of(name)); !removed) return removed;
  }
  return {};
}

}  // namespace shale::cluster
