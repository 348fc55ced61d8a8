#include "src/acl/categories.h"

#include <gtest/gtest.h>

#include "src/command/table.h"

namespace shale::server::acl {
namespace {

using Names = std::vector<std::string_view>;

Names names_of_command(std::string_view name) { return names_of(categories_of(*find_by_full_name(name))); }

TEST(AclCategories, FollowFromFlagsGroupAndWhatTheRowAdds) {
  EXPECT_EQ(names_of_command("get"), (Names{"read", "string", "fast"}));
  EXPECT_EQ(names_of_command("del"), (Names{"keyspace", "write", "slow"}));
  EXPECT_EQ(names_of_command("client|kill"), (Names{"admin", "slow", "dangerous", "connection"}));
  EXPECT_EQ(names_of_command("client"), (Names{"slow"}));
}

TEST(AclCategories, AreFoundByNameInAnyCase) {
  EXPECT_EQ(find_category("keyspace"), AclCategory::keyspace);
  EXPECT_EQ(find_category("SortedSet"), AclCategory::sortedset);
  EXPECT_EQ(find_category("scripting"), AclCategory::scripting);
  EXPECT_EQ(find_category("@read"), std::nullopt);
  EXPECT_EQ(find_category("all"), std::nullopt);
}

}  // namespace
}  // namespace shale::server::acl
