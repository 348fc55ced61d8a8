// A store in a folder of its own, which goes with the test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "cluster/store.h"
#include "cluster/transaction.h"
#include "src/value.h"

namespace shale::server {

class TemporaryStoreTest : public testing::Test {
 protected:
  TemporaryStoreTest() {
    std::string name = (std::filesystem::temp_directory_path() / "shale-test-XXXXXX").string();
    options_.folder = ::mkdtemp(name.data());
    options_.memtable_bytes = 8u << 20;
    options_.cache_bytes = 4u << 20;
    options_.log_segment_bytes = 4u << 20;
    options_.maintenance_interval = std::chrono::milliseconds{0};
    options_.value_expiry_ms = value_expiry_ms;
    options_.value_is_large = value_is_large;
  }
  ~TemporaryStoreTest() override {
    close();
    std::filesystem::remove_all(options_.folder);
  }

  void open() {
    cluster::StoreRecovery recovery;
    background_ = engine::make_thread_background(2, 2);
    auto opened = cluster::Store::open(*files_, *background_, *clock_, options_, recovery);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void close() {
    if (background_) background_->stop();
    store_.reset();
    background_.reset();
  }
  cluster::Store& store() { return *store_; }

  cluster::StoreOptions options_;

 private:
  std::unique_ptr<engine::FileSystem> files_ = engine::make_posix_file_system();
  std::unique_ptr<engine::Clock> clock_ = engine::make_system_clock();
  std::unique_ptr<engine::Background> background_;
  std::unique_ptr<cluster::Store> store_;
};

}  // namespace shale::server
