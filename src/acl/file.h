// ACL files and the configuration's "user" lines: "user <name> <rule> ...", a user a line.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/acl/users.h"

namespace shale::server::acl {

// Adds what one line says behind "user". Returns what is wrong with it, if something is.
std::optional<std::string> add_definition(std::span<const std::string_view> words, bool channels_by_default,
                                          Users::Definitions& definitions);

// All lines of a file. nullopt if anything is wrong: `errors` says what, in Redis's words, with `name` for
// the file.
std::optional<Users::Definitions> parse_file(std::string_view contents, std::string_view name,
                                             bool channels_by_default, std::string& errors);
// What parse_file makes the same users of.
std::string describe_users(const Users& users);

// Both wait for the disk. On an error: nullopt, or the reason.
std::optional<std::string> read_file(const std::string& path, std::string& error);
// The file has the old contents or the new, whatever happens; new once this returns without an error.
std::optional<std::string> write_file(const std::string& path, std::string_view contents);

// One of them as a job for a background thread: run() there, the rest on the thread that made it.
class FileJob {
 public:
  explicit FileJob(std::string path) : writes_(false), path_(std::move(path)) {}  // reads
  FileJob(std::string path, std::string contents)                                 // writes
      : writes_(true), path_(std::move(path)), contents_(std::move(contents)) {}

  void run();
  bool done() const { return done_.load(std::memory_order_acquire); }
  // Once it is done: what was read; why it failed, or empty.
  const std::string& contents() const { return contents_; }
  const std::string& error() const { return error_; }

 private:
  const bool writes_;
  const std::string path_;
  std::string contents_;
  std::string error_;
  std::atomic<bool> done_ = false;
};

}  // namespace shale::server::acl
