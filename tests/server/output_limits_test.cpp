#include "src/output_limits.h"

#include <gtest/gtest.h>

namespace shale::server {
namespace {

std::string changed(std::string_view text, const OutputLimits& before = {}) {
  std::string problem;
  const auto limits = parse_output_limits(text, before, problem);
  return limits ? format_output_limits(*limits) : problem;
}

TEST(OutputLimits, AreShownForAllClassesInBytes) {
  EXPECT_EQ(changed(""), "normal 0 0 0 slave 0 0 0 pubsub 0 0 0");
  EXPECT_EQ(changed("pubsub 32mb 8mb 60"), "normal 0 0 0 slave 0 0 0 pubsub 33554432 8388608 60");
  EXPECT_EQ(changed("NORMAL 1 2 3 replica 4 5 6"), "normal 1 2 3 slave 4 5 6 pubsub 0 0 0");
}

TEST(OutputLimits, OfClassesThatAreNotNamedStay) {
  EXPECT_EQ(changed("normal 1kb 0 0", {OutputLimit{7, 7, 7}, OutputLimit{8, 8, 8}, OutputLimit{9, 9, 9}}),
            "normal 1024 0 0 slave 8 8 8 pubsub 9 9 9");
}

TEST(OutputLimits, AreRefusedInRedissWords) {
  EXPECT_EQ(changed("pubsub 1 2"), "Wrong number of arguments in buffer limit configuration.");
  EXPECT_EQ(changed("master 1 2 3"), "Invalid client class specified in buffer limit configuration.");
  constexpr std::string_view kBadNumber =
      "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
  EXPECT_EQ(changed("pubsub 1x 2 3"), kBadNumber);
  EXPECT_EQ(changed("pubsub 1 -2 3"), kBadNumber);
  EXPECT_EQ(changed("pubsub 1 2 -3"), kBadNumber);
}

}  // namespace
}  // namespace shale::server
