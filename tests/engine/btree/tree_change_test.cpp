// Trees that are cut and joined, over and over, while they are written to: what they have, how many keys they
// count, what a crash at any call leaves, and that no page is lost or given away twice.
#include "engine/btree/tree_change.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <optional>
#include <random>
#include <set>

#include "engine/testing/effort.h"
#include "engine/testing/test_seed.h"
#include "tests/engine/btree/simulated_tree.h"
#include "tests/engine/unsynced_name.h"
#include "tests/engine/workload.h"

namespace shale::engine::btree {
namespace {

using testing::IsEmpty;

// Which trees count, and from where on each has its keys: what a catalog says.
using Catalog = std::map<Bytes, std::uint32_t>;

std::set<std::uint32_t> ids_of(const Catalog& catalog) {
  std::set<std::uint32_t> ids;
  for (const auto& [begin, id] : catalog) ids.insert(id);
  return ids;
}

// A store of trees that divide the keys, with the catalog and the log that its owner keeps.
class Forest {
 public:
  Forest(std::uint64_t seed, SimulatedDisk& disk) : disk_(disk), random_(seed), workload_(seed, 500, 60) {
    options_ = tiny_nodes();
    options_.sync_bytes = 1024;
    options_.folder = "/btree";
    options_.policy = &policy_;
    options_.barrier = &barrier_;
    options_.clock = &clock_;
    catalog_ = {{Bytes{}, next_id_++}};
  }
  ~Forest() { close(); }

  Status open() {
    background_ = std::make_unique<ManualBackground>(random_());
    auto store = TreeStore::open(disk_, *background_, options_, ids_of(catalog_));
    if (!store) return store.error();
    store_ = std::move(*store);
    for (const auto& [begin, id] : catalog_) {
      Planted& planted = trees_.emplace_back();
      planted.begin = begin;
      planted.tree = store_->open_tree(id, planted.mutex);
      planted.id = id;
    }
    return {};
  }
  void close() {
    if (background_) background_->stop();
    trees_.clear();
    store_.reset();
    background_.reset();
  }
  // After a crash it may be the other catalog that the disk has, if that was in doubt.
  void choose_catalog() {
    if (doubtful_ && random_() % 2 == 0) choose_doubtful();
    doubtful_.reset();
  }
  void choose_doubtful() { catalog_ = *std::exchange(doubtful_, {}); }

  // False once the disk is dead.
  bool take_step() {
    const std::uint64_t drawn = random_() % 1000;
    if (drawn < 4) {
      drop_some_class();
    } else if (drawn < 900) {
      workload_.add_write();
      if (!apply(workload_.last_lsn())) return false;
    } else if (drawn < 950) {
      run_one();
    } else if (drawn < 975) {
      any_tree().flush();
    } else if (changes_by_itself_) {
      change();
    }
    return !disk_.is_off();
  }
  // One change, of which nobody knows whether it counts; no other follows.
  bool make_doubtful_change(bool cuts) {
    changes_by_itself_ = false;
    forced_ = Outcome::in_doubt;
    for (int attempt = 0; attempt < 50 && !doubtful_; ++attempt) cuts ? cut() : join();
    return doubtful_.has_value();
  }
  // As the owner does after a start: what a tree has not persisted is applied again.
  void replay() {
    for (Lsn lsn = 1; lsn <= workload_.last_lsn(); ++lsn) {
      const LoggedOperation& operation = workload_.at(lsn);
      if (operation.kind == LoggedOperation::Kind::drop_class) continue;
      if (lsn <= tree_of(operation.key).persisted_lsn()) continue;
      ASSERT_TRUE(apply(lsn));
    }
  }
  void settle() {
    for (int round = 0; round < 3; ++round) {
      for (Planted& planted : trees_) {
        planted.tree->flush();
        planted.tree->tick();
      }
      background_->run_all();
    }
  }
  void expect_contents() {
    const Model model = workload_.after(workload_.last_lsn());
    Model found;
    for (auto planted = trees_.begin(); planted != trees_.end(); ++planted) {
      const auto next = std::next(planted);
      for (auto& [key, value] : scan(*planted->tree)) {
        if (policy_.dead.contains(static_cast<std::uint8_t>(key[0]))) continue;
        ASSERT_GE(key, planted->begin);
        if (next != trees_.end()) {
          ASSERT_LT(key, next->begin);
        }
        found.emplace(key, value);
      }
    }
    ASSERT_EQ(difference(found, model), "");
    ASSERT_NO_FATAL_FAILURE(expect_counts(model));
  }
  void expect_counts(const Model& model) {
    for (auto planted = trees_.begin(); planted != trees_.end(); ++planted) {
      const auto next = std::next(planted);
      for (const char count_class : workload_.classes()) {
        const auto keys = std::ranges::count_if(model, [&](const auto& record) {
          return record.first[0] == count_class && record.first >= planted->begin &&
                 (next == trees_.end() || record.first < next->begin);
        });
        ASSERT_EQ(planted->tree->key_count(static_cast<std::uint8_t>(count_class)), keys)
            << "tree " << planted->id << " class " << count_class;
      }
    }
  }
  void expect_sound_file() {
    const Findings findings = findings_of([&](Verification& verification) {
      verify_trees(
          disk_, "/btree", [&](BytesView key) { return policy_.count_class(key); }, verification, {},
          ids_of(catalog_));
    });
    ASSERT_THAT(findings.problems, IsEmpty());
  }
  std::uint64_t free_bytes() const { return store_->file().stats().free_bytes; }
  int cuts() const { return cuts_; }
  int unions() const { return unions_; }
  std::size_t trees() const { return trees_.size(); }
  void without_doubts() { may_doubt_ = false; }

