// Drives one store through a list of workloads and prints what they took: see bench/README.md. The script
// bench/engine-bench runs this for several stores, in turn, and compares.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

#include <boost/program_options.hpp>

#include "bench/engine_bench/process_usage.h"
#include "bench/engine_bench/workloads.h"

// As shale-server has it (src/allocator.cpp): for all stores, those that bring their own memory management
// too.
extern "C" {
// NOLINTNEXTLINE(readability-identifier-naming): jemalloc's name
const char* malloc_conf = "narenas:4,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true";
}

namespace {

using namespace shale::bench;
namespace po = boost::program_options;

struct Arguments {
  std::string store;
  std::string folder;
  std::string memory;
  double data_ratio = 0;
  std::string workloads;
  std::vector<std::string> overrides;
  bool json = false;
  StoreSettings settings;
  WorkloadOptions workload;
};

using OpenStore = std::unique_ptr<StoreAdapter> (*)(const StoreSettings&);
const std::map<std::string, OpenStore>& stores() {
  static const std::map<std::string, OpenStore> stores = {
#ifdef SHALE_BENCH_WIREDTIGER
      {"wiredtiger", open_wiredtiger},
#endif
      {"shale", open_shale},           {"shale-btree", open_shale_btree}, {"lmdb", open_lmdb},
      {"rocksdb", open_rocksdb},       {"leveldb", open_leveldb},         {"nothing", open_nothing}};
  return stores;
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::istringstream stream{list};
  for (std::string word; std::getline(stream, word, ',');) words.push_back(word);
  return words;
}

// A folder of our own, removed with all it holds.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& parent) {
    std::filesystem::create_directories(parent);
    path_ = parent + "/engine-bench-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw BenchError("cannot make a folder in " + parent);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

po::options_description describe(Arguments& arguments) {
  WorkloadOptions& workload = arguments.workload;
  po::options_description options{"usage: engine_bench --store NAME [option ...]"};
  const auto option = [&options](const char* name, auto* target, auto standard, const char* what) {
    options.add_options()(name, po::value(target)->default_value(standard), what);
  };
  option("store", &arguments.store, std::string{"shale"},
         "shale, shale-btree, lmdb, wiredtiger, rocksdb, leveldb, or nothing (the driver alone)");
  option("dir", &arguments.folder, std::filesystem::temp_directory_path().string(),
         "a fresh folder is made in it, and removed");
  option("workloads", &arguments.workloads, std::string{"load,overwrite,read-uniform,read-everything"},
         "in this order, one process for all");
  option("memory", &arguments.memory, std::string{"64m"},
         "of memtables (a quarter) and read caches (the rest) together");
  option("data-ratio", &arguments.data_ratio, 4.0, "bytes of keys and values loaded, to that memory");
  option("value-bytes", &workload.value_bytes, std::size_t{100}, "at least 16");
  option("operations", &workload.operations, std::uint64_t{1'000'000},
         "of workloads on single keys; scans are fewer");
  option("duration", &workload.overwrite_seconds, 0.0, "seconds of overwrite; 0: each key once on average");
  option("mixed-seconds", &workload.mixed_seconds, 10.0, "seconds of mixed and of overwrite-synced");
  option("synced-writers", &workload.synced_writers, std::size_t{16}, "threads of overwrite-synced");
  option("seed", &workload.seed, std::uint64_t{1}, "of keys chosen and of random bytes");
  options.add_options()("compressed", po::bool_switch(&arguments.settings.compressed),
                        "LZ4, or Snappy where there is none");
  options.add_options()(
      "set", po::value(&arguments.overrides)->composing(),
      "STORE.OPTION=VALUE in the store's own words; may be repeated; those of other stores do nothing");
  options.add_options()("json", po::bool_switch(&arguments.json), "one JSON object per line");
  options.add_options()("help", "");
  return options;
}

// shale.block_bytes=8192 to settings.overrides of shale.
void take_overrides(Arguments& arguments) {
  for (const std::string& text : arguments.overrides) {
    const auto dot = text.find('.');
    const auto equals = text.find('=', dot == std::string::npos ? 0 : dot);
    if (dot == std::string::npos || equals == std::string::npos || !stores().contains(text.substr(0, dot))) {
      throw BenchError("--set takes STORE.OPTION=VALUE, not '" + text + "'");
    }
    if (text.substr(0, dot) != arguments.store) continue;
    arguments.settings.overrides[text.substr(dot + 1, equals - dot - 1)] = text.substr(equals + 1);
  }
}

void complete(Arguments& arguments, const std::string& folder) {
  WorkloadOptions& workload = arguments.workload;
  if (!stores().contains(arguments.store)) throw BenchError("no store '" + arguments.store + "'");
  if (workload.value_bytes < kValueBytesMin) throw BenchError("--value-bytes must be at least 16");
  take_overrides(arguments);
  const std::uint64_t memory = parse_bytes(arguments.memory);
  arguments.settings.folder = folder;
  arguments.settings.memtable_bytes = memory / 4;
  arguments.settings.cache_bytes = memory - memory / 4;
  workload.folder = folder;
  workload.keys = static_cast<std::uint64_t>(static_cast<double>(memory) * arguments.data_ratio) /
                  (kKeyBytes + workload.value_bytes);
  workload.hot_bytes =
      arguments.settings.cache_bytes / 4;  // fits each of two halves of a divided cache, twice
  if (workload.keys < 10'000 || workload.operations < 100)
    throw BenchError("too little data or too few operations");
}

int run(Arguments& arguments) {
  const ScratchFolder scratch{arguments.folder};
  complete(arguments, scratch.path());
  const auto store = stores().at(arguments.store)(arguments.settings);
  Report about;
  about.add("store", arguments.store);
  about.add("settings", store->settings());
  std::printf("%s\n", (arguments.json ? about.as_json() : about.as_text()).c_str());
  Workloads workloads{*store, arguments.workload, [&](const std::string& workload, const Report& measured) {
                        Report report;
                        report.add("workload", workload);
                        report.add("store", arguments.store);
                        report.add("value_bytes", std::uint64_t{arguments.workload.value_bytes});
                        report.append(measured);
                        std::printf("%s\n", (arguments.json ? report.as_json() : report.as_text()).c_str());
                        std::fflush(stdout);
                      }};
  for (const std::string& name : split(arguments.workloads)) workloads.run(name);
  if (workloads.checks_hold() || arguments.store == "nothing") return 0;
  std::fprintf(stderr, "engine_bench: %s did less than it should: expected, found and wrong above\n",
               arguments.store.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Arguments arguments;
    const auto options = describe(arguments);
    po::variables_map values;
    po::store(po::parse_command_line(argc, argv, options), values);
    if (values.contains("help")) {
      std::cout << options << "workloads:";
      for (const std::string& name : Workloads::names()) std::cout << ' ' << name;
      std::cout << '\n';
      return 0;
    }
    po::notify(values);
    return run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_bench: %s\n", error.what());
    return 2;
  }
}
