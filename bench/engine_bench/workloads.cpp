#include "bench/engine_bench/workloads.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <thread>

namespace shale::bench {
namespace {

constexpr std::uint64_t kAbsentFrom = std::uint64_t{1} << 40;  // numbers no workload ever inserts
constexpr std::size_t kYcsbScanEntriesMax = 100;
constexpr std::size_t kWholeScanEntries = 1000;   // at a time: what a store has to hold for a scan is bounded
constexpr std::uint64_t kOperationsPerScan = 10;  // a scan of a few entries takes as long as so many reads
constexpr std::uint64_t kOperationsPerLongScan = 40;
// Scans start where enough keys follow, so that the number of entries each must show is known.
constexpr std::uint64_t kLastStart = ~std::uint64_t{0} / 100 * 98;

SteadyClock::time_point in_seconds(double seconds) {
  return SteadyClock::now() +
         std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

Workloads::Workloads(StoreAdapter& store, const WorkloadOptions& options, Emit emit)
    : store_(store),
      options_(options),
      emit_(std::move(emit)),
      random_(scramble(options.seed)),
      values_(options.value_bytes, scramble(options.seed + 1)) {}

const std::vector<std::string>& Workloads::names() {
  static const std::vector<std::string> names = {
      "load",     "overwrite",    "read-hot", "read-absent", "read-uniform",    "scan-10",
      "scan-100", "scan-100-hot", "mixed",    "ycsb-a",      "ycsb-b",          "ycsb-c",
      "ycsb-f",   "ycsb-d",       "ycsb-e",   "flip",        "read-everything", "overwrite-synced"};
  return names;
}

void Workloads::run(const std::string& name) {
  if (name == "load") return load();
  if (std::find(names().begin(), names().end(), name) == names().end()) {
    throw BenchError(fmt::format("no workload '{}'; there are {}", name, fmt::join(names(), ", ")));
  }
  if (key_count_ == 0) throw BenchError(name + " needs data: the first workload must be load");
  static const std::map<std::string, Mix> mixes = {
      {"ycsb-a", {50, 50, 0, 0, Choice::zipf}}, {"ycsb-b", {95, 5, 0, 0, Choice::zipf}},
      {"ycsb-c", {100, 0, 0, 0, Choice::zipf}}, {"ycsb-d", {95, 0, 5, 0, Choice::latest}},
      {"ycsb-e", {0, 0, 5, 95, Choice::zipf}},  {"ycsb-f", {50, 0, 0, 0, Choice::zipf}}};
  if (const auto mix = mixes.find(name); mix != mixes.end()) return ycsb(name, mix->second);
  if (name == "overwrite") {
    return overwrite(name, options_.overwrite_seconds > 0
                               ? Limit{.deadline = in_seconds(options_.overwrite_seconds)}
                               : Limit{.operations = options_.keys});
  }
  if (name == "overwrite-synced") return overwrite_synced();
  if (name == "read-hot") return read_hot();
  if (name == "read-absent") return read_absent();
  if (name == "read-uniform") return read_present(name);
  if (name == "scan-10") return scan_from(name, 11, nullptr);  // a seek and ten nexts
  if (name == "scan-100") return scan_from(name, 101, nullptr);
  if (name == "scan-100-hot") return scan_from(name, 101, &hot_numbers());
  if (name == "mixed") return read_while_writing();
  if (name == "read-everything") return read_everything();
  // flip: what is asked of the store changes at once, and it may follow.
  overwrite("flip-write", Limit{.operations = options_.keys});
  read_present("flip-read");
  scan_from("flip-scan", 101, nullptr);
}

template <class Step>
void Workloads::run_phase(const std::string& name, const Limit& limit, Step step) {
  Phase phase{store_, options_.folder};
  run_steps(store_, limit, phase.add_latencies(), step);
  end_phase(name, phase);
}

void Workloads::end_phase(const std::string& name, Phase& phase) {
  Report report;
  phase.finish(user_bytes_written_, key_count_ * (kKeyBytes + options_.value_bytes), report);
  report.add("keys", key_count_);
  report.add("expected", checks_.expected);
  report.add("found", checks_.found);
  report.add("wrong", checks_.wrong);
  checks_hold_ &= checks_.hold();
  user_bytes_written_ = 0;
  checks_ = {};
  emit_(name, report);
}

// --- Operations

void Workloads::write(std::uint64_t number) {
  const Key key{number};
  store_.put(key.view(), values_.make(key.view()));
  user_bytes_written_ += kKeyBytes + options_.value_bytes;
}

void Workloads::read(std::uint64_t number, std::string& value, Checks& checks) {
  const Key key{number};
  ++checks.expected;
  if (!store_.get(key.view(), value)) return;
  ++checks.found;
  checks.wrong += !value_belongs_to(key.view(), value, options_.value_bytes);
}

std::uint64_t Workloads::random_scan_start() {
  for (;;) {
    const std::uint64_t number = random_.below(key_count_);
    if (scramble(number) < kLastStart) return number;
  }
}

// Neighbours in key order, so that the blocks that hold them hold nothing else.
const std::vector<std::uint64_t>& Workloads::hot_numbers() {
  if (!hot_.empty()) return hot_;
  const double part = static_cast<double>(options_.hot_bytes) /
                      static_cast<double>(options_.keys * (kKeyBytes + options_.value_bytes));
  const auto end = static_cast<std::uint64_t>(std::min(part, 0.9) * 0x1p64);
  for (std::uint64_t number = 0; number < options_.keys; ++number) {
    if (scramble(number) < end) hot_.push_back(number);
  }
  if (hot_.empty()) throw BenchError("too few keys to have hot ones");
  return hot_;
}

// --- Workloads

void Workloads::load() {
  key_count_ = 0;
  run_phase("load", Limit{.operations = options_.keys}, [this] {
    write(key_count_++);
    return OperationKind::write;
  });
}

void Workloads::overwrite(const std::string& name, const Limit& limit) {
  run_phase(name, limit, [this] {
    write(random_.below(key_count_));
    return OperationKind::write;
  });
}

// Many writers, each of which waits until its write would survive the machine.
void Workloads::overwrite_synced() {
  Phase phase{store_, options_.folder};
  const Limit limit{.deadline = in_seconds(options_.mixed_seconds)};
  std::vector<std::exception_ptr> failures(options_.synced_writers);
  std::atomic<std::uint64_t> writes = 0;
  std::vector<std::thread> writers;
  for (std::size_t i = 0; i < options_.synced_writers; ++i) {
    Latencies& latencies = phase.add_latencies();
    writers.emplace_back([&, i] {
      try {
        Random random{scramble(options_.seed + 10 + i)};
        ValueMaker values{options_.value_bytes, options_.seed + 10 + i};
        run_steps(store_, limit, latencies, [&] {
          const Key key{random.below(key_count_)};
          store_.put_synced(key.view(), values.make(key.view()));
          writes.fetch_add(1, std::memory_order_relaxed);
          return OperationKind::write;
        });
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  user_bytes_written_ = writes * (kKeyBytes + options_.value_bytes);
  end_phase("overwrite-synced", phase);
}

void Workloads::read_present(const std::string& name) {
  run_phase(name, Limit{.operations = options_.operations}, [this] {
    read(random_.below(key_count_), value_, checks_);
    return OperationKind::read;
  });
}

void Workloads::read_absent() {
  run_phase("read-absent", Limit{.operations = options_.operations}, [this] {
    const Key key{kAbsentFrom + (random_.next() >> 32)};
    checks_.found += store_.get(key.view(), value_);
    return OperationKind::read;
  });
}

void Workloads::read_hot() {
  const auto& hot = hot_numbers();
  Checks warming;
  for (int pass = 0; pass < 2; ++pass) {  // caches that resist scans keep what is read a second time
    for (const std::uint64_t number : hot) read(number, value_, warming);
  }
  checks_hold_ &= warming.hold();
  run_phase("read-hot", Limit{.operations = options_.operations}, [this, &hot] {
    read(hot[random_.below(hot.size())], value_, checks_);
    return OperationKind::read;
  });
}

void Workloads::scan_from(const std::string& name, std::size_t entries,
                          const std::vector<std::uint64_t>* starts) {
  ScanCheck check{options_.value_bytes};
  const auto scan = [&] {
    const Key first{starts == nullptr ? random_scan_start() : (*starts)[random_.below(starts->size())]};
    check.begin(first.view());
    store_.scan(first.view(), entries, check);
    checks_.expected += entries;
    return OperationKind::scan;
  };
  const std::uint64_t scans =
      options_.operations / (entries > 50 ? kOperationsPerLongScan : kOperationsPerScan);
  if (starts != nullptr) {
    for (std::uint64_t i = 0; i < scans / 2; ++i) scan();  // to warm the caches
  }
  // The counts of the warm-up are checked with those of the phase.
  Phase phase{store_, options_.folder};
  run_steps(store_, Limit{.operations = scans}, phase.add_latencies(), scan);
  checks_.found = check.seen();
  checks_.wrong = check.wrong();
  end_phase(name, phase);
}

void Workloads::read_while_writing() {
  Phase phase{store_, options_.folder};
  Latencies& writes = phase.add_latencies();
  Latencies& reads = phase.add_latencies();
  const Limit limit{.deadline = in_seconds(options_.mixed_seconds)};
  std::exception_ptr failure;
  Checks read_checks;
  std::thread reader{[&] {
    try {
      Random random{scramble(options_.seed + 2)};
      std::string value;
      run_steps(store_, limit, reads, [&] {
        read(random.below(key_count_), value, read_checks);
        return OperationKind::read;
      });
    } catch (...) {
      failure = std::current_exception();
    }
  }};
  try {
    run_steps(store_, limit, writes, [&] {
      write(random_.below(key_count_));
      return OperationKind::write;
    });
  } catch (...) {
    reader.join();
    throw;
  }
  reader.join();
  if (failure) std::rethrow_exception(failure);
  checks_ = read_checks;
  end_phase("mixed", phase);
}

void Workloads::ycsb(const std::string& name, const Mix& mix) {
  const std::uint64_t count_before = key_count_;
  const ZipfRanks ranks{count_before};
  ScanCheck check{options_.value_bytes};
  const auto choose = [&] {
    const std::uint64_t rank = ranks.next(random_);
    return mix.choice == Choice::latest ? key_count_ - 1 - rank : scramble(rank) % count_before;
  };
  const auto scan = [&] {
    std::uint64_t number = choose();
    while (scramble(number) >= kLastStart) number = choose();
    const Key first{number};
    const std::size_t entries = 1 + random_.below(kYcsbScanEntriesMax);
    check.begin(first.view());
    const std::uint64_t seen = check.seen();
    const std::uint64_t wrong = check.wrong();
    store_.scan(first.view(), entries, check);
    checks_.expected += entries;
    checks_.found += check.seen() - seen;
    checks_.wrong += check.wrong() - wrong;
  };
  const std::uint64_t operations = options_.operations / (mix.scan > 0 ? kOperationsPerScan : 1);
  run_phase(name, Limit{.operations = operations}, [&] {
    const std::uint64_t dice = random_.below(100);
    if (dice < mix.read) {
      read(choose(), value_, checks_);
      return OperationKind::read;
    }
    if (dice < mix.read + mix.update) {
      write(choose());
      return OperationKind::write;
    }
    if (dice < mix.read + mix.update + mix.insert) {
      write(key_count_++);
      return OperationKind::write;
    }
    if (dice < mix.read + mix.update + mix.insert + mix.scan) {
      scan();
      return OperationKind::scan;
    }
    const std::uint64_t number = choose();
    read(number, value_, checks_);
    write(number);
    return OperationKind::write;
  });
}

// Everything that was ever written is still there, once, with a value of its own. Operations are entries.
void Workloads::read_everything() {
  ScanCheck check{options_.value_bytes};
  std::string from;
  Phase phase{store_, options_.folder};
  Latencies& latencies = phase.add_latencies();
  checks_.expected = key_count_;
  for (std::uint64_t seen = 0;;) {
    const auto before = SteadyClock::now();
    check.begin(from);
    store_.scan(from, kWholeScanEntries, check);
    latencies.add(OperationKind::scan, static_cast<std::uint64_t>((SteadyClock::now() - before).count()));
    if (check.seen() == seen) break;
    seen = check.seen();
    check.put_next_key(from);
  }
  checks_.found = check.seen();
  checks_.wrong = check.wrong();
  end_phase("read-everything", phase);
}

}  // namespace shale::bench
