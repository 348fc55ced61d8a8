#include "cluster/change_history.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/encoding.h"

namespace shale::cluster {
namespace {

constexpr std::string_view kHistoryMagic = "SHALEHIS";
constexpr std::uint32_t kHistoryFormatVersion = 2;
constexpr std::uint32_t kFormatVersionWithoutEffect = 1;

void append_event(Bytes& out, const ReshapeEvent& event) {
  engine::append_u8(out, static_cast<std::uint8_t>(event.kind));
  engine::append_u8(out, event.automatic ? 1 : 0);
  engine::append_u32(out, static_cast<std::uint32_t>(event.shard));
  engine::append_u32(out, static_cast<std::uint32_t>(event.other));
  engine::append_u8(out, static_cast<std::uint8_t>(event.from));
  engine::append_u8(out, static_cast<std::uint8_t>(event.to));
  engine::append_length_prefixed(out, event.cut);
  engine::append_length_prefixed(out, event.cause);
  engine::append_u64(out, static_cast<std::uint64_t>(event.unix_ms));
  engine::append_u64(out, static_cast<std::uint64_t>(event.duration.count()));
  engine::append_u64(out, static_cast<std::uint64_t>(event.pause.count()));
  engine::append_u64(out, static_cast<std::uint64_t>(event.keys));
  engine::append_u64(out, static_cast<std::uint64_t>(event.keys_moved));
  engine::append_length_prefixed(out, event.error);
  engine::append_length_prefixed(out, event.effect);
}

ReshapeEvent take_event(engine::ByteReader& reader, std::uint32_t version) {
  const auto take_signed = [&] { return static_cast<std::int64_t>(reader.u64()); };
  ReshapeEvent event;
  event.kind = static_cast<ReshapeKind>(reader.u8());
  event.automatic = reader.u8() != 0;
  event.shard = ShardId{reader.u32()};
  event.other = ShardId{reader.u32()};
  event.from = static_cast<EngineKind>(reader.u8());
  event.to = static_cast<EngineKind>(reader.u8());
  event.cut = reader.length_prefixed();
  event.cause = reader.length_prefixed();
  event.unix_ms = take_signed();
  event.duration = std::chrono::microseconds{take_signed()};
  event.pause = std::chrono::microseconds{take_signed()};
  event.keys = take_signed();
  event.keys_moved = take_signed();
  event.error = reader.length_prefixed();
  if (version > kFormatVersionWithoutEffect) event.effect = reader.length_prefixed();
  return event;
}

bool is_possible(const ReshapeEvent& event) {
  return event.kind <= ReshapeKind::leaves && event.from <= EngineKind::btree &&
         event.to <= EngineKind::btree;
}

}  // namespace

Bytes encode_history(const std::deque<ReshapeEvent>& events) {
  Bytes out{kHistoryMagic};
  engine::append_u32(out, kHistoryFormatVersion);
  engine::append_u32(out, static_cast<std::uint32_t>(events.size()));
  for (const ReshapeEvent& event : events) append_event(out, event);
  engine::append_u64(out, engine::hash_bytes(out));
  return out;
}

engine::Result<std::deque<ReshapeEvent>> decode_history(BytesView bytes, const std::string& file_name) {
  const auto damaged = [&](std::string_view what) {
    return engine::corruption(fmt::format("{}: {}", file_name, what));
  };
  if (!bytes.starts_with(kHistoryMagic)) return damaged("is not a Shale history (offset 0)");
  const auto version = engine::ByteReader{bytes.substr(kHistoryMagic.size())}.u32();
  if (version > kHistoryFormatVersion) {
    return engine::Error{engine::ErrorKind::unsupported,
                         fmt::format("{}: has format version {}, this build reads {}", file_name, version,
                                     kHistoryFormatVersion)};
  }
  const std::size_t covered_bytes = bytes.size() - std::min(bytes.size(), sizeof(std::uint64_t));
  const BytesView covered = bytes.substr(0, covered_bytes);
  if (engine::ByteReader{bytes.substr(covered_bytes)}.u64() != engine::hash_bytes(covered))
    return damaged("checksum of bytes 0 to the end does not match");
  engine::ByteReader reader{covered.substr(kHistoryMagic.size() + sizeof version)};
  std::deque<ReshapeEvent> events;
  bool possible = true;
  const auto count = reader.u32();
  for (std::uint32_t i = 0; i < count && possible && !reader.failed(); ++i) {
    events.push_back(take_event(reader, version));
    possible = is_possible(events.back());
  }
  if (!possible || reader.failed() || !reader.at_end()) return damaged("holds an impossible change");
  return events;
}

engine::Status ChangeHistory::load() {
  const auto exists = files_.exists(path_);
  if (!exists) return exists.error();
  if (!*exists) return {};
  const auto bytes = engine::read_file(files_, path_);
  if (!bytes) return bytes.error();
  auto events = decode_history(*bytes, path_);
  if (!events) return events.error();
  const std::lock_guard lock{mutex_};
  events_ = std::move(*events);
  count_ = events_.size();
  return {};
}

engine::Status ChangeHistory::add(ReshapeEvent event) {
  if (listener_) listener_(event);
  const std::lock_guard lock{mutex_};
  events_.push_back(std::move(event));
  ++count_;
  if (events_.size() > kEventsMax) events_.pop_front();
  return engine::replace_file(files_, path_, encode_history(events_));
}

std::vector<ReshapeEvent> ChangeHistory::events() const {
  const std::lock_guard lock{mutex_};
  return {events_.begin(), events_.end()};
}

std::vector<ReshapeEvent> ChangeHistory::events_after(std::uint64_t& count) const {
  const std::lock_guard lock{mutex_};
  const auto added = std::min<std::uint64_t>(count_ - count, events_.size());
  count = count_;
  return {events_.end() - static_cast<std::ptrdiff_t>(added), events_.end()};
}

}  // namespace shale::cluster
