#include "src/verify_data.h"

#include <fmt/format.h>

#include <chrono>

#include "cluster/verify.h"
#include "engine/io/file_system.h"
#include "engine/verification.h"
#include "src/value.h"

namespace shale::server {
namespace {

void print_finding(engine::Finding finding, const std::string& line) {
  switch (finding) {
    case engine::Finding::problem: return fmt::print("damaged: {}\n", line);
    case engine::Finding::unchecked: return fmt::print("not checked: {}\n", line);
    case engine::Finding::remark: return fmt::print("note: {}\n", line);
  }
}

std::string verdict(const engine::Verification& found) {
  if (found.problems() != 0) return fmt::format("DAMAGED, {} problems", found.problems());
  return found.unchecked() != 0 ? "could not be checked" : "sound";
}

}  // namespace

int verify_data(const std::string& folder) {
  using std::chrono::steady_clock;
  const auto begun = steady_clock::now();
  engine::Verification found{print_finding};
  cluster::verify_folder(*engine::make_posix_file_system(), folder, found, value_is_large);
  const std::chrono::duration<double> seconds = steady_clock::now() - begun;
  fmt::print("{}: {}; {} files, {} bytes, {} records checked in {:.1f} s\n", folder, verdict(found),
             found.files(), found.bytes(), found.records(), seconds.count());
  if (found.problems() != 0) return kDamaged;
  return found.unchecked() != 0 ? kNotVerified : kSound;
}

}  // namespace shale::server
