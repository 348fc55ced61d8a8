// How a stream is cut into reads must not change what it means.
//
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I. tests/fuzz/request_parser_fuzz.cpp
//   protocol/*.cpp
//
// tests/protocol/request_parser_chunks_test.cpp runs the same body over seeded streams.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/protocol/request_stream.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it by this name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte is the seed of the chunks, so the fuzzer can vary them for one and the same stream.
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto difference = shale::protocol::testing::chunking_difference(stream, data[0]);
  if (!difference.empty()) {
    std::fprintf(stderr, "seed=%d: %s\n", data[0], difference.c_str());
    std::abort();
  }
  return 0;
}
