#include "src/output_limits.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "src/command/arguments.h"
#include "src/options.h"

namespace shale::server {
namespace {

constexpr std::size_t kWordsPerClass = 4;

std::vector<std::string_view> split_at_blanks(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const std::size_t length = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
}

std::optional<ClientClass> parse_class(std::string_view word) {
  if (equals_ignoring_case(word, "normal")) return ClientClass::normal;
  if (equals_ignoring_case(word, "slave") || equals_ignoring_case(word, "replica"))
    return ClientClass::replica;
  if (equals_ignoring_case(word, "pubsub")) return ClientClass::pubsub;
  return std::nullopt;
}

std::optional<std::uint64_t> parse_seconds(std::string_view word) {
  std::uint32_t seconds = 0;
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (failed != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return seconds;
}

}  // namespace

std::optional<OutputLimits> parse_output_limits(std::string_view text, OutputLimits limits,
                                                std::string& problem) {
  const auto words = split_at_blanks(text);
  if (words.size() % kWordsPerClass != 0) {
    problem = "Wrong number of arguments in buffer limit configuration.";
    return std::nullopt;
  }
  for (std::size_t at = 0; at < words.size(); at += kWordsPerClass) {
    const auto which = parse_class(words[at]);
    if (!which) {
      problem = "Invalid client class specified in buffer limit configuration.";
      return std::nullopt;
    }
    const auto hard = parse_size(words[at + 1]);
    const auto soft = parse_size(words[at + 2]);
    const auto seconds = parse_seconds(words[at + 3]);
    if (!hard || !soft || !seconds) {
      problem = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
      return std::nullopt;
    }
    limits[static_cast<std::size_t>(*which)] = {static_cast<std::uint64_t>(*hard),
                                                static_cast<std::uint64_t>(*soft), *seconds};
  }
  return limits;
}

std::string format_output_limits(const OutputLimits& limits) {
  constexpr std::string_view kNames[kClientClasses] = {"normal", "slave", "pubsub"};
  std::string text;
  for (std::size_t at = 0; at < kClientClasses; ++at) {
    const OutputLimit& limit = limits[at];
    fmt::format_to(std::back_inserter(text), "{}{} {} {} {}", at == 0 ? "" : " ", kNames[at],
                   limit.hard_bytes, limit.soft_bytes, limit.soft_seconds);
  }
  return text;
}

}  // namespace shale::server
