// The workloads, by name. They run one after the other on one store; each leaves it as it is for the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/engine_bench/key_space.h"
#include "bench/engine_bench/phase.h"
#include "bench/engine_bench/store_adapter.h"

namespace shale::bench {

struct WorkloadOptions {
  std::uint64_t keys = 0;         // that `load` writes
  std::size_t value_bytes = 100;  // at least kValueBytesMin
  std::uint64_t hot_bytes = 0;    // of keys and values: what the workloads on cached data read
  std::uint64_t operations = 0;   // of workloads on single keys; scans are fewer
  double overwrite_seconds = 0;   // 0: `overwrite` writes as many keys as there are, once
  double mixed_seconds = 0;  // of `mixed`, whose two threads have no common count, and `overwrite-synced`
  std::size_t synced_writers = 0;  // threads of `overwrite-synced`
  std::uint64_t seed = 1;
  std::string folder;
};

class Workloads {
 public:
  using Emit = std::function<void(const std::string& workload, const Report&)>;

  // `emit` is called after each workload.
  Workloads(StoreAdapter& store, const WorkloadOptions& options, Emit emit);

  static const std::vector<std::string>& names();
  // Throws BenchError if there is no such workload or if it needs data that has not been loaded.
  void run(const std::string& name);
  // Whether every check of every workload so far has held.
  bool checks_hold() const { return checks_hold_; }

 private:
  enum class Choice : std::uint8_t { uniform, zipf, latest };
  struct Mix {  // of a YCSB workload, in percent; what is left reads and then writes the same key
    unsigned read;
    unsigned update;
    unsigned insert;
    unsigned scan;
    Choice choice;
  };

  void load();
  void overwrite(const std::string& name, const Limit& limit);
  void overwrite_synced();
  void read_present(const std::string& name);
  void read_absent();
  void read_hot();
  void scan_from(const std::string& name, std::size_t entries, const std::vector<std::uint64_t>* starts);
  void read_while_writing();
  void ycsb(const std::string& name, const Mix& mix);
  void read_everything();

  // Runs `step` (see run_steps) as a phase of one thread.
  template <class Step>
  void run_phase(const std::string& name, const Limit& limit, Step step);
  void end_phase(const std::string& name, Phase& phase);

  void write(std::uint64_t number);
  void read(std::uint64_t number, std::string& value, Checks& checks);
  std::uint64_t random_scan_start();
  const std::vector<std::uint64_t>& hot_numbers();

  StoreAdapter& store_;
  const WorkloadOptions options_;
  const Emit emit_;
  Random random_;
  ValueMaker values_;
  std::uint64_t key_count_ = 0;           // key numbers below it are in the store
  std::uint64_t user_bytes_written_ = 0;  // by the phase
  Checks checks_;                         // of the phase
  std::string value_;
  std::vector<std::uint64_t> hot_;
  bool checks_hold_ = true;
};

}  // namespace shale::bench
