// client-output-buffer-limit: how much may wait to be sent to a client before it is disconnected, by class of
// client.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shale::server {

enum class ClientClass : std::uint8_t { normal, replica, pubsub };
constexpr std::size_t kClientClasses = 3;

struct OutputLimit {
  std::uint64_t hard_bytes = 0;  // more than this: disconnected at once; 0: no limit
  std::uint64_t soft_bytes = 0;  // more than this for soft_seconds: disconnected; 0: no limit
  std::uint64_t soft_seconds = 0;
  friend bool operator==(const OutputLimit&, const OutputLimit&) = default;
};
using OutputLimits = std::array<OutputLimit, kClientClasses>;  // by class

// "<class> <hard> <soft> <seconds> ...": changes the classes that the text names. nullopt, with Redis's words
// for it in `problem`, if it is wrong.
std::optional<OutputLimits> parse_output_limits(std::string_view text, OutputLimits limits,
                                                std::string& problem);
// As CONFIG GET shows them: all classes, in bytes.
std::string format_output_limits(const OutputLimits& limits);

}  // namespace shale::server
