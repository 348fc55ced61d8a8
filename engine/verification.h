// What a check of stored data has found so far. The checks of the parts fill it (lsm/verify.h, and the owners
// of what stands on the engines).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "engine/result.h"

namespace shale::engine {

enum class Finding : std::uint8_t {
  problem,    // damage: something that was stored is wrong or missing
  unchecked,  // something that could not be looked at: another version, in use by a server
  remark,     // worth a line, and no damage: what a crash may leave behind
};

// Used by one thread.
class Verification {
 public:
  // Called with each finding as it is made; the line is complete in itself.
  using Report = std::function<void(Finding, const std::string& line)>;

  explicit Verification(Report report) : report_(std::move(report)) {}

  void add(Finding finding, const std::string& line) {
    if (finding == Finding::problem) ++problems_;
    if (finding == Finding::unchecked) ++unchecked_;
    report_(finding, line);
  }
  void problem(const std::string& line) { add(Finding::problem, line); }
  void remark(const std::string& line) { add(Finding::remark, line); }
  // An Error names its file by itself.
  void add(const Error& error) {
    const bool is_unknown = error.kind == ErrorKind::unsupported || error.kind == ErrorKind::locked;
    add(is_unknown ? Finding::unchecked : Finding::problem, error.message);
  }
  void count_file(std::uint64_t bytes) {
    ++files_;
    bytes_ += bytes;
  }
  void count_records(std::uint64_t count) { records_ += count; }

  std::uint64_t problems() const { return problems_; }
  std::uint64_t unchecked() const { return unchecked_; }
  std::uint64_t files() const { return files_; }  // looked at
  std::uint64_t bytes() const { return bytes_; }  // of those
  std::uint64_t records() const { return records_; }

 private:
  Report report_;
  std::uint64_t problems_ = 0;
  std::uint64_t unchecked_ = 0;
  std::uint64_t files_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t records_ = 0;
};

}  // namespace shale::engine
