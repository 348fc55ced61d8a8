// Every file of a store's folder, damaged in every way that a disk, or a person, may do it: bits flipped, the
// end cut off, a sector of zeros, two sectors exchanged, the file gone, another of its type in its place, a
// stranger beside it. Opening and reading either give what was stored, or an error that names the file;
// nothing wrong is ever served, nothing is missing in silence, what other files hold stays readable, and what
// harms anybody is found by the verifier.
//
// DAMAGES: at how many places of each file, spread over all of it, each of the ways is tried.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "cluster/verify.h"
#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "engine/verification.h"
#include "tests/cluster/workload_machine.h"

namespace shale::cluster {
namespace {

using engine::SimulatedDisk;

constexpr int kPersistedRecords = 120;
constexpr int kRecords = kPersistedRecords + 20;  // the rest is only in the log
constexpr StoreKind kKind{EngineKind::lsm, Sharding::ring, engine::SyncMode::always};

struct Damage {
  std::string path;
  std::string text;
  std::function<void(SimulatedDisk&)> apply;
  bool is_missing = false;
};

class StoreDamage : public testing::Test {
 protected:
  // A folder with all types of files: one shard has an LSM tree with tables and value files, one a B+ tree.
  void SetUp() override {
    WorkloadMachine machine{disk_, kKind, workload_};
    ASSERT_TRUE(machine.start());
    for (int record = 0; record < kRecords; ++record) {
      machine.write(record);
      if (record == kPersistedRecords / 3) move_first_shard(machine.store());
      if (record < kPersistedRecords && record % 40 == 39) machine.settle();
    }
    ASSERT_FALSE(machine.hung());
    ASSERT_TRUE(machine.errors().empty());
    expected_ = machine.history().contents();
    machine.stop();
    disk_.crash(engine::Unsynced::kept);
  }

  std::vector<Damage> damages() {
    const std::uint64_t places = engine::asked_of_test("DAMAGES", engine::rounds_of_test(2));
    std::vector<Damage> all;
    for (const std::string& path : disk_.paths()) {
      const Bytes contents = disk_.contents(path);
      all.push_back(
          {path, "is missing", [path](SimulatedDisk& disk) { EXPECT_TRUE(disk.remove(path)); }, true});
      all.push_back({path, "has a stranger beside it", [path](SimulatedDisk& disk) {
                       EXPECT_TRUE((*disk.create(path + ".stranger"))->write_at(0, "not of Shale"));
                     }});
      for (const std::string& other : disk_.paths()) {
        if (other == path || type_of(other) != type_of(path)) continue;
        all.push_back({path, "is as " + other, [path, strange = disk_.contents(other)](SimulatedDisk& disk) {
                         EXPECT_TRUE((*disk.create(path))->write_at(0, strange));
                       }});
        break;
      }
      if (contents.empty()) continue;
      add_ends(path, contents, all);
      for (std::uint64_t place = 0; place < places; ++place) {
        add_place(path, contents, {place * contents.size() / places, (place + 1) * contents.size() / places},
                  all);
      }
    }
    return all;
  }

  void try_damage(const Damage& damage) {
    const auto disk = disk_.copy(seed_);
    damage.apply(*disk);
    const std::vector<std::string> findings = verify(*disk);
    WorkloadMachine machine{*disk, kKind, workload_};
    bool does_harm = false;
    if (const auto started = machine.start(); !started) {
      does_harm = true;
      EXPECT_TRUE(names(started.error().message, damage)) << started.error().message;
    } else {
      const auto read = machine.read();
      Contents expected = expected_;
      for (const auto& [key, error] : read.errors) {
        does_harm = true;
        expected.erase(key);
        EXPECT_TRUE(names(error.message, damage)) << key.name << ": " << error.message;
        EXPECT_TRUE(may_hold(machine.store(), key, damage.path)) << key.name << " is in another file";
      }
      ASSERT_EQ(WorkloadHistory::difference(read.found, expected), "");
    }
    if (does_harm) {
      ASSERT_FALSE(findings.empty()) << "the verifier finds nothing";
    }
  }

  const std::uint64_t seed_ = engine::test_seed();
  SimulatedDisk disk_{1};

 private:
  static constexpr std::uint64_t kSector = 512;

  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  std::uint64_t draw_from(const Range& range) {
    return range.begin + random_() % std::max<std::uint64_t>(range.end - range.begin, 1);
  }