 private:
  struct Planted {
    std::mutex mutex;
    Bytes begin;
    std::uint32_t id = 0;
    std::shared_ptr<Engine> tree;
  };
  using Place = std::list<Planted>::iterator;
  // What becomes of a change that has been made on disk: it counts, or not, or nobody knows.
  enum class Outcome : std::uint8_t { counts, fails, in_doubt };

  Engine& tree_of(BytesView key) {
    auto place = trees_.begin();
    for (auto next = std::next(place); next != trees_.end() && next->begin <= key; ++next) place = next;
    return *place->tree;
  }
  Place any_place() {
    return std::next(trees_.begin(), static_cast<std::ptrdiff_t>(random_() % trees_.size()));
  }
  Engine& any_tree() { return *any_place()->tree; }
  // A piece of background work, or a tick if there is none.
  void run_one() {
    if (!background_->run_one()) any_tree().tick();
  }

  // All on one thread, so no mutex is needed here: background work runs in run_one().
  bool apply(Lsn lsn) {
    const LoggedOperation& operation = workload_.at(lsn);
    if (policy_.dead.contains(static_cast<std::uint8_t>(operation.key[0]))) return true;
    Engine& tree = tree_of(operation.key);
    for (;;) {
      if (!read(tree, operation.key)) return false;
      const auto admitted = tree.admit_write(operation.key.size() + operation.value.size());
      if (admitted) break;
      if (admitted.error().kind != ErrorKind::busy || disk_.is_off()) return false;
      background_->run_one();
    }
    if (operation.kind == LoggedOperation::Kind::put) {
      tree.put(HashedKey{operation.key}, operation.value, lsn);
    } else {
      tree.erase(HashedKey{operation.key}, lsn);
    }
    return true;
  }
  // So that the write knows what it replaces, and the count is exact.
  bool read(Engine& tree, const Bytes& key) {
    for (ReadContext context;;) {
      const auto found = tree.get(HashedKey{key}, context);
      if (found) return true;
      if (found.error().kind != ErrorKind::not_resident) return false;
      for (const auto& load : context.missing) load->run();
      held_ = std::move(context.missing);  // until the write is done
      context.clear();
    }
  }
  static Model scan(Engine& tree) {
    for (ReadContext context;;) {
      Model found;
      const auto cursor = tree.cursor({}, context);
      auto moved = cursor->seek({});
      for (; moved && cursor->valid(); moved = cursor->next()) found.emplace(cursor->key(), *cursor->value());
      if (moved) return found;
      EXPECT_EQ(moved.error().kind, ErrorKind::not_resident) << moved.error().message;
      if (moved.error().kind != ErrorKind::not_resident) return found;
      for (const auto& load : context.missing) load->run();
    }
  }
  void drop_some_class() {
    if (!workload_.can_drop()) return;
    workload_.add_drop();
    drop_class();
  }
  void drop_class() {
    policy_.dead.insert(static_cast<std::uint8_t>(workload_.at(workload_.last_lsn()).key[0]));
    for (Planted& planted : trees_) planted.tree->reclaim_obsolete(workload_.last_lsn());
  }

