// ACL categories, such as @read, @string and @dangerous: names for sets of commands, from which rules of
// users are made ("+@read"). A command's categories are those that its row names and those that follow from
// its flags and its group.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/command/spec.h"

namespace shale::server::acl {

AclCategories categories_of(const CommandSpec& command);

// In the order of the enum, which is Redis's, without '@': the name at index i is that of the i-th category.
std::span<const std::string_view> category_names();
std::vector<std::string_view> names_of(AclCategories categories);
// Without '@', in any case; nullopt if there is none of this name.
std::optional<AclCategory> find_category(std::string_view name);

}  // namespace shale::server::acl
