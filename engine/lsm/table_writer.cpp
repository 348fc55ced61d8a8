#include "engine/lsm/table_writer.h"

namespace shale::engine::lsm {

TableWriter::~TableWriter() {
  if (finished_) return;
  for (const TableRef& table : tables_) table->file()->discard();
  if (table_) store_.remove_table_file(table_->number);
}

Status TableWriter::add(const Entry& entry) {
  if (!table_) {
    auto created = store_.create_table(level_);
    if (!created) return created.error();
    table_ = std::move(*created);
  }
  if (auto added = table_->builder->add(entry); !added) return added;
  return table_->builder->file_bytes() >= store_.table_bytes() ? finish_table() : Status{};
}

Status TableWriter::finish_table() {
  if (!table_) return {};
  const std::uint64_t number = table_->number;
  auto finished = store_.finish_table(std::move(*table_), level_, run_);
  table_.reset();
  if (!finished) {
    store_.remove_table_file(number);
    return finished.error();
  }
  tables_.push_back(std::move(*finished));
  return {};
}

Result<std::vector<TableRef>> TableWriter::finish() {
  if (auto last = finish_table(); !last) return last.error();
  if (!tables_.empty()) {
    if (auto synced = store_.sync_tables(); !synced) return synced.error();
  }
  finished_ = true;
  return std::move(tables_);
}

}  // namespace shale::engine::lsm
