#include "engine/log/segment_files.h"

#include <random>
#include <utility>

namespace shale::engine {
namespace {

std::uint64_t random_identity() {
  std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

Error final_error(const Status& sync) { return {ErrorKind::stopped, sync.error().message}; }

}  // namespace

Result<std::unique_ptr<Segment>> SegmentFiles::prepare(std::uint64_t size_bytes,
                                                       const std::optional<std::string>& reuse) {
  const SegmentHeader header{next_number_++, random_identity(), size_bytes};
  const std::string spare = reuse ? *reuse : spare_path(folder_, header.number);
  auto segment = make_segment(header, spare, reuse.has_value());
  if (!segment) (void)files_.remove(spare);  // may not even exist; if it stays, the next start finds it
  return segment;
}

Result<std::unique_ptr<Segment>> SegmentFiles::make_segment(const SegmentHeader& header,
                                                            const std::string& spare, bool reuse) {
  auto map = reuse ? files_.open_mapped(spare) : files_.create_mapped(spare, header.size_bytes);
  if (!map) return map.error();
  header.encode((*map)->bytes().data());
  if (Status status = (*map)->sync(0, SegmentHeader::kEncodedBytes); !status) return final_error(status);

  auto segment = std::make_unique<Segment>();
  segment->header = header;
  segment->path = segment_path(folder_, header.number);
  segment->map = std::move(*map);
  if (Status status = files_.rename(spare, segment->path); !status) return status.error();
  if (Status status = sync_folder(); !status) return final_error(status);
  return segment;
}

Result<std::string> SegmentFiles::make_spare(const std::string& path) {
  std::string spare = spare_path(folder_, next_number_++);
  if (Status status = files_.rename(path, spare); !status) return status.error();
  return spare;
}

}  // namespace shale::engine
