// Keys that are numbers, with values of 1000 bytes that follow from them: data of any size that need not be
// kept to be checked.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/integration/client.h"
#include "tests/integration/server_process.h"

namespace shale::integration {

inline constexpr int kNumbersPerPipeline = 500;

inline std::string value_of_number(int key) {
  std::string value = fmt::format("value of {}:", key);
  value.resize(1000, static_cast<char>('a' + key % 26));
  return value;
}

// Writes the keys 0 to `keys` - 1, about a thousand bytes each.
inline void load_numbers(const ServerProcess& server, int keys) {
  Client client{server};
  for (int first = 0; first < keys; first += kNumbersPerPipeline) {
    const int end = std::min(keys, first + kNumbersPerPipeline);
    for (int key = first; key < end; ++key) client.append({"SET", std::to_string(key), value_of_number(key)});
    for (int key = first; key < end; ++key) ASSERT_EQ(client.next_text(), "OK");
  }
}

// Calls `visit` with each of these keys and what GET says of it.
template <class Visit>
void for_each_number(Client& client, int keys, Visit visit) {
  for (int first = 0; first < keys; first += kNumbersPerPipeline) {
    const int end = std::min(keys, first + kNumbersPerPipeline);
    for (int key = first; key < end; ++key) client.append({"GET", std::to_string(key)});
    for (int key = first; key < end; ++key) visit(key, client.next_text());
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace shale::integration
