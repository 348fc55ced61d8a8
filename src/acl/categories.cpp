#include "src/acl/categories.h"

#include <iterator>

#include "src/command/arguments.h"

namespace shale::server::acl {
namespace {

constexpr std::string_view kNames[] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};
static_assert(std::size(kNames) == kAclCategoryCount);

struct GroupCategory {
  std::string_view group;
  AclCategory category;
};

constexpr GroupCategory kGroups[] = {
    {"string", AclCategory::string},
    {"bitmap", AclCategory::bitmap},
    {"hyperloglog", AclCategory::hyperloglog},
    {"list", AclCategory::list},
    {"set", AclCategory::set},
    {"sorted-set", AclCategory::sortedset},
    {"hash", AclCategory::hash},
    {"geo", AclCategory::geo},
    {"stream", AclCategory::stream},
    {"transactions", AclCategory::transaction},
    {"scripting", AclCategory::scripting},
};

AclCategory category_at(std::size_t index) { return static_cast<AclCategory>(1u << index); }

}  // namespace

AclCategories categories_of(const CommandSpec& command) {
  const CommandFlags flags = command.flags;
  AclCategories all = command.categories;
  // A container is nothing without its subcommands: it is only as slow as any.
  if (command.handler != nullptr) {
    for (const auto& [group, category] : kGroups) {
      if (command.group == group) all = all | category;
    }
  }
  if (flags.has(CommandFlag::write)) all = all | AclCategory::write;
  if (flags.has(CommandFlag::readonly) && !all.has(AclCategory::scripting)) all = all | AclCategory::read;
  if (flags.has(CommandFlag::admin)) all = all | AclCategory::admin | AclCategory::dangerous;
  if (flags.has(CommandFlag::pubsub)) all = all | AclCategory::pubsub;
  if (flags.has(CommandFlag::fast)) all = all | AclCategory::fast;
  if (flags.has(CommandFlag::blocking)) all = all | AclCategory::blocking;
  if (!all.has(AclCategory::fast)) all = all | AclCategory::slow;
  return all;
}

std::span<const std::string_view> category_names() { return kNames; }

std::vector<std::string_view> names_of(AclCategories categories) {
  std::vector<std::string_view> names;
  for (std::size_t index = 0; index < std::size(kNames); ++index) {
    if (categories.has(category_at(index))) names.push_back(kNames[index]);
  }
  return names;
}

std::optional<AclCategory> find_category(std::string_view name) {
  for (std::size_t index = 0; index < std::size(kNames); ++index) {
    if (equals_ignoring_case(name, kNames[index])) return category_at(index);
  }
  return std::nullopt;
}

}  // namespace shale::server::acl
