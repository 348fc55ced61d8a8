// What the fuzzer and its seeded twin do with the bytes of files: sound ones are changed at some places and
// get the checksum that belongs to them then, so that only checks of structure stand between them and their
// readers. What is wrong must come out as an Error; what is read must be in order, and be read again as it
// was written.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <vector>

#include "cluster/catalog.h"
#include "cluster/change_history.h"
#include "cluster/log_records.h"
#include "engine/btree/directory.h"
#include "engine/btree/inner_page.h"
#include "engine/btree/record_page.h"
#include "engine/encoding.h"
#include "engine/log/closing_note.h"
#include "engine/log/recovery.h"
#include "engine/log/segment_format.h"
#include "engine/lsm/manifest.h"
#include "engine/testing/simulated_disk.h"

namespace shale::cluster::fuzz {

using engine::Bytes;
using engine::BytesView;

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline Bytes with_checksum(Bytes bytes) {
  engine::append_u64(bytes, engine::hash_bytes(bytes));
  return bytes;
}
inline Bytes without_checksum(Bytes bytes) {
  bytes.resize(bytes.size() - sizeof(std::uint64_t));
  return bytes;
}
inline void write_file(engine::SimulatedDisk& disk, const std::string& path, BytesView contents) {
  require(disk.create_folder(engine::parent_folder(path)).has_value());
  require((*disk.create(path))->write_at(0, contents).has_value());
}

// A format: bytes that are sound, without their checksum, and what reads others.
struct Reader {
  Bytes sound;
  void (*read)(const Bytes& changed);
};

// Catalog.
inline Bytes sound_catalog() {
  CatalogState state;
  for (unsigned database = 0; database < kDatabaseCount; ++database) state.databases[database] = database;
  state.log_needed_from = 12'345;
  state.boundaries = {{{}, ShardId{0}}, {"a", ShardId{1}}, {"b", ShardId{0}}};
  state.shards = {{ShardId{0}, EngineKind::btree, 5}, {ShardId{1}, EngineKind::lsm, 2}};
  state.next_shard = 4;
  state.next_tree = 6;
  return without_checksum(state.encode());
}
inline void read_catalog(const Bytes& changed) {
  const auto state = CatalogState::decode(with_checksum(changed), "catalog");
  if (!state) return;
  const Bytes written = state->encode();
  const auto again = CatalogState::decode(written, "catalog");
  require(again && again->encode() == written);
}

// History.
inline Bytes sound_history() {
  ReshapeEvent event;
  event.cut = "cut";
  event.cause = "asked for";
  event.keys = 10;
  return without_checksum(encode_history({event, event}));
}
inline void read_history(const Bytes& changed) {
  const auto events = decode_history(with_checksum(changed), "history");
  if (!events) return;
  const Bytes written = encode_history(*events);
  const auto again = decode_history(written, "history");
  require(again && encode_history(*again) == written);
}

// Records in the log.
inline Bytes sound_transaction() {
  Bytes payload;
  append_identity_changes(payload, std::vector<IdentityChange>{{IdentityChange::Kind::renewed, 3, 17},
                                                               {IdentityChange::Kind::swapped, 1, 2}});
  append_put(payload, Bytes(20, 'p'), "value");
  append_erase(payload, Bytes(30, 'e'));
  return payload;
}
inline void read_transaction(const Bytes& changed) {
  for (const Sharding sharding : {Sharding::ring, Sharding::range}) {
    BytesView rest{changed};
    if (!take_identity_changes(LogRecord::identities, rest)) continue;
    while (!rest.empty()) {
      const std::size_t before = rest.size();
      const auto write = take_write(Placement{sharding}, rest);
      if (!write) break;
      require(rest.size() < before && write->position.size() >= Placement{sharding}.prefix_bytes());
    }
  }
}

// A segment of the log; its records' checksums are made anew as far as they follow one another.
inline Bytes sound_segment() {
  Bytes records;
  for (engine::Lsn lsn = 1; lsn <= 4; ++lsn) {
    engine::RecordHeader header;
    header.lsn = lsn;
    header.payload_bytes = static_cast<std::uint32_t>(8 * lsn);
    header.kind = lsn == 4 ? engine::kSealKind : 1;
    header.unsynced = 0;
    if (header.kind == engine::kSealKind) header.payload_bytes = 0;
    Bytes encoded(engine::RecordHeader::kEncodedBytes, '\0');
    header.encode(encoded.data());
    records += encoded + Bytes(header.payload_bytes, 'r');
  }
  return records;
}
inline void read_segment(const Bytes& changed) {
  const std::uint64_t kHeader = engine::RecordHeader::kEncodedBytes;
  Bytes file(engine::SegmentHeader::kEncodedBytes, '\0');
  file += changed + Bytes(64, '\0');
  const engine::SegmentHeader header{1, 42, file.size()};
  header.encode(file.data());
  for (std::uint64_t at = engine::kRecordsBegin; at + kHeader <= file.size();) {
    auto record = engine::RecordHeader::decode(file.data() + at);
    if (record.payload_bytes > file.size() - at - kHeader) break;
    record.seal_with(header.identity,
                     engine::hash_bytes(BytesView{file}.substr(at + kHeader, record.payload_bytes)));
    record.encode(file.data() + at);
    at += engine::record_span(record.payload_bytes);
  }
  engine::SimulatedDisk disk;
  write_file(disk, engine::segment_path("/log", 1), file);
  engine::LogRecovery report;
  engine::Lsn last = 0;
  const auto replay = [&](engine::Lsn lsn, engine::RecordKind, BytesView) -> engine::Status {
    require(last == 0 || lsn == last + 1);
    last = lsn;
    return {};
  };
  static_cast<void>(engine::recover_log(disk, "/log", 1, replay, report).has_value());
}
inline Bytes sound_note() {
  engine::SimulatedDisk disk;
  require(disk.create_folder("/log").has_value() && engine::write_closing_note(disk, "/log", 9).has_value());
  return without_checksum(disk.contents(engine::closing_note_path("/log")));
}
inline void read_note(const Bytes& changed) {
  engine::SimulatedDisk disk;
  write_file(disk, engine::closing_note_path("/log"), with_checksum(changed));
  static_cast<void>(engine::read_closing_note(disk, "/log").has_value());
}

// Manifest: one edit.
inline Bytes sound_edit() {
  Bytes payload;
  for (const std::uint64_t number : {3, 0, 77}) engine::append_varint(payload, number);  // tree, lsn
  engine::append_varint(payload, 1);  // one table is removed
  engine::append_varint(payload, 5);
  engine::append_varint(payload, 1);  // and one slice added
  for (const std::uint64_t number : {6, 1, 2}) engine::append_varint(payload, number);
  engine::append_length_prefixed(payload, "begin");
  engine::append_length_prefixed(payload, "end");
  for (const std::uint64_t number : {1000, 10, 1, 0}) engine::append_varint(payload, number);
  engine::append_varint(payload, 1);  // balance
  engine::append_varint(payload, 4);
  engine::append_signed_varint(payload, 9);
  engine::append_varint(payload, 1);  // value file
  for (const std::uint64_t number : {8, 2, 300}) engine::append_varint(payload, number);
  return payload;
}
inline void read_edit(const Bytes& changed) {
  Bytes edit;
  engine::append_u32(edit, static_cast<std::uint32_t>(changed.size()));
  edit += changed;
  Bytes file{"SHALEMAN"};
  engine::append_u32(file, 6);
  engine::append_u64(file, 0);
  engine::append_u64(file, engine::hash_bytes(edit));
  file += edit;
  engine::SimulatedDisk disk;
  write_file(disk, "/lsm/" + engine::lsm::Manifest::file_name(1), file);
  const auto contents = engine::lsm::Manifest::read(disk, "/lsm");
  if (contents) require(contents->edits <= 1);
}

// Pages.
inline Bytes sound_record_page() {
  const std::vector<engine::btree::Record> records{{"key-a", "value", {}},
                                                   {"key-b", "", {.erased = true}},
                                                   {"key-cdefghijklmnop", "v", {.guessed = true}}};
  return Bytes{engine::btree::build_record_page(records)->payload()};
}
inline void read_record_page(const Bytes& changed) {
  const auto page = engine::btree::RecordPage::parse(changed);
  if (!page) return;
  Bytes last;
  for (std::uint32_t index = 0; index < page->count(); ++index) {
    Bytes key;
    static_cast<void>(page->entry(index, key));
    require(index == 0 || last < key);
    require(page->find(key) == index);
    last = key;
  }
  bool is_equal = false;
  require(page->lower_bound(last + "~", is_equal) == page->count() && !is_equal);
}
inline Bytes sound_inner_page() {
  engine::btree::InnerPage page;
  page.children.resize(3);
  page.children[0].page = {8192, 500, 77};
  page.children[1].separator = "key-m";
  page.children[1].page = {9216, 600, 78};
  page.children[1].changes = {12288, 100, 79};
  page.children[2].separator = "key-z";
  return Bytes{page.encode()->payload()};
}
inline void read_inner_page(const Bytes& changed) {
  const auto page = engine::btree::InnerPage::decode(changed);
  if (!page) return;
  require(!page->children.empty());
  for (std::size_t child = 2; child < page->children.size(); ++child) {
    require(page->children[child - 1].separator < page->children[child].separator);
  }
  static_cast<void>(page->keys());
}
inline Bytes sound_directory() {
  engine::btree::Directory directory;
  directory[3] = {77, {8192, 500, 1}, {}};
  directory[4] = {};
  return Bytes{engine::btree::encode_directory(directory)->payload()};
}
inline void read_directory(const Bytes& changed) {
  static_cast<void>(engine::btree::decode_directory(changed).has_value());
}

inline const std::vector<Reader>& readers() {
  static const std::vector<Reader> all{{sound_catalog(), read_catalog},
                                       {sound_history(), read_history},
                                       {sound_transaction(), read_transaction},
                                       {sound_segment(), read_segment},
                                       {sound_note(), read_note},
                                       {sound_edit(), read_edit},
                                       {sound_record_page(), read_record_page},
                                       {sound_inner_page(), read_inner_page},
                                       {sound_directory(), read_directory}};
  return all;
}

// The first byte says which format; then come changes, of four bytes each: where (two), how, with what.
inline void read_changed(BytesView input) {
  if (input.empty()) return;
  const Reader& reader = readers()[static_cast<std::uint8_t>(input.front()) % readers().size()];
  Bytes bytes = reader.sound;
  for (input.remove_prefix(1); input.size() >= 4; input.remove_prefix(4)) {
    const std::size_t place = engine::load_u16(input.data()) % (bytes.size() + 1);
    switch (static_cast<std::uint8_t>(input[2]) % 8) {
      case 0: bytes.resize(place); break;
      case 1: bytes.insert(place, 1, input[3]); break;
      case 2: bytes.erase(place, 1); break;
      case 3: bytes.append(bytes, place); break;
      default:
        if (place < bytes.size()) bytes[place] = input[3];
    }
    if (bytes.size() > 10'000) return;
  }
  reader.read(bytes);
}

}  // namespace shale::cluster::fuzz
