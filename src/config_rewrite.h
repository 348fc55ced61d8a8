// CONFIG REWRITE: what is in force, written into the file that the server was started with.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "engine/engine.h"
#include "src/config.h"

namespace shale::server {

// The lines of a configuration file with the values that `config` has now. Comments, order, and lines of
// options that are not this server's stay; a line whose value is in force stays as it is. Of an option's
// several lines the last is kept. Options that have no line and not their default value are added at the end.
// `user_lines` take the place of the first line that defines a user, and of all others.
std::string rewrite_config_lines(std::string_view contents, const Config& config,
                                 std::string_view user_lines = {});

// Runs in the background, because it waits for the disk. After a crash the file holds the old contents or the
// new ones; its owner and permissions stay.
class ConfigRewrite final : public engine::Load {
 public:
  // `user_lines`: as for rewrite_config_lines().
  ConfigRewrite(std::string path, const Config& config, std::string user_lines)
      : path_(std::move(path)), config_(config), user_lines_(std::move(user_lines)) {}

  void run() override;
  bool done() const override { return done_.load(std::memory_order_acquire); }
  // When it is done: what has failed, for people; empty if nothing has.
  const std::string& problem() const { return problem_; }

 private:
  std::string rewrite();

  const std::string path_;
  const Config& config_;
  const std::string user_lines_;
  std::string problem_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::server
