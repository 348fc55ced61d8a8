#include "cluster/verify.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "cluster/store.h"
#include "cluster/transaction.h"
#include "engine/lsm/manifest.h"
#include "engine/testing/simulated_disk.h"

namespace shale::cluster {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Findings {
  std::vector<std::string> problems;
  std::vector<std::string> unchecked;
  std::vector<std::string> remarks;
};

Findings verify(engine::SimulatedDisk& disk) {
  Findings findings;
  engine::Verification verification{[&](engine::Finding finding, const std::string& line) {
    switch (finding) {
      case engine::Finding::problem: return findings.problems.push_back(line);
      case engine::Finding::unchecked: return findings.unchecked.push_back(line);
      case engine::Finding::remark: return findings.remarks.push_back(line);
    }
  }};
  verify_folder(disk, "/data", verification);
  return findings;
}

class VerifyFolder : public testing::Test {
 protected:
  VerifyFolder() {
    options_.folder = "/data";
    options_.shards = 2;
    options_.virtual_nodes = 4;
    options_.memtable_bytes = 2u << 20;
    options_.cache_bytes = 1u << 20;
    options_.log_segment_bytes = 64u << 10;
    options_.maintenance_interval = std::chrono::milliseconds{0};
  }
  void open() {
    background_ = engine::make_thread_background(1, 1);
    StoreRecovery recovery;
    auto store = Store::open(disk_, *background_, *clock_, options_, recovery);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
  }
  void close() {
    background_->stop();
    store_.reset();
    background_.reset();
  }
  void write(int first, int count) {
    ShardLocks locks{*store_};
    Transaction transaction{*store_, locks};
    for (int key = first; key < first + count; ++key) {
      for (bool done = false; !done;) {
        locks.clear();
        transaction.reset();
        locks.add(0, std::to_string(key));
        locks.lock();
        transaction.put(0, Bytes(100, 'v'));
        done = transaction.commit().has_value();
        locks.unlock();
      }
    }
  }
  void flush() {
    for (const auto& shard : store_->shards()) {
      for (;;) {
        std::unique_lock lock{shard->mutex};
        if (!shard->engine->oldest_unpersisted_lsn()) break;
        shard->engine->flush();
        lock.unlock();
        std::this_thread::yield();
      }
    }
  }
  std::string file_in(const std::string& folder, const std::string& suffix) {
    for (const std::string& name : *disk_.list(folder)) {
      if (name.ends_with(suffix)) return fmt::format("{}/{}", folder, name);
    }
    ADD_FAILURE() << "no file " << suffix << " in " << folder;
    return {};
  }
  std::map<std::string, Bytes> files() {
    std::map<std::string, Bytes> contents;
    for (const char* folder : {"/data", "/data/log", "/data/lsm"}) {
      for (const std::string& name : *disk_.list(folder)) {
        const std::string path = fmt::format("{}/{}", folder, name);
        contents[path] = disk_.contents(path);
      }
    }
    return contents;
  }
  // A folder with tables and with a log that goes on behind them.
  void SetUp() override {
    open();
    write(0, 300);
    flush();
    write(300, 300);
    close();
  }

  engine::SimulatedDisk disk_{1};
  StoreOptions options_;
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<Store> store_;
};

TEST_F(VerifyFolder, ASoundOneIsSoundAndStaysAsItIs) {
  const auto files_before = files();
  const Findings findings = verify(disk_);
  EXPECT_THAT(findings.problems, IsEmpty());
  EXPECT_THAT(findings.unchecked, IsEmpty());
  EXPECT_THAT(findings.remarks, IsEmpty());
  EXPECT_TRUE(files() == files_before);
}

TEST_F(VerifyFolder, OneInUseIsLeftAlone) {
  open();
  EXPECT_THAT(verify(disk_).unchecked, ElementsAre(HasSubstr("a server is using this folder")));
  close();
}

TEST_F(VerifyFolder, OneThatIsNoneOfOursIsNotChecked) {
  ASSERT_TRUE(disk_.remove("/data/FORMAT"));
  EXPECT_THAT(verify(disk_).unchecked, ElementsAre(HasSubstr("is no Shale data folder")));
}

TEST_F(VerifyFolder, OneOfAnotherVersionIsNotChecked) {
  disk_.overwrite("/data/FORMAT", 26, "9");
  EXPECT_THAT(verify(disk_).unchecked, ElementsAre(HasSubstr("has format version 9")));
}

TEST_F(VerifyFolder, DamageIsNamedInEveryPart) {
  const std::string table = file_in("/data/lsm", ".table");
  const std::string segment = "/data/log/" + disk_.list("/data/log")->front();
  disk_.flip_bit(table, 100);
  disk_.flip_bit(segment, (64UL + 30) * 8);  // in the first record
  EXPECT_THAT(verify(disk_).problems,
              testing::UnorderedElementsAre(AllOf(HasSubstr(table), HasSubstr("offset 0")),
                                            AllOf(HasSubstr("/data/log/"), HasSubstr("offset 64"))));
}

TEST_F(VerifyFolder, ADamagedCatalogIsNamedAndTheTablesAreStillChecked) {
  const std::string table = file_in("/data/lsm", ".table");
  disk_.flip_bit("/data/catalog", 200);
  disk_.flip_bit(table, 100);
  const Findings findings = verify(disk_);
  EXPECT_THAT(findings.problems, ElementsAre(HasSubstr("/data/catalog"), HasSubstr(table)));
  EXPECT_THAT(findings.unchecked, ElementsAre(HasSubstr("/data/log")));
}

// What tables hold was in the log, durably, before they were written.
TEST_F(VerifyFolder, ALogThatEndsBeforeTheTablesDoIsDamage) {
  engine::lsm::VersionEdit edit;
  edit.tree = 1;
  edit.persisted_lsn = 1'000'000;
  ASSERT_TRUE(engine::lsm::Manifest::open(disk_, "/data/lsm").value()->append(edit));
  EXPECT_THAT(verify(disk_).problems, Contains(HasSubstr("shard 1 has persisted record 1000000")));
  // And no server goes on from there: what it logged would be taken for persisted at its next start.
  background_ = engine::make_thread_background(1, 1);
  StoreRecovery recovery;
  const auto store = Store::open(disk_, *background_, *clock_, options_, recovery);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message, HasSubstr("shard 1 has persisted record 1000000"));
}

}  // namespace
}  // namespace shale::cluster
