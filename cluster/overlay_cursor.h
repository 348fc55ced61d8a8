// A cursor that sees writes which have not been made yet: those of a transaction on top of what an engine
// has.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/engine.h"

namespace shale::cluster {

using engine::Bytes;
using engine::BytesView;

struct OverlaidWrite {
  BytesView key;
  std::optional<BytesView> value;  // nothing: the key is erased
};

// Both the engine's cursor and the writes' bytes must outlive it; the writes are of different keys, within
// the cursor's bounds, and in any order. As every cursor, it may turn at any key.
class OverlayCursor final : public engine::Cursor {
 public:
  OverlayCursor(std::unique_ptr<engine::Cursor> stored, std::vector<OverlaidWrite> writes);

  engine::Status seek(BytesView key) override;
  engine::Status seek_before(BytesView key) override;
  engine::Status seek_last() override;
  engine::Status next() override;
  engine::Status previous() override;
  bool valid() const override { return at_ != At::nowhere; }
  BytesView key() const override;
  BytesView head() const override;
  engine::Result<BytesView> value() override;

 private:
  enum class At : std::uint8_t { nowhere, stored, write };

  engine::Status settle_forward(engine::Status moved);
  engine::Status settle_backward(engine::Status moved);
  bool stored_is_overlaid() const;

  const std::unique_ptr<engine::Cursor> stored_;
  std::vector<OverlaidWrite> writes_;  // in the order of their keys
  // Between moves forward, the first write that has not been passed; between moves backward, the one behind
  // it.
  std::size_t write_ = 0;
  bool backward_ = false;
  At at_ = At::nowhere;
};

}  // namespace shale::cluster
