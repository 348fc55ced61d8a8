// The memtable against a std::map, for keys of every shape that its ordered index treats differently.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/lsm/memtable.h"
#include "tests/engine/memory/seeded_random.h"

namespace shale::engine::lsm {
namespace {

struct KeyShape {
  const char* name;
  std::function<std::string(SeededRandom&)> make;
};

std::string number(std::uint64_t n, std::size_t digits) {
  const std::string text = std::to_string(n);
  return std::string(digits - text.size(), '0') + text;
}

const KeyShape kKeyShapes[] = {
    {"random_tokens", [](SeededRandom& random) { return random.bytes(8) + number(random.below(1000), 4); }},
    {"few_tokens_many_keys",
     [](SeededRandom& random) {
       return "token" + number(random.below(20), 3) + number(random.below(3000), 12);
     }},
    {"short_with_zeros",
     [](SeededRandom& random) {
       std::string key(random.below(11), '\0');
       for (char& byte : key) byte = static_cast<char>(random.below(3) == 0 ? 0xff : random.below(2));
       return key;
     }},
    {"one_long_prefix",
     [](SeededRandom& random) { return "database 0, user by number: " + number(random.below(40'000), 10); }},
    {"nested_prefixes",
     [](SeededRandom& random) {
       std::string key = "/";
       for (std::uint64_t depth = random.below(7); depth > 0; --depth) {
         key += "directory" + std::to_string(random.below(4)) + "/";
       }
       return key + std::to_string(random.below(30));
     }},
    {"ascending",
     [](SeededRandom&) {
       static std::uint64_t next = 0;
       return "sequence " + number(++next, 12);
     }},
    {"descending",
     [](SeededRandom&) {
       static std::uint64_t next = 100'000'000;
       return "sequence " + number(--next, 12);
     }},
};

struct Stored {
  std::string value;
  EntryTag tag;
};
using Model = std::map<std::string, Stored>;

void expect_same(const Entry& entry, const Model::value_type& expected) {
  ASSERT_EQ(entry.key, expected.first);
  ASSERT_EQ(entry.value, expected.second.value);
  ASSERT_EQ(entry.tag, expected.second.tag);
}

void expect_same(const Memtable& memtable, const Model& model, SeededRandom& random, const KeyShape& shape) {
  ASSERT_EQ(memtable.entry_count(), model.size());
  std::size_t live_bytes = 0;
  auto cursor = memtable.cursor();
  cursor.seek_to_first();
  for (const auto& expected : model) {
    ASSERT_TRUE(cursor.valid());
    ASSERT_NO_FATAL_FAILURE(expect_same(cursor.entry(), expected));
    const auto found = memtable.find(HashedKey{expected.first});
    ASSERT_TRUE(found);
    ASSERT_NO_FATAL_FAILURE(expect_same(*found, expected));
    live_bytes += expected.first.size() + expected.second.value.size();
    cursor.next();
  }
  ASSERT_FALSE(cursor.valid());
  ASSERT_EQ(memtable.live_bytes(), live_bytes);

  cursor.seek_to_last();
  for (auto expected = model.rbegin(); expected != model.rend(); ++expected, cursor.previous()) {
    ASSERT_TRUE(cursor.valid());
    ASSERT_EQ(cursor.entry().key, expected->first);
  }
  ASSERT_FALSE(cursor.valid());

  for (int i = 0; i < 3000; ++i) {
    std::string key = shape.make(random);
    if (random.one_in(3)) key.resize(random.below(key.size() + 3));
    const auto expected = model.lower_bound(key);
    cursor.seek(key);
    ASSERT_EQ(cursor.valid(), expected != model.end()) << key;
    if (cursor.valid()) {
      ASSERT_EQ(cursor.entry().key, expected->first);
    }
    ASSERT_EQ(memtable.find(HashedKey{key}).has_value(), model.contains(key));
    cursor.seek_before(key);
    ASSERT_EQ(cursor.valid(), expected != model.begin()) << key;
    if (cursor.valid()) {
      ASSERT_EQ(cursor.entry().key, std::prev(expected)->first);
    }
  }
}

class MemtableModel : public testing::TestWithParam<KeyShape> {};

TEST_P(MemtableModel, AgreesWithAMap) {
  SeededRandom random;
  const KeyShape& shape = GetParam();
  for (const std::size_t chunk_bytes : {std::size_t{64} << 10, std::size_t{2} << 20}) {
    Memtable memtable{chunk_bytes};
    Model model;
    std::vector<std::string> known;
    for (int i = 0; i < 60'000; ++i) {
      const bool again = !known.empty() && random.one_in(3);
      const std::string key = again ? known[random.below(known.size())] : shape.make(random);
      const EntryType type = random.one_in(5) ? EntryType::tombstone : EntryType::value;
      const std::size_t value_bytes = random.below(random.one_in(1000) ? 100'000 : 60);
      const std::string value = type == EntryType::value ? random.bytes(value_bytes) : "";
      const auto [stored, is_new] = model.try_emplace(key);
      const int balance = static_cast<int>(random.below(3)) - 1;
      const int change = balance - stored->second.tag.balance;
      memtable.put(HashedKey{key}, value, type, change);
      stored->second = {value, {type, static_cast<std::int8_t>(balance)}};
      if (is_new) known.push_back(key);
    }
    expect_same(memtable, model, random, shape);
  }
}

INSTANTIATE_TEST_SUITE_P(KeyShapes, MemtableModel, testing::ValuesIn(kKeyShapes),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace shale::engine::lsm
