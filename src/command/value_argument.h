// An argument that is to become a value: in memory like any other, or too large for that and in a file
// already (docs/large-values.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/large/staged_large_value.h"

namespace shale::server {

struct ValueArgument {
  std::string_view bytes;                           // empty if it is large:
  std::shared_ptr<engine::StagedLargeValue> large;  // complete, or with an error that whoever stores it gets

  std::uint64_t size() const { return large ? large->value_bytes() : bytes.size(); }
};

// One of a batch; its place among the arguments is empty.
struct ReceivedLargeArgument {
  std::size_t index;  // among the arguments
  std::shared_ptr<engine::StagedLargeValue> value;
};

}  // namespace shale::server