  void add_flipped_bit(const std::string& path, const Range& range, std::vector<Damage>& all) {
    const std::uint64_t byte = draw_from(range);
    const std::uint64_t bit = random_() % 8;
    all.push_back({path, fmt::format("bit {} of byte {} flipped", bit, byte),
                   [=](SimulatedDisk& disk) { disk.flip_bit(path, byte * 8 + bit); }});
  }
  // Headers and footers.
  void add_ends(const std::string& path, const Bytes& contents, std::vector<Damage>& all) {
    const std::uint64_t size = contents.size();
    const std::uint64_t bytes = std::min<std::uint64_t>(32, size);
    add_flipped_bit(path, {0, bytes}, all);
    add_flipped_bit(path, {size - bytes, size}, all);
  }
  void add_place(const std::string& path, const Bytes& contents, const Range& range,
                 std::vector<Damage>& all) {
    add_flipped_bit(path, range, all);
    const std::uint64_t size = draw_from(range);
    all.push_back({path, fmt::format("cut to {} of {} bytes", size, contents.size()),
                   [path, size](SimulatedDisk& disk) { disk.truncate(path, size); }});
    if (contents.size() < 2 * kSector) return;
    const std::uint64_t sectors = contents.size() / kSector;
    const auto draw_sector = [&] { return std::min(draw_from(range) / kSector, sectors - 1) * kSector; };
    const std::uint64_t zeroed = draw_sector();
    all.push_back({path, fmt::format("zeros at {}", zeroed), [path, zeroed](SimulatedDisk& disk) {
                     disk.overwrite(path, zeroed, Bytes(kSector, '\0'));
                   }});
    const std::uint64_t one = draw_sector();
    const std::uint64_t other = random_() % sectors * kSector;
    all.push_back({path, fmt::format("sectors at {} and {} exchanged", one, other), [=](SimulatedDisk& disk) {
                     disk.overwrite(path, one, BytesView{contents}.substr(other, kSector));
                     disk.overwrite(path, other, BytesView{contents}.substr(one, kSector));
                   }});
  }

  static void move_first_shard(Store& store) {
    ReshapeRequest request;
    request.kind = ReshapeKind::move;
    request.shard = store.shards().front()->id;
    request.engine = EngineKind::btree;
    const auto moved = store.reshaper().run(request);
    ASSERT_TRUE(moved) << moved.error().message;
  }
  // Errors name the file, or the folder from which it is missing. An older state of a manifest is only told
  // by the files that it names and that are no more.
  static bool names(const std::string& message, const Damage& damage) {
    const bool is_elsewhere = damage.is_missing || damage.path.find("/manifest-") != std::string::npos;
    const std::string folder = damage.path.substr(0, damage.path.rfind('/'));
    return message.find(is_elsewhere ? folder : damage.path) != std::string::npos;
  }
  // The path without the numbers in it.
  static std::string type_of(std::string path) {
    std::erase_if(path, [](char c) { return c >= '0' && c <= '9'; });
    return path;
  }
  static bool may_hold(Store& store, const DatabaseKey& key, const std::string& path) {
    if (path.find("/large/") != std::string::npos) return true;
    Bytes position;
    store.placement().append(store.database_id(key.database), key.name, position);
    const bool in_btree = store.layout()->owner(position).kind == EngineKind::btree;
    return in_btree ? path.find("/btree/") != std::string::npos : path.find("/lsm/") != std::string::npos;
  }
  static std::vector<std::string> verify(SimulatedDisk& disk) {
    std::vector<std::string> findings;
    engine::Verification verification{[&](engine::Finding finding, const std::string& line) {
      if (finding != engine::Finding::remark) findings.push_back(line);
    }};
    verify_folder(disk, WorkloadMachine::kFolder, verification, WorkloadMachine::is_large);
    return findings;
  }

  std::mt19937_64 random_{seed_};
  const StoreWorkload workload_{1, kRecords};
  Contents expected_;
};

TEST_F(StoreDamage, IsNamedAndNeverServed) {
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed_));
  const auto all = damages();
  for (const char* type : {"/FORMAT", "/catalog", "/history", "/LOCK", ".log", "/manifest-", ".table",
                           ".values", "/btree/pages", "/large/"}) {
    EXPECT_TRUE(std::ranges::any_of(
        all, [&](const Damage& damage) { return damage.path.find(type) != std::string::npos; }))
        << "no file " << type;
  }
  for (const Damage& damage : all) {
    SCOPED_TRACE(damage.path + " " + damage.text);
    ASSERT_NO_FATAL_FAILURE(try_damage(damage));
  }
  std::printf("%zu damages\n", all.size());
}

}  // namespace
}  // namespace shale::cluster