  void change() {
    if (trees_.size() > 5 || (trees_.size() > 1 && random_() % 2 == 0)) {
      join();
    } else {
      cut();
    }
  }
  void stop_work(Engine& tree) {
    tree.stop_work();
    while (!tree.work_stopped()) background_->run_one();
  }
  void write_some() {
    for (std::uint64_t writes = random_() % 30; writes > 0; --writes) {
      if (!trees_.front().tree->admit_write(2000)) return;  // nobody makes room as long as work is stopped
      workload_.add_write();
      if (!apply(workload_.last_lsn())) return;
    }
  }
  Outcome any_outcome() {
    if (forced_) return *forced_;
    const std::uint64_t drawn = random_() % 10;
    if (drawn == 0) return Outcome::fails;
    return drawn == 1 && may_doubt_ ? Outcome::in_doubt : Outcome::counts;
  }
  Bytes any_cut(Place place) {
    const Bytes drawn = workload_.any_key();
    const auto end = std::next(place);
    const bool divides = drawn > place->begin && (end == trees_.end() || drawn < end->begin);
    const auto middle = random_() % 2 == 0 ? place->tree->middle_key() : std::nullopt;
    if (middle && *middle > place->begin) return *middle;
    return divides ? drawn : Bytes{};
  }
  void cut() {
    const Place place = any_place();
    const Bytes at = any_cut(place);
    if (at.empty()) return;
    const std::shared_ptr<Engine> parent = place->tree;
    stop_work(*parent);
    write_some();
    {
      TreeCut change{*store_, *parent, at};
      const Place high = trees_.emplace(std::next(place));
      const std::uint32_t low_id = next_id_++;
      high->id = next_id_++;
      const auto made = change.make({low_id, place->mutex}, {high->id, high->mutex});
      // Writes go on; the high half's are still the parent's.
      high->begin = at;
      high->tree = parent;
      write_some();
      if (made && random_() % 4 != 0) {
        change.prepare();
        write_some();
        if (random_() % 4 == 0) drop_some_class();
      }
      Catalog changed = catalog_;
      changed[place->begin] = low_id;
      changed[at] = high->id;
      if (made && settle_outcome(change, changed)) {
        place->tree = change.low();
        place->id = low_id;
        high->tree = change.high();
        drop(*parent);
        ++cuts_;
        expect_counts(workload_.after(workload_.last_lsn()));
        return;
      }
      trees_.erase(high);
    }
    parent->resume_work();
  }
  void join() {
    const auto low = std::next(trees_.begin(), static_cast<std::ptrdiff_t>(random_() % (trees_.size() - 1)));
    const auto high = std::next(low);
    const std::shared_ptr<Engine> left = low->tree;
    const std::shared_ptr<Engine> right = high->tree;
    stop_work(*left);
    stop_work(*right);
    write_some();
    {
      TreeUnion change{*store_, *left, *right, high->begin};
      const std::uint32_t id = next_id_++;
      const auto made = change.make({id, low->mutex});
      write_some();
      Catalog changed = catalog_;
      changed[low->begin] = id;
      changed.erase(high->begin);
      if (made && settle_outcome(change, changed)) {
        low->tree = change.whole();
        low->id = id;
        trees_.erase(high);
        drop(*left);
        drop(*right);
        ++unions_;
        expect_counts(workload_.after(workload_.last_lsn()));
        return;
      }
    }
    left->resume_work();
    right->resume_work();
  }
  template <class Change>
  bool settle_outcome(Change& change, const Catalog& changed) {
    switch (any_outcome()) {
      case Outcome::fails: return false;
      case Outcome::in_doubt:
        change.keep();
        // An earlier doubt is over: the catalog could be written meanwhile.
        doubtful_ = changed;
        may_doubt_ = false;
        return false;
      case Outcome::counts: break;
    }
    catalog_ = changed;
    doubtful_.reset();
    change.hand_over();
    return true;
  }
  void drop(Engine& tree) {
    tree.stop_work();
    ASSERT_TRUE(tree.work_stopped());
    static_cast<void>(store_->drop_tree(tree).has_value());  // the disk may be dead: then at the next start
  }

