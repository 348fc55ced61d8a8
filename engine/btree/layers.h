// The layers of a leaf as one sorted sequence.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/btree/leaf_buffer.h"
#include "engine/btree/record_page.h"

namespace shale::engine::btree {

// One layer, wherever it is. A view: does not keep it alive.
class Layer {
 public:
  Layer() = default;
  explicit Layer(const LeafBuffer& buffer) : buffer_(&buffer) {}
  Layer(const PageImage& image, bool is_base) : page_(image.payload()), is_base_(is_base) {}

  bool is_base() const { return is_base_; }
  std::uint32_t count() const { return buffer_ != nullptr ? buffer_->count() : page_.count(); }
  std::uint32_t lower_bound(BytesView key, bool& is_equal) const {
    return buffer_ != nullptr ? buffer_->lower_bound(key, is_equal) : page_.lower_bound(key, is_equal);
  }
  RecordTag tag(std::uint32_t index) const {
    return buffer_ != nullptr ? buffer_->at(index).tag : page_.tag(index);
  }
  BytesView value(std::uint32_t index) const {
    return buffer_ != nullptr ? buffer_->at(index).value : page_.value(index);
  }
  // The key, in `scratch` if it has to be put together.
  BytesView key(std::uint32_t index, Bytes& scratch) const {
    if (buffer_ != nullptr) return buffer_->at(index).key;
    page_.key(index, scratch);
    return scratch;
  }
  // Key and value; the key likewise.
  Record entry(std::uint32_t index, Bytes& scratch) const {
    if (buffer_ != nullptr) return buffer_->at(index);
    const BytesView value = page_.entry(index, scratch);
    return {scratch, value, {}};
  }

 private:
  const LeafBuffer* buffer_ = nullptr;
  RecordPage page_;
  bool is_base_ = false;
};

// Newest first.
class Layers {
 public:
  static constexpr std::size_t kLayersMax = 4;

  void add(const Layer& layer) { layers_[count_++] = layer; }
  std::size_t count() const { return count_; }
  const Layer& operator[](std::size_t index) const { return layers_[index]; }
  bool has_base() const { return count_ != 0 && layers_[count_ - 1].is_base(); }

 private:
  std::array<Layer, kLayersMax> layers_;
  std::size_t count_ = 0;
};

// A key and where it is: the newest record of it counts.
struct MergedKey {
  static constexpr std::int32_t kAbsent = -1;

  BytesView key;
  std::array<std::int32_t, Layers::kLayersMax> index{};  // of its record in each layer, or kAbsent
  std::size_t newest = 0;                                // layer
};

// Walks all keys of all layers in order.
class LayersMerge {
 public:
  explicit LayersMerge(const Layers& layers);
  // Nothing at the end. The view is valid until the next call.
  const MergedKey* next();

 private:
  void advance(std::size_t layer);

  struct Input {
    std::uint32_t next = 0;  // index in the layer
    bool valid = false;
    BytesView key;
    Bytes scratch;
  };
  const Layers layers_;
  std::array<Input, Layers::kLayersMax> inputs_;
  Bytes key_;
  MergedKey merged_;
};

// What a merged record says, and what was wrong with the guesses on the way to it: each layer's record may
// have guessed about the one below.
struct Resolved {
  RecordTag tag;             // guessed only if nothing below could be asked
  std::int64_t balance = 0;  // keys more than were counted
};
// `is_bottom`: where a key is in no layer, it is nowhere.
Resolved resolve(const Layers& layers, const MergedKey& merged, bool is_bottom);

// The base with the changes applied.
PageImage::Ref apply_changes(const PageImage& changes, const PageImage& base);
// Whether a record of the page is a guess: it is to be held to the base on disk, in a checkpoint.
bool has_guesses(const PageImage& changes);

// Records that own their bytes, for building pages.
class RecordList {
 public:
  void add(BytesView key, BytesView value, RecordTag tag) {
    records_.push_back({keep(key), value, tag});
    bytes_ += record_bytes(key.size(), value.size());
  }
  std::span<const Record> records() const { return records_; }
  std::size_t count() const { return records_.size(); }
  // About what they take in a page.
  std::size_t bytes() const { return bytes_; }

 private:
  // Values stay where they are; keys of pages exist only while they are looked at.
  BytesView keep(BytesView key);

  static constexpr std::size_t kChunkBytes = 16u << 10;
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_used_ = kChunkBytes;
  std::vector<Record> records_;
  std::size_t bytes_ = 0;
};

}  // namespace shale::engine::btree
