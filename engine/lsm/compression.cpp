#include "engine/lsm/compression.h"

#include <lz4.h>
#include <zstd.h>

#include <memory>

namespace shale::engine::lsm {
namespace {

// LZ4's own bound is a little below 2 GiB; blocks that large hold a single huge value.
constexpr std::size_t kRawBytesMax = 1U << 30;

// zstd's fastest regular level. Higher ones gain a few percent on blocks of some KiB for several times the
// work.
constexpr int kZstdLevel = 1;

// An LZ4 sequence can name 255 bytes per byte; a zstd run-length block 128 KiB in four.
constexpr std::uint64_t kLz4RatioMax = 255;
constexpr std::uint64_t kZstdRatioMax = 128 * 1024;

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// A context costs some 100 KiB and much longer to make than a block to compress: each thread keeps one.
ZSTD_CCtx* zstd_compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeZstd> context{ZSTD_createCCtx()};
  return context.get();
}

ZSTD_DCtx* zstd_decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeZstd> context{ZSTD_createDCtx()};
  return context.get();
}

}  // namespace

bool compress(Compression compression, BytesView raw, Bytes& into) {
  if (compression == Compression::none || raw.size() > kRawBytesMax) return false;
  // Room for what is worth keeping and no more: both compressors give up when it is used up.
  const std::size_t bytes_max = raw.size() - (raw.size() + 7) / 8;
  if (bytes_max == 0) return false;
  into.resize(bytes_max);
  if (compression == Compression::lz4) {
    const int bytes = LZ4_compress_default(raw.data(), into.data(), static_cast<int>(raw.size()),
                                           static_cast<int>(bytes_max));
    if (bytes <= 0) return false;
    into.resize(static_cast<std::size_t>(bytes));
    return true;
  }
  ZSTD_CCtx* const context = zstd_compressor();
  if (context == nullptr) return false;
  const std::size_t bytes =
      ZSTD_compressCCtx(context, into.data(), bytes_max, raw.data(), raw.size(), kZstdLevel);
  if (ZSTD_isError(bytes) != 0) return false;
  into.resize(bytes);
  return true;
}

std::uint64_t raw_bytes_max(Compression compression, std::uint64_t stored_bytes) {
  if (compression == Compression::none) return stored_bytes;
  return stored_bytes * (compression == Compression::lz4 ? kLz4RatioMax : kZstdRatioMax);
}

bool decompress(Compression compression, BytesView stored, char* into, std::size_t raw_bytes) {
  if (stored.size() > kRawBytesMax || raw_bytes > kRawBytesMax) return false;
  if (compression == Compression::lz4) {
    const int bytes = LZ4_decompress_safe(stored.data(), into, static_cast<int>(stored.size()),
                                          static_cast<int>(raw_bytes));
    return bytes >= 0 && static_cast<std::size_t>(bytes) == raw_bytes;
  }
  if (compression != Compression::zstd) return false;
  ZSTD_DCtx* const context = zstd_decompressor();
  if (context == nullptr) return false;
  const std::size_t bytes = ZSTD_decompressDCtx(context, into, raw_bytes, stored.data(), stored.size());
  return ZSTD_isError(bytes) == 0 && bytes == raw_bytes;
}

}  // namespace shale::engine::lsm
