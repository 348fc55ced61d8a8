#include "engine/btree/layers.h"

#include <algorithm>

namespace shale::engine::btree {

LayersMerge::LayersMerge(const Layers& layers) : layers_(layers) {
  for (std::size_t i = 0; i < layers_.count(); ++i) advance(i);
}

void LayersMerge::advance(std::size_t layer) {
  Input& input = inputs_[layer];
  input.valid = input.next < layers_[layer].count();
  if (input.valid) input.key = layers_[layer].key(input.next++, input.scratch);
}

const MergedKey* LayersMerge::next() {
  constexpr std::size_t kNone = Layers::kLayersMax;
  std::size_t smallest = kNone;
  for (std::size_t i = 0; i < layers_.count(); ++i) {
    if (inputs_[i].valid && (smallest == kNone || inputs_[i].key < inputs_[smallest].key)) smallest = i;
  }
  if (smallest == kNone) return nullptr;
  key_.assign(inputs_[smallest].key);
  merged_.key = key_;
  merged_.newest = smallest;  // of equal keys the first was found, and so the newest
  for (std::size_t i = 0; i < layers_.count(); ++i) {
    const bool has_it = i >= smallest && inputs_[i].valid && inputs_[i].key == key_;
    merged_.index[i] = has_it ? static_cast<std::int32_t>(inputs_[i].next - 1) : MergedKey::kAbsent;
    if (has_it) advance(i);
  }
  return &merged_;
}

Resolved resolve(const Layers& layers, const MergedKey& merged, bool is_bottom) {
  Resolved result;
  bool is_oldest = true;
  for (std::size_t i = layers.count(); i-- > 0;) {
    if (merged.index[i] == MergedKey::kAbsent) continue;
    const RecordTag tag = layers[i].tag(static_cast<std::uint32_t>(merged.index[i]));
    if (tag.guessed) {
      // It took a value to be below. At the bottom there was none, or the record below says so.
      if (is_oldest ? is_bottom : result.tag.erased) ++result.balance;
    }
    const bool guessed = is_oldest ? tag.guessed && !is_bottom : result.tag.guessed;
    result.tag = {tag.erased, guessed};
    is_oldest = false;
  }
  return result;
}

PageImage::Ref apply_changes(const PageImage& changes, const PageImage& base) {
  Layers layers;
  layers.add(Layer{changes, false});
  layers.add(Layer{base, true});
  RecordList records;
  LayersMerge merge{layers};
  while (const MergedKey* key = merge.next()) {
    const Layer& layer = layers[key->newest];
    const auto index = static_cast<std::uint32_t>(key->index[key->newest]);
    if (!layer.tag(index).erased) records.add(key->key, layer.value(index), {});
  }
  return build_record_page(records.records());
}

bool has_guesses(const PageImage& changes) {
  const RecordPage page{changes.payload()};
  for (std::uint32_t i = 0; i < page.count(); ++i) {
    if (page.tag(i).guessed) return true;
  }
  return false;
}

BytesView RecordList::keep(BytesView key) {
  if (key.empty()) return {};
  if (kChunkBytes - chunk_used_ < key.size()) {
    if (key.size() > kChunkBytes / 4) {  // has a chunk of its own, in front of the one that is being filled
      chunks_.insert(chunks_.begin(), std::make_unique<char[]>(key.size()));
      std::copy(key.begin(), key.end(), chunks_.front().get());
      return {chunks_.front().get(), key.size()};
    }
    chunks_.push_back(std::make_unique<char[]>(kChunkBytes));
    chunk_used_ = 0;
  }
  char* const place = chunks_.back().get() + chunk_used_;
  std::copy(key.begin(), key.end(), place);
  chunk_used_ += key.size();
  return {place, key.size()};
}

}  // namespace shale::engine::btree
