// What an engine asks of its owner, as tests answer it.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "engine/engine.h"

namespace shale::engine {

// A class is the key's first byte; values that begin with "expired" are obsolete,
// and those that begin with "until N " from N on.
class TestPolicy final : public KeyPolicy {
 public:
  std::uint32_t count_class(BytesView key) const override {
    return key.empty() ? 0 : static_cast<std::uint8_t>(key[0]);
  }
  bool is_live_class(std::uint32_t count_class) const override { return !dead.contains(count_class); }
  std::int64_t obsolete_from_ms(BytesView, BytesView value) const override {
    if (value.starts_with("expired")) return 0;
    if (!value.starts_with("until ")) return kNeverObsolete;
    return std::stoll(std::string{value.substr(6, value.find(' ', 6) - 6)});
  }
  std::set<std::uint32_t> dead;  // set before background work begins
};

// All keys are of class 0, all records live for ever.
class OneClassPolicy final : public KeyPolicy {
 public:
  std::uint32_t count_class(BytesView) const override { return 0; }
  bool is_live_class(std::uint32_t) const override { return true; }
  std::int64_t obsolete_from_ms(BytesView, BytesView) const override { return kNeverObsolete; }
};

class NoBarrier final : public LogBarrier {
 public:
  Status wait_until_durable(Lsn) override { return {}; }
};

}  // namespace shale::engine
