// What the tests of value files share: files written into memory, records to write, and reading as a command
// does.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/lsm/value_file.h"
#include "engine/lsm/value_file_scanner.h"
#include "engine/lsm/value_file_writer.h"
#include "tests/engine/lsm/table_test_support.h"

namespace shale::engine::lsm {

inline constexpr const char* kValuePath = "t/00000009.values";
inline constexpr std::uint64_t kValueFileNumber = 9;

// A record as written, and the reference that the tree would keep.
struct WrittenValue {
  Bytes key;
  Bytes value;
  ValueReference reference;  // its head is a view of `value`: fill the vector before writing
};

inline Status write_values(FileSystem& files, std::vector<WrittenValue>& values,
                           std::uint64_t number = kValueFileNumber, const std::string& path = kValuePath) {
  auto file = files.create(path);
  if (!file) return file.error();
  ValueFileWriter writer{std::move(*file), number};
  for (WrittenValue& written : values) {
    const auto reference = writer.add(written.key, written.value);
    if (!reference) return reference.error();
    written.reference = *reference;
  }
  return writer.finish();
}

inline std::vector<WrittenValue> random_values(std::mt19937_64& random, std::size_t count,
                                               std::size_t value_bytes_max) {
  std::vector<WrittenValue> values(count);
  for (WrittenValue& value : values) {
    value.key = random_key(random);
    value.value.resize(random() % (value_bytes_max + 1));
    for (char& byte : value.value) byte = static_cast<char>(random());
  }
  return values;
}

// What a command does: execute, run what is missing, execute again with the loads kept.
inline Result<BytesView> find_with_loads(const ValueFile& file, const WrittenValue& wanted,
                                         ReadContext& context) {
  while (true) {
    Result<BytesView> found = file.find(wanted.key, wanted.reference, context);
    if (found || found.error().kind != ErrorKind::not_resident) return found;
    run_all(context);
  }
}

}  // namespace shale::engine::lsm