  SimulatedDisk& disk_;
  std::mt19937_64 random_;
  TestPolicy policy_;
  Workload workload_;
  ManualClock clock_;
  NoBarrier barrier_;
  TreeStoreOptions options_;
  std::unique_ptr<ManualBackground> background_;
  std::unique_ptr<TreeStore> store_;
  std::list<Planted> trees_;  // in the order of their keys
  std::vector<std::shared_ptr<Load>> held_;
  std::uint32_t next_id_ = 1;
  Catalog catalog_;
  std::optional<Catalog> doubtful_;  // that the disk may have instead
  bool may_doubt_ = true;
  bool changes_by_itself_ = true;
  std::optional<Outcome> forced_;
  int cuts_ = 0;
  int unions_ = 0;
};

TEST(BtreeChange, TreesThatAreCutAndJoinedHaveTheirKeysAndCountThem) {
  for (std::uint64_t round = 0; round < 6; ++round) {
    const std::uint64_t seed = test_seed() + round;
    SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
    SimulatedDisk disk{seed};
    Forest forest{seed, disk};
    ASSERT_TRUE(forest.open());
    for (int step = 0; step < 6000; ++step) {
      ASSERT_TRUE(forest.take_step());
      ASSERT_FALSE(testing::Test::HasFailure()) << "step " << step;
      if (step % 500 == 499) {
        ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
      }
    }
    EXPECT_GT(forest.cuts(), 10);
    EXPECT_GT(forest.unions(), 10);
    forest.settle();
    ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
    forest.close();
    ASSERT_NO_FATAL_FAILURE(forest.expect_sound_file());
    ASSERT_TRUE(forest.open());
    ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
  }
}

// What is free when a file is opened is what no tree has. Before, it must have been given back, but for what
// has left a tree while its last checkpoint ran, which goes with the next: a few of these very small pages.
TEST(BtreeChange, NoPageIsLostByChanges) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  SimulatedDisk disk{seed};
  Forest forest{seed, disk};
  forest.without_doubts();
  ASSERT_TRUE(forest.open());
  for (int step = 0; step < 20000; ++step) ASSERT_TRUE(forest.take_step());
  forest.settle();
  const std::uint64_t before = forest.free_bytes();
  forest.close();
  ASSERT_TRUE(forest.open());
  EXPECT_GE(forest.free_bytes(), before);
  EXPECT_LT(forest.free_bytes(), before + 4096);
}

// The old trees go on, and write every leaf anew, while the disk may have the catalog with the new ones.
TEST(BtreeChange, WhileTheCatalogIsInDoubtTheNewTreesStayWhole) {
  for (const bool cuts : {true, false}) {
    for (std::uint64_t round = 0; round < 5; ++round) {
      const std::uint64_t seed = test_seed() + round;
      SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
      SimulatedDisk disk{seed};
      Forest forest{seed, disk};
      forest.without_doubts();
      ASSERT_TRUE(forest.open());
      while (forest.cuts() < 5 || forest.trees() < 2) ASSERT_TRUE(forest.take_step());
      ASSERT_TRUE(forest.make_doubtful_change(cuts));
      for (int step = 0; step < 3000; ++step) ASSERT_TRUE(forest.take_step());
      forest.settle();
      ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
      forest.close();
      forest.choose_doubtful();
      ASSERT_NO_FATAL_FAILURE(forest.expect_sound_file());
      ASSERT_TRUE(forest.open());
      ASSERT_NO_FATAL_FAILURE(forest.replay());
      ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
    }
  }
}

class BtreeChangeCrash : public testing::TestWithParam<Unsynced> {};

// CRASH_POINTS: at how many calls, evenly spread, to die.
TEST_P(BtreeChangeCrash, AtAnyCallLeavesTheTreesThatCount) {
  const std::uint64_t seed = test_seed();
  SCOPED_TRACE(fmt::format("TEST_SEED={}", seed));
  constexpr int kSteps = 1500;
  const auto run = [&](Forest& forest) {
    if (!forest.open()) return;
    for (int step = 0; step < kSteps && forest.take_step(); ++step) {
    }
    forest.close();
  };
  std::uint64_t calls = 0;
  {
    SimulatedDisk disk{seed};
    Forest forest{seed, disk};
    run(forest);
    EXPECT_GT(forest.cuts(), 3);
    calls = disk.mutating_calls();
  }
  ASSERT_GT(calls, 100u);
  const std::uint64_t points = crash_points(calls, 150);
  for (std::uint64_t point = 0; point < points; ++point) {
    const std::uint64_t call = 1 + point * calls / points;
    SCOPED_TRACE(fmt::format("crash at call {} of {}", call, calls));
    SimulatedDisk disk{seed};
    Forest forest{seed, disk};
    disk.crash_at_call(call);
    run(forest);
    disk.crash(GetParam(), seed + call);
    forest.choose_catalog();
    disk.crash_at_call(1 + (seed + call) % 5);  // and again while it is opened
    static_cast<void>(forest.open().has_value());
    forest.close();
    disk.crash(GetParam(), seed - call);
    const auto opened = forest.open();
    ASSERT_TRUE(opened) << opened.error().message;
    forest.close();
    ASSERT_NO_FATAL_FAILURE(forest.expect_sound_file());
    ASSERT_TRUE(forest.open());
    ASSERT_NO_FATAL_FAILURE(forest.replay());
    ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
    for (int step = 0; step < 200; ++step) ASSERT_TRUE(forest.take_step());
    forest.settle();
    ASSERT_NO_FATAL_FAILURE(forest.expect_contents());
    forest.close();
    ASSERT_NO_FATAL_FAILURE(forest.expect_sound_file());
  }
}

INSTANTIATE_TEST_SUITE_P(Unsynced, BtreeChangeCrash,
                         testing::Values(Unsynced::lost, Unsynced::kept, Unsynced::torn), unsynced_name);

}  // namespace
}  // namespace shale::engine::btree
