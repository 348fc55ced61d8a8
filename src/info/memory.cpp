// INFO: where the memory is.
#include <algorithm>

#include "src/config.h"
#include "src/info/sections.h"
#include "src/memory_report.h"
#include "src/server.h"

namespace shale::server::info {
namespace {

void write_allocator(InfoFields& fields, const MemoryReport& report) {
  const AllocatorFigures& allocator = report.allocator;
  fields.add_ratio("allocator_frag_ratio", share_of(allocator.active, allocator.allocated));
  fields.add("allocator_frag_bytes", difference(allocator.active, allocator.allocated));
  fields.add_ratio("allocator_rss_ratio", share_of(allocator.resident, allocator.active));
  fields.add("allocator_rss_bytes", difference(allocator.resident, allocator.active));
  fields.add_ratio("rss_overhead_ratio", share_of(report.resident, allocator.resident));
  fields.add("rss_overhead_bytes", difference(report.resident, allocator.resident));
}

}  // namespace

void write_memory(InfoFields& fields, Server& server) {
  const MemoryReport report = report_memory(server);
  fields.add_bytes("used_memory", report.used);
  fields.add_bytes("used_memory_rss", report.resident);
  fields.add_bytes("used_memory_peak", report.peak);
  fields.add("used_memory_peak_perc", fmt::format("{:.2f}%", share_of(report.used, report.peak) * 100));
  fields.add("used_memory_overhead", report.overhead());
  fields.add("used_memory_startup", report.startup);
  fields.add("used_memory_dataset", report.dataset);
  fields.add("used_memory_dataset_perc", fmt::format("{:.2f}%", share_of(report.dataset, report.used) * 100));
  fields.add("allocator_allocated", report.allocator.allocated);
  fields.add("allocator_active", report.allocator.active);
  fields.add("allocator_resident", report.allocator.resident);
  fields.add_bytes("total_system_memory", report.machine);
  // There is no Lua, and there are no functions.
  fields.add("used_memory_vm_eval", 0);
  fields.add_bytes("used_memory_lua", 0);
  fields.add("used_memory_scripts_eval", 0);
  fields.add("number_of_cached_scripts", 0);
  fields.add("number_of_functions", 0);
  fields.add("number_of_libraries", 0);
  fields.add("used_memory_vm_functions", 0);
  fields.add_bytes("used_memory_vm_total", 0);
  fields.add("used_memory_functions", 0);
  fields.add_bytes("used_memory_scripts", 0);
  // Redis's maxmemory begins evictions, and there are none here. What bounds the process is its own option.
  fields.add_bytes("maxmemory", 0);
  fields.add("maxmemory_policy", "noeviction");
  write_allocator(fields, report);
  fields.add_ratio("mem_fragmentation_ratio", share_of(report.resident, report.used));
  fields.add("mem_fragmentation_bytes", difference(report.resident, report.used));
  fields.add("mem_not_counted_for_evict", 0);
  fields.add("mem_replication_backlog", 0);
  fields.add("mem_total_replication_buffers", 0);
  fields.add("mem_clients_slaves", 0);
  fields.add("mem_clients_normal", report.clients);
  fields.add("mem_cluster_links", 0);
  fields.add("mem_aof_buffer", 0);
  fields.add("mem_allocator", allocator_name());
  fields.add("active_defrag_running", 0);
  fields.add("lazyfree_pending_objects", 0);
  fields.add("lazyfreed_objects", 0);
}

}  // namespace shale::server::info
