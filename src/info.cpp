#include "src/info.h"

#include <algorithm>

#include "src/command/arguments.h"
#include "src/info/sections.h"

namespace shale::server {
namespace {

void write_nothing(InfoFields&, Server&) {}

enum class Shown : std::uint8_t { always, in_all };

struct Section {
  std::string_view title;
  Shown shown;
  void (*write)(InfoFields& fields, Server& server);
};

// In Redis's order. Modules, of which there are none, is there because clients ask for it by name.
constexpr Section kSections[] = {
    {"Server", Shown::always, info::write_server},
    {"Clients", Shown::always, info::write_clients},
    {"Memory", Shown::always, info::write_memory},
    {"Persistence", Shown::always, info::write_persistence},
    {"Stats", Shown::always, info::write_stats},
    {"Replication", Shown::always, info::write_replication},
    {"CPU", Shown::always, info::write_cpu},
    {"Modules", Shown::always, write_nothing},
    {"Commandstats", Shown::in_all, info::write_commandstats},
    {"Errorstats", Shown::always, info::write_errorstats},
    {"Latencystats", Shown::in_all, info::write_latencystats},
    {"Cluster", Shown::always, info::write_cluster},
    {"Keyspace", Shown::always, info::write_keyspace},
    {"Shale", Shown::always, info::write_shale},
};

bool is_wanted(const Section& section, std::span<const std::string_view> names) {
  if (names.empty()) return section.shown == Shown::always;
  return std::ranges::any_of(names, [&](std::string_view name) {
    return equals_ignoring_case(name, section.title) || equals_ignoring_case(name, "all") ||
           equals_ignoring_case(name, "everything") ||
           (section.shown == Shown::always && equals_ignoring_case(name, "default"));
  });
}

}  // namespace

std::string describe_server(Server& server, std::span<const std::string_view> sections) {
  InfoFields fields;
  for (const Section& section : kSections) {
    if (!is_wanted(section, sections)) continue;
    fields.section(section.title);
    section.write(fields, server);
  }
  return fields.take();
}

std::string abbreviate_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{}B", bytes);
  constexpr std::string_view kUnits = "KMGTPE";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.2f}{}", value, kUnits[unit]);
}

}  // namespace shale::server
