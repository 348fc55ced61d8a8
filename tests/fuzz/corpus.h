// Inputs that fuzzers have found worth keeping, because each reaches something that no other does, or once
// broke something: tests/fuzz/corpora/<fuzzer>/. All tests run the seeded twin of a fuzzer over them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/source_folder.h"

namespace shale {

// Calls `run` with the bytes of each; fails if there are none.
template <class Run>
void for_each_of_corpus(const std::string& fuzzer, Run run) {
  std::size_t count = 0;
  for (const auto& file :
       std::filesystem::directory_iterator{source_folder() + "/tests/fuzz/corpora/" + fuzzer}) {
    SCOPED_TRACE(file.path().string());
    std::ifstream stream{file.path(), std::ios::binary};
    run(std::string{std::istreambuf_iterator<char>{stream}, {}});
    ++count;
  }
  EXPECT_GT(count, 0u) << fuzzer;
}

}  // namespace shale
