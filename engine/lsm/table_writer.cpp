#include "engine/lsm/table_writer.h"

#include "engine/lsm/key_bounds.h"

namespace shale::engine::lsm {
namespace {

// Small enough that what is left of a file can be moved elsewhere in little time, large enough that files are
// few.
constexpr std::uint64_t kValueFileBytesMax = 128U << 20;

}  // namespace

TableWriter::~TableWriter() {
  if (finished_) return;
  for (const TableRef& table : tables_) table->file()->discard();
  for (const std::uint64_t number : closed_) store_.remove_table_file(number);
  if (table_) store_.remove_table_file(table_->number);
  if (values_) store_.remove_value_file(values_->number);
}

Status TableWriter::add(const Entry& entry) {
  if (!table_) {
    auto created = store_.create_table(level_, tombstones_since_ms_);
    if (!created) return created.error();
    table_ = std::move(*created);
    if (!closed_.empty()) fences_.emplace_back(shortest_between(largest_key_, entry.key));
  }
  if (auto added = table_->builder->add(entry); !added) return added;
  return table_->builder->file_bytes() >= store_.table_bytes() ? close_table() : Status{};
}

Status TableWriter::add_separated(const Entry& entry) {
  if (!values_) {
    auto created = store_.create_value_file();
    if (!created) return created.error();
    values_ = std::move(*created);
  }
  const auto reference = values_->writer->add(entry.key, entry.value);
  if (!reference) return reference.error();
  reference_.clear();
  reference->append_to(reference_);
  Entry separated{entry.key, reference_, entry.tag};
  separated.tag.separated = true;
  if (auto added = add(separated); !added) return added;
  return values_->writer->file_bytes() >= kValueFileBytesMax ? finish_value_file() : Status{};
}

Status TableWriter::close_table() {
  if (!table_) return {};
  closed_.push_back(table_->number);
  auto closed = store_.close_table(std::move(*table_));
  table_.reset();
  if (!closed) return closed.error();
  largest_key_ = std::move(closed->largest_key);
  return {};
}

Status TableWriter::finish_value_file() {
  if (!values_) return {};
  const std::uint64_t number = values_->number;
  auto finished = store_.finish_value_file(std::move(*values_));
  values_.reset();
  if (!finished) {
    store_.remove_value_file(number);
    return finished.error();
  }
  value_bytes_written_ += (*finished)->file().file_bytes();
  value_files_.push_back(std::move(*finished));
  return {};
}

Result<TableRef> TableWriter::open_table(std::size_t place) {
  const BytesView begin = place == 0 ? begin_key_ : BytesView{fences_[place - 1]};
  const auto end = place == fences_.size() ? end_key_ : std::optional<BytesView>{fences_[place]};
  return store_.open_new_table(closed_[place], level_, run_, begin, end);
}

Result<std::vector<TableRef>> TableWriter::finish() {
  if (auto last = close_table(); !last) return last.error();
  if (auto last = finish_value_file(); !last) return last.error();
  while (tables_.size() != closed_.size()) {  // only now that all value files are there
    auto opened = open_table(tables_.size());
    if (!opened) return opened.error();
    tables_.push_back(std::move(*opened));
  }
  closed_.clear();
  if (!tables_.empty()) {
    if (auto synced = store_.sync_tables(); !synced) return synced.error();
  }
  finished_ = true;
  return std::move(tables_);
}

}  // namespace shale::engine::lsm
