// Bytes that nothing makes smaller.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace shale::integration {

// The same for the same seed. What is left of `bytes` beyond a multiple of eight is zeros.
inline std::string random_value(std::size_t bytes, std::uint64_t seed) {
  std::string value(bytes, '\0');
  std::mt19937_64 random{seed};
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= bytes; i += sizeof(std::uint64_t)) {
    const std::uint64_t number = random();
    std::memcpy(value.data() + i, &number, sizeof number);
  }
  return value;
}

}  // namespace shale::integration
