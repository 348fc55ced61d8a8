// Pages of records and leaf buffers against std::map, alone and over each other.
#include "engine/btree/layers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/testing/test_seed.h"

namespace shale::engine::btree {
namespace {

using Model = std::map<Bytes, Bytes>;

Bytes draw_key(std::mt19937_64& random) {
  switch (random() % 4) {
    case 0: return Bytes(random() % 12, static_cast<char>(random() % 3));  // padding and zeros
    case 1: return fmt::format("user:{:06}", random() % 1000);
    case 2: return "user:0000" + Bytes(random() % 20, 'x');
    default: return Bytes("\xff\xff", 2) + fmt::format("{}", random() % 100);
  }
}

Model draw_model(std::mt19937_64& random, std::size_t count) {
  Model model;
  const bool has_prefix = random() % 2 == 0;
  while (model.size() < count)
    model[(has_prefix ? "prefix/" : "") + draw_key(random)] = Bytes(random() % 40, 'v');
  return model;
}

std::vector<Record> records_of(const Model& model) {
  std::vector<Record> records;
  for (const auto& [key, value] : model) records.push_back({key, value, {}});
  return records;
}

void expect_finds(const Layer& layer, const Model& model, const Bytes& key) {
  bool is_equal = false;
  const std::uint32_t index = layer.lower_bound(key, is_equal);
  const auto expected = model.lower_bound(key);
  ASSERT_EQ(index, static_cast<std::uint32_t>(std::distance(model.begin(), expected)));
  ASSERT_EQ(is_equal, expected != model.end() && expected->first == key);
  if (expected == model.end()) return;
  Bytes scratch;
  ASSERT_EQ(layer.key(index, scratch), expected->first);
  ASSERT_EQ(layer.value(index), expected->second);
}

TEST(BtreeRecordPage, FindsWhatAMapFinds) {
  std::mt19937_64 random{test_seed()};
  for (const std::size_t count : {0, 1, 2, 3, 50, 400, 3000}) {
    const Model model = draw_model(random, count > 400 ? 900 : count);
    auto records = records_of(model);
    const Bytes large(70'000, 'l');  // offsets of four bytes
    if (count == 3000) records.front().value = large;
    const PageImage::Ref image = build_record_page(records);
    ASSERT_TRUE(RecordPage::parse(image->payload()));
    Model expected = model;
    if (count == 3000) expected.begin()->second = large;
    const Layer page{*image, true};
    for (const auto& [key, value] : expected) ASSERT_NO_FATAL_FAILURE(expect_finds(page, expected, key));
    for (int i = 0; i < 500; ++i) {
      const Bytes key = (random() % 2 == 0 ? "prefix/" : "") + draw_key(random);
      ASSERT_NO_FATAL_FAILURE(expect_finds(page, expected, key)) << "TEST_SEED=" << test_seed();
    }
  }
}

TEST(BtreeRecordPage, RefusesKeysThatDoNotAscend) {
  for (const auto& [first, second] :
       {std::pair{"b", "a"}, {"a", "a"}, {"abcdefgh2", "abcdefgh1"}, {"ab", "a"}}) {
    const Record records[] = {{first, "", {}}, {second, "", {}}};
    EXPECT_FALSE(RecordPage::parse(build_record_page(records)->payload())) << first << " " << second;
  }
}

TEST(BtreeLeafBuffer, KeepsWhatAMapKeeps) {
  std::mt19937_64 random{test_seed()};
  const auto buffer = LeafBuffer::make();
  Model model;
  for (int i = 0; i < 5000; ++i) {
    const Bytes key = draw_key(random);
    const Bytes value(random() % 60, static_cast<char>('a' + i % 26));
    bool is_equal = false;
    const std::uint32_t index = buffer->lower_bound(key, is_equal);
    ASSERT_EQ(is_equal, model.contains(key));
    buffer->put_at(index, is_equal, {key, value, {}});
    model[key] = value;
    ASSERT_NO_FATAL_FAILURE(expect_finds(Layer{*buffer}, model, draw_key(random)));
  }
  ASSERT_EQ(buffer->count(), model.size());
  std::size_t bytes = 0;
  for (const auto& [key, value] : model) bytes += record_bytes(key.size(), value.size());
  EXPECT_EQ(buffer->page_bytes(), bytes);
  EXPECT_LT(buffer->memory_bytes(), 8 * bytes);
}

TEST(BtreeLayers, TheNewestRecordOfAKeyCounts) {
  const auto buffer = LeafBuffer::make();
  buffer->append({"b", "new", {}});
  buffer->append({"c", "", {true, false}});
  const Record old[] = {{"a", "1", {}}, {"b", "2", {}}, {"c", "3", {}}, {"d", "4", {}}};
  const PageImage::Ref base = build_record_page(old);
  Layers layers;
  layers.add(Layer{*buffer});
  layers.add(Layer{*base, true});
  Model merged;
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
    if (!resolve(layers, *key, true).tag.erased) merged.emplace(key->key, layers[key->newest].value(index));
  }
  EXPECT_EQ(merged, (Model{{"a", "1"}, {"b", "new"}, {"d", "4"}}));
}

// A write that cannot see what is below it takes a value to be there.
TEST(BtreeLayers, AWrongGuessIsCorrectedWhereItIsFoundOut) {
  struct Case {
    const char* what;
    RecordTag newest;
    std::optional<RecordTag> middle;
    bool in_base;
    std::int64_t balance;
    bool stays_guessed;  // without the base
  };
  constexpr RecordTag kPut{};
  constexpr RecordTag kErased{true, false};
  constexpr RecordTag kGuessedPut{false, true};
  constexpr RecordTag kGuessedErase{true, true};
  for (const Case& tested :
       {Case{"right", kGuessedPut, {}, true, 0, true}, Case{"a new key", kGuessedPut, {}, false, 1, true},
        Case{"erased nothing", kGuessedErase, {}, false, 1, true},
        Case{"over an erased one", kGuessedPut, kErased, true, 1, false},
        Case{"over a value", kGuessedPut, kPut, true, 0, false},
        Case{"the one below guessed", kPut, kGuessedPut, false, 1, true},
        Case{"both guessed", kGuessedPut, kGuessedErase, false, 2, true},
        Case{"no guess", kPut, kErased, true, 0, false}}) {
    SCOPED_TRACE(tested.what);
    const auto buffer = LeafBuffer::make();
    buffer->append({"k", "", tested.newest});
    const Record below[] = {{"k", "", tested.middle.value_or(kPut)}};
    const PageImage::Ref changes = build_record_page(below);
    const Record base_records[] = {{tested.in_base ? "k" : "other", "", {}}};
    const PageImage::Ref base = build_record_page(base_records);
    Layers layers;
    layers.add(Layer{*buffer});
    if (tested.middle) layers.add(Layer{*changes, false});
    LayersMerge without_base{layers};
    EXPECT_EQ(resolve(layers, *without_base.next(), false).tag.guessed, tested.stays_guessed);
    layers.add(Layer{*base, true});
    LayersMerge merge{layers};
    const Resolved resolved = resolve(layers, *merge.next(), true);
    EXPECT_EQ(resolved.balance, tested.balance);
    EXPECT_FALSE(resolved.tag.guessed);
  }
}

}  // namespace
}  // namespace shale::engine::btree
