// The seeded twin of tests/fuzz/readers_fuzz.cpp.
//
// FUZZ_ROUNDS: how many inputs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/cluster/readers_fuzz_body.h"
#include "tests/fuzz/corpus.h"

namespace shale::cluster {
namespace {

TEST(ReadersFuzz, ReadWhatIsSound) {
  for (const fuzz::Reader& reader : fuzz::readers()) {
    EXPECT_FALSE(reader.sound.empty());
    reader.read(reader.sound);
  }
  EXPECT_TRUE(CatalogState::decode(fuzz::with_checksum(fuzz::sound_catalog()), "catalog"));
  EXPECT_TRUE(decode_history(fuzz::with_checksum(fuzz::sound_history()), "history"));
  EXPECT_TRUE(engine::btree::RecordPage::parse(fuzz::sound_record_page()));
  EXPECT_TRUE(engine::btree::InnerPage::decode(fuzz::sound_inner_page()));
  EXPECT_TRUE(engine::btree::decode_directory(fuzz::sound_directory()));
}

TEST(ReadersFuzz, ArbitraryChangesAreHarmless) {
  const std::uint64_t seed = engine::test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  std::mt19937_64 random{seed};
  const std::uint64_t rounds = engine::asked_of_test("FUZZ_ROUNDS", engine::rounds_of_test(100'000));
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Bytes input(1, static_cast<char>(random()));
    for (std::uint64_t changes = 1 + random() % 4; changes != 0; --changes) {
      for (int i = 0; i < 4; ++i) input.push_back(static_cast<char>(random()));
      if (random() % 2 == 0) input.back() = static_cast<char>(random() % 8);
    }
    fuzz::read_changed(input);
  }
}

TEST(FuzzCorpora, Readers) { for_each_of_corpus("readers", fuzz::read_changed); }

}  // namespace
}  // namespace shale::cluster
