#include "cluster/verify_large_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "cluster/position.h"
#include "engine/large/large_value.h"
#include "engine/large/large_value_store.h"

namespace shale::cluster {

using engine::LargeValueReference;

bool LargeValueVerifier::is_large(BytesView value) const {
  return value_is_large_ != nullptr && value_is_large_(value) &&
         value.size() >= LargeValueReference::kEncodedBytes;
}

LargeValueReference LargeValueVerifier::reference_in(BytesView value) {
  return LargeValueReference::decode(std::span{value}.last<LargeValueReference::kEncodedBytes>());
}

void LargeValueVerifier::see(const engine::lsm::VerifiedEntry& entry) {
  if (entry.is_tombstone || !is_large(entry.value)) return;
  const Referenced referenced{reference_in(entry.value), rank_of(entry)};
  const auto [known, is_new] = in_tables_.try_emplace(Bytes{entry.key}, referenced);
  if (!is_new && referenced.rank < known->second.rank) known->second = referenced;
}

void LargeValueVerifier::check_files() {
  const auto exists = files_.exists(folder_);
  if (!exists) return verification_.add(exists.error());
  if (*exists) {
    const auto names = files_.list(folder_);
    if (!names) return verification_.add(names.error());
    for (const std::string& name : *names) {
      const auto id = engine::LargeValueStore::id_of(name);
      if (id) {
        check_file(name, *id);
      } else {
        verification_.remark(fmt::format("{}/{}: was being written", folder_, name));
      }
    }
  }
  for (const auto& [position, referenced] : in_tables_) {
    if (!is_there(position, referenced.reference)) missing_.emplace(position, referenced);
  }
}

void LargeValueVerifier::check_file(const std::string& name, std::uint64_t id) {
  engine::LargeValue value{files_, folder_ + "/" + name, id};
  const auto sound = engine::verify_large_value(value);
  if (!sound) {
    damaged_.insert(id);
    return verification_.add(sound.error());
  }
  verification_.count_file(value.file_bytes());
  verification_.count_records(1);
  const engine::LargeValueTrailer& trailer = value.trailer();
  present_[id] = {{id, trailer.value_bytes,
                   engine::large_value_checksum(id, trailer.value_bytes, trailer.chunk_checksums)},
                  trailer.key};
}

bool LargeValueVerifier::is_there(BytesView position, const LargeValueReference& reference) const {
  const auto found = present_.find(reference.id);
  if (found == present_.end()) return damaged_.contains(reference.id);
  return found->second.reference == reference && found->second.key == position;
}

void LargeValueVerifier::see_again(const engine::lsm::VerifiedEntry& entry) {
  const auto missing = missing_.find(Bytes{entry.key});
  if (missing != missing_.end() && rank_of(entry) < missing->second.rank) missing_.erase(missing);
}

void LargeValueVerifier::see_logged(BytesView position, BytesView value, bool erases) {
  const bool refers = !erases && is_large(value);
  if (!refers && in_log_.empty() && missing_.empty()) return;
  Bytes key{position};
  missing_.erase(key);
  if (refers) {
    in_log_[std::move(key)] = reference_in(value);
  } else {
    in_log_.erase(key);
  }
}

void LargeValueVerifier::report(Placement placement, const DatabaseIds& databases) {
  std::map<Bytes, LargeValueReference> missing;
  for (const auto& [position, referenced] : missing_) missing.emplace(position, referenced.reference);
  for (const auto& [position, reference] : in_log_) {
    if (!is_there(position, reference)) missing.emplace(position, reference);
  }
  for (const auto& [position, reference] : missing) {
    if (position.size() < placement.prefix_bytes()) continue;
    const PositionParts parts = placement.split(position);
    if (std::ranges::find(databases, parts.database) == databases.end()) continue;
    verification_.problem(fmt::format("{}/{}: is missing, or not what the key '{}' refers to", folder_,
                                      engine::LargeValueStore::file_name(reference.id), parts.key));
  }
}

}  // namespace shale::cluster
