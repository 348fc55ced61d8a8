// What the fuzzers and their seeded twins do with bytes that clients and files bring: RESTORE's payloads with
// the HyperLogLogs in them, the configuration, users' rules. What is wrong is refused; what is taken is given
// back in a form that is taken again, and means the same.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/text.h"
#include "src/acl/user_rules.h"
#include "src/hyperloglog/hyperloglog.h"
#include "src/option_sources.h"
#include "src/rdb/crc64.h"
#include "src/rdb/dump_payload.h"

namespace shale::server::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

// As PFADD, PFMERGE and PFCOUNT use a value from anywhere.
inline void use_as_hyperloglog(rdb::Bytes value) {
  if (!hyperloglog::is_valid(value)) return;
  const auto registers = std::make_unique<hyperloglog::Registers>();
  const bool is_sound = hyperloglog::merge(*registers, value);
  static_cast<void>(hyperloglog::estimate(*registers));
  static_cast<void>(hyperloglog::kept_estimate(value));
  if (hyperloglog::encoding(value) == hyperloglog::Encoding::sparse) {
    static_cast<void>(hyperloglog::describe_runs(value));
  }
  const rdb::Bytes before = value;
  const auto change = hyperloglog::add(value, "element");
  require(change == hyperloglog::Change::made || value == before);
  require(hyperloglog::is_valid(value));
  if (!is_sound || change == hyperloglog::Change::corrupt) return;
  require(hyperloglog::make_dense(value));
  const auto dense = std::make_unique<hyperloglog::Registers>();
  require(hyperloglog::merge(*dense, value));
  // What was in it is in it still.
  for (std::size_t i = 0; i < hyperloglog::kRegisterCount; ++i) require((*dense)[i] >= (*registers)[i]);
}

// `body`: a payload without its version and checksum, which are made right.
inline void restore_once(std::string_view body) {
  constexpr std::uint64_t kBytesMax = 64u << 10;
  const rdb::Bytes bytes{body};
  const rdb::Bytes payload = bytes + rdb::footer(rdb::crc64(0, bytes));
  require(rdb::is_sound(payload));
  const rdb::Restored restored = rdb::restore_string(payload, kBytesMax);
  if (restored.damage != rdb::Damage::none) return require(restored.bytes.empty());
  require(restored.bytes.size() <= kBytesMax);
  const rdb::Bytes dumped = rdb::dump_string(restored.bytes);
  require(rdb::is_sound(dumped));
  require(rdb::restore_string(dumped, kBytesMax).bytes == restored.bytes);
  use_as_hyperloglog(restored.bytes);
}

// What is wrong with the configuration once it has been printed and read again: refusals, and the names of
// options that have other values then. Of what is secret nothing is printed.
inline std::vector<std::string> lost_in_print(const Config& config) {
  Problems problems;
  const auto settings = parse_config_lines(print_config(config), "printed", problems);
  Config again;
  std::string warning;
  apply_settings(settings, again, warning, problems);
  for (std::size_t at = 0; at < kOptionCount; ++at) {
    const OptionSpec& spec = all_options()[at];
    const auto option = static_cast<Option>(at);
    if (!spec.secret && again.text(option) != config.text(option)) problems.emplace_back(spec.name);
  }
  return problems;
}

// `text`: a configuration file.
inline void configure_once(std::string_view text) {
  Problems problems;
  Config config;
  std::string warning;
  apply_settings(parse_config_lines(text, "fuzz.conf", problems), config, warning, problems);
  if (problems.empty()) require(lost_in_print(config).empty());
}

// `text`: rules of a user, one a line.
inline void give_rules_once(std::string_view text) {
  acl::UserRules rules{false};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string before = rules.describe();
    if (rules.apply(text.substr(0, end)) != acl::RuleProblem::none) require(rules.describe() == before);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  // As ACL SAVE writes them, and ACL LOAD reads them.
  std::vector<std::string_view> words;
  const std::string described = rules.describe();
  for (std::string_view rest = described; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    words.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::string_view unmatched;
  const auto merged = acl::merge_selectors(words, unmatched);
  require(merged.has_value());
  acl::UserRules again{false};
  for (const std::string& rule : *merged) require(again.apply(rule) == acl::RuleProblem::none);
  require(again.describe() == described);
}

}  // namespace shale::server::fuzz
