#include "src/key_events.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shale::server {
namespace {

std::uint32_t classes(std::string_view letters) { return parse_key_event_classes(letters).value(); }

std::vector<std::string> take(KeyEvents& events) {
  std::vector<std::string> taken;
  events.take_all([&](const KeyEvents::Event& event) {
    taken.push_back(std::to_string(event.database) + " " + std::string{event.name} + " " +
                    std::string{event.key});
  });
  return taken;
}

TEST(KeyEventClasses, AreShownInRedissOrder) {
  EXPECT_EQ(format_key_event_classes(classes("")), "");
  EXPECT_EQ(format_key_event_classes(classes("KEA")), "AKE");
  EXPECT_EQ(format_key_event_classes(classes("KEg$lshzxetd")), "AKE");
  EXPECT_EQ(format_key_event_classes(classes("nKE")), "nKE");
  EXPECT_EQ(format_key_event_classes(classes("mKxEn")), "xnKEm");
  EXPECT_EQ(format_key_event_classes(classes("dtexzhsl$")), "$lshzxetd");
}

TEST(KeyEventClasses, ShowWhatMakesTheSameClassesAgain) {
  for (std::uint32_t all = 0; all < (1u << 14); ++all) {
    ASSERT_EQ(classes(format_key_event_classes(all)), all);
  }
}

TEST(KeyEventClasses, RefuseOtherLetters) {
  EXPECT_FALSE(parse_key_event_classes("KEq"));
  EXPECT_FALSE(parse_key_event_classes("a"));
  EXPECT_FALSE(parse_key_event_classes(" "));
}

TEST(KeyEvents, KeepsTheWantedOnesInTheirOrder) {
  KeyEvents events;
  events.begin_command(classes("Kg$"));
  events.add(KeyEventClass::string, "set", 0, "a");
  events.add(KeyEventClass::generic, "expire", 3, "a");
  events.add(KeyEventClass::key_miss, "keymiss", 0, "b");
  EXPECT_TRUE(events.wants(KeyEventClass::string));
  EXPECT_FALSE(events.wants(KeyEventClass::new_key));
  EXPECT_EQ(take(events), (std::vector<std::string>{"0 set a", "3 expire a"}));
  EXPECT_TRUE(events.empty());
}

TEST(KeyEvents, WantsNothingWithoutAChannelToTellItIn) {
  KeyEvents events;
  events.begin_command(classes("Amn"));
  events.add(KeyEventClass::string, "set", 0, "a");
  EXPECT_FALSE(events.wants(KeyEventClass::new_key));
  EXPECT_TRUE(events.empty());
}

TEST(KeyEvents, ForgetsThoseOfACommandThatFailsAndNoOthers) {
  KeyEvents events;
  events.begin_command(classes("EA"));
  events.add(KeyEventClass::string, "set", 0, "first");
  events.begin_command(classes("EA"));
  events.add(KeyEventClass::string, "set", 0, "second");
  events.add(KeyEventClass::generic, "expire", 0, "second");
  events.drop_command();
  events.begin_command(classes("EA"));
  events.add(KeyEventClass::generic, "del", 0, "third");
  EXPECT_EQ(take(events), (std::vector<std::string>{"0 set first", "0 del third"}));
  events.begin_command(classes("EA"));
  events.drop_command();
  EXPECT_TRUE(events.empty());
}

}  // namespace
}  // namespace shale::server
