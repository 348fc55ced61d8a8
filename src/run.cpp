#include "src/run.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include <boost/asio/signal_set.hpp>

#include "cluster/backups.h"
#include "cluster/change_history.h"
#include "cluster/expirer.h"
#include "cluster/store.h"
#include "engine/io/background.h"
#include "engine/io/file_system.h"
#include "engine/lsm/tree_store.h"
#include "src/acl/file.h"
#include "src/expired_keys.h"
#include "src/health_check.h"
#include "src/io_thread.h"
#include "src/listener.h"
#include "src/logging.h"
#include "src/machine.h"
#include "src/node_id.h"
#include "src/running_address.h"
#include "src/server.h"
#include "src/stats/reshape_figures.h"
#include "src/tls/context.h"
#include "src/units.h"
#include "src/value.h"

namespace shale::server {

namespace {

using std::chrono::steady_clock;

// Files the engine has open, beside the clients' sockets.
constexpr std::uint64_t kEngineFilesMax = 1024;
constexpr std::chrono::milliseconds kStopGrace{1500};

std::int64_t milliseconds_since(steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin).count();
}

engine::SyncMode sync_mode_of(const Config& config) {
  constexpr engine::SyncMode kModes[] = {engine::SyncMode::always, engine::SyncMode::every_second,
                                         engine::SyncMode::never};
  return kModes[config.number(Option::appendfsync)];
}

engine::lsm::Compression compression_of(const Config& config) {
  using enum engine::lsm::Compression;
  constexpr engine::lsm::Compression kCompressions[] = {none, lz4, zstd};
  return kCompressions[config.number(Option::compression)];
}

engine::lsm::CompactionMode compaction_mode_of(const Config& config) {
  using enum engine::lsm::CompactionMode;
  constexpr engine::lsm::CompactionMode kModes[] = {adaptive, leveled, tiered};
  return kModes[config.number(Option::compaction)];
}

std::string absolute(const std::string& path) {
  std::error_code failed;
  const auto whole = path.empty() ? std::filesystem::path{} : std::filesystem::absolute(path, failed);
  return failed ? path : whole.lexically_normal().string();
}

int fail(std::string_view message) {
  spdlog::error("{}", message);
  fmt::print(stderr, "shale-server: {}\n", message);
  return 1;
}

// As many clients as open files and memory allow; the option shows what is true.
std::int64_t cap_clients(Config& config, const MemoryBudget& budget) {
  const std::int64_t wanted = config.number(Option::maxclients);
  const std::uint64_t files = raise_open_files_limit(static_cast<std::uint64_t>(wanted) + kEngineFilesMax);
  const auto by_files = static_cast<std::int64_t>(files - std::min(kEngineFilesMax, files / 2));
  const auto by_memory = static_cast<std::int64_t>(budget.connections / 2 / kIdleClientBytes);
  if (by_files < wanted) {
    spdlog::warn("maxclients is {} instead of {}: the process may open {} files (ulimit -n)", by_files,
                 wanted, files);
  }
  if (by_memory < std::min(wanted, by_files)) {
    spdlog::warn("maxclients is {} instead of {}: more would use up the connections' share of the memory",
                 by_memory, wanted);
  }
  const std::int64_t cap = std::max<std::int64_t>(1, std::min(by_files, by_memory));
  if (cap < wanted) config.assign(Option::maxclients, {std::to_string(cap), cap});
  return cap;
}

cluster::StoreOptions store_options(const Config& config, const MemoryBudget& budget) {
  cluster::StoreOptions options;
  options.folder = config.text(Option::dir);
  options.sharding =
      config.text(Option::sharding) == "range" ? cluster::Sharding::range : cluster::Sharding::ring;
  options.split_points = split_keys(config.text(Option::split_points)).value_or(std::vector<std::string>{});
  options.shards = static_cast<std::uint32_t>(config.number(Option::shards));
  options.virtual_nodes = static_cast<std::uint32_t>(config.number(Option::virtual_nodes));
  options.engine =
      config.text(Option::engine) == "btree" ? cluster::EngineKind::btree : cluster::EngineKind::lsm;
  options.sync_mode = sync_mode_of(config);
  options.memtable_bytes = budget.memtables;
  options.cache_bytes = budget.caches;
  options.log_segment_bytes = budget.log_segment;
  options.log_bytes_max = static_cast<std::uint64_t>(config.number(Option::log_max_size));
  options.compression = compression_of(config);
  options.value_separation_bytes = static_cast<std::uint32_t>(config.number(Option::value_separation));
  options.compaction_mode = compaction_mode_of(config);
  options.idle_work_bytes_per_second =
      static_cast<std::uint64_t>(config.number(Option::compaction_idle_rate));
  options.deletion_age_max = std::chrono::seconds{config.number(Option::deletion_age_max)};
  options.btree_node_bytes_min = static_cast<std::uint32_t>(config.number(Option::btree_node_min));
  options.btree_node_bytes_max = static_cast<std::uint32_t>(config.number(Option::btree_node_max));
  options.backup_folder = config.text(Option::backup_dir);
  options.backups_kept = static_cast<std::size_t>(config.number(Option::backups_keep));
  options.value_expiry_ms = value_expiry_ms;
  options.value_is_large = value_is_large;
  options.on_damage = [](const std::string& line) {
    spdlog::error("damage: {}; reads of its keys fail, the rest is served", line);
  };
  return options;
}

void log_recovery(const cluster::StoreRecovery& recovery, std::int64_t took_ms) {
  if (recovery.created) return spdlog::info("new data folder created in {} ms", took_ms);
  if (recovery.log.torn_bytes != 0) {
    spdlog::warn("the log ends within a record that was being written: {} bytes of {} cut",
                 recovery.log.torn_bytes, recovery.log.torn_file);
  }
  if (!recovery.log.unreadable_note.empty()) {
    spdlog::error("damage: {}; the log is not known to be as long as it was", recovery.log.unreadable_note);
  }
  spdlog::info("recovered: {} log records read ({:.1f} MiB in {} files), {} applied, {} ms",
               recovery.log.records, static_cast<double>(recovery.log.bytes) / kMiB, recovery.log.segments,
               recovery.records_applied, took_ms);
}

void log_event(const cluster::ReshapeEvent& event) {
  using enum cluster::ReshapeKind;
  const auto number = [](cluster::ShardId id) { return static_cast<std::uint32_t>(id); };
  if (event.kind == shape || event.kind == leaves) {
    return spdlog::info("{} of shard {}: {}; {}", kind_name(event.kind), number(event.shard), event.cause,
                        event.effect);
  }
  const bool has_other = event.kind == split || event.kind == merge;
  spdlog::info("{} of shard {}{}: {}; {} of {} keys moved, {} ms, shards locked for {} us{}{}",
               kind_name(event.kind), number(event.shard),
               has_other ? fmt::format(" ({})", number(event.other)) : "", event.cause, event.keys_moved,
               event.keys, event.duration.count() / 1000, event.pause.count(),
               event.error.empty() ? "" : "; given up: ", event.error);
}

void log_backup(const engine::Result<cluster::BackupMade>& made) {
  if (!made) return spdlog::error("backup failed: {}", made.error().message);
  spdlog::info("backup {}: log record {}, {} files, {:.1f} MiB linked, {:.1f} MiB copied, {} ms",
               absolute(made->backup.path), made->lsn, made->size.files,
               static_cast<double>(made->size.linked_bytes) / kMiB,
               static_cast<double>(made->size.copied_bytes) / kMiB, made->took.count());
  if (!made->remark.empty()) spdlog::warn("{}", made->remark);
}

// An existing folder keeps its own, and the option shows what is true.
void show_sharding(Config& config, const cluster::Store& store) {
  const std::size_t shards = store.shards().size();
  const std::string sharding = store.placement().is_ring() ? "ring" : "range";
  spdlog::info("{} shard{}, sharding {}", shards, shards == 1 ? "" : "s", sharding);
  if (config.text(Option::sharding) == sharding) return;
  spdlog::warn("option 'sharding': the folder was made with {}, and keeps it", sharding);
  std::string problem;
  config.assign(Option::sharding, *parse_option(option_spec(Option::sharding), sharding, problem));
}

// Certificates and all that is said about TLS are tried before they are taken. Waits for the disk.
std::optional<Config::Objection> try_tls_settings(const Config::Changes& changes, Server& server) {
  const auto changed =
      std::ranges::find_if(changes, [](const auto& change) { return tls::is_tls_setting(change.first); });
  if (changed == changes.end() || server.tls_context() == nullptr) return std::nullopt;
  std::string problem;
  auto context = tls::Context::make(tls::settings_of(server.config(), changes), problem);
  if (context == nullptr) {
    spdlog::error("TLS is left as it was: {}", problem);
    return Config::Objection{changed->first, "Unable to update TLS configuration. Check server logs."};
  }
  server.set_tls_context(std::move(context));
  return std::nullopt;
}

void apply_change(Option option, Server& server) {
  const Config& config = server.config();
  if (option == Option::appendfsync) server.store().log().set_sync_mode(sync_mode_of(config));
  if (option == Option::requirepass) server.users().set_default_password(config.text(Option::requirepass));
  server.metering().apply_options();
  if (option == Option::loglevel) set_log_level(config.number(Option::loglevel));
  server.splitter().set_limits(split_limits(config));
  server.store().backups().set_kept(static_cast<std::size_t>(config.number(Option::backups_keep)));
  spdlog::info("option {} changed{}", option_spec(option).name,
               option_spec(option).secret ? "" : " to " + config.text(option));
}

// Users from the configuration or from the ACL file, which must be sound: who is missing could not log in,
// who may do too much could do harm. Empty, or what is wrong.
std::string load_users(Server& server) {
  const Config& config = server.config();
  acl::Users& users = server.users();
  const bool channels_by_default = config.text(Option::acl_pubsub_default) == "allchannels";
  if (const std::string password = config.text(Option::requirepass); !password.empty()) {
    users.set_default_password(password);
  }
  acl::Users::Definitions definitions = config.users();
  if (const std::string path = config.text(Option::aclfile); !path.empty()) {
    std::string errors;
    const auto contents = acl::read_file(path, errors);
    auto parsed = contents ? acl::parse_file(*contents, path, channels_by_default, errors) : std::nullopt;
    if (!parsed) return fmt::format("option 'aclfile': {}", errors);
    definitions = std::move(*parsed);
  } else {
    definitions.try_emplace(std::string{acl::kDefaultUser}, *users.rules_of(*users.default_user()));
  }
  for (const auto& [name, rules] : definitions) {
    if (!rules.enabled()) spdlog::warn("user '{}' is disabled: its rules do not say 'on'", name);
  }
  users.replace_all(std::move(definitions), channels_by_default);
  return {};
}

// The threads, from the first client to the last.
class Service {
 public:
  Service(Server& server, const Config& config) : server_(server), config_(config) {
    for (unsigned index = 0; index < server.thread_count(); ++index) {
      threads_.push_back(std::make_unique<IoThread>(index, server));
    }
    signals_.emplace(threads_.front()->context(), SIGINT, SIGTERM);
    server_.on_shutdown_request([this, mailbox = threads_.front()->mailbox()] {
      mailbox->post([this](IoThread&) { stop("SHUTDOWN"); });
    });
  }

  ~Service() {
    for (const auto& listener : listeners_) listener->close();
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  engine::Status bind() {
    auto listeners = bind_listeners(config_, threads_);
    if (!listeners) return listeners.error();
    listeners_ = std::move(*listeners);
    return {};
  }

  engine::Status listen() {
    for (const auto& listener : listeners_) {
      auto listening = listener->listen(static_cast<int>(config_.number(Option::tcp_backlog)));
      if (!listening) return listening;
      spdlog::info("listening on {}{}", listener->name(), listener->is_tls() ? " for TLS" : "");
    }
    const std::int64_t port = config_.number(Option::port);
    server_.set_port(static_cast<unsigned>(port != 0 ? port : config_.number(Option::tls_port)));
    return {};
  }

  // Returns when the last connection is gone.
  void serve() {
    wait_for_signal();
    std::vector<std::jthread> others;
    for (std::size_t index = 1; index < threads_.size(); ++index) {
      others.emplace_back([this, index] { threads_[index]->run(); });
    }
    threads_.front()->run();
  }

 private:
  void wait_for_signal() {
    signals_->async_wait([this](boost::system::error_code cancelled, int signal) {
      if (cancelled) return;
      if (stopping_) {
        spdlog::warn("second signal: leaving at once");
        std::_Exit(1);
      }
      stop(signal == SIGINT ? "SIGINT" : "SIGTERM");
      wait_for_signal();
    });
  }

  void stop(std::string_view why) {
    if (stopping_) return;
    stopping_ = true;
    spdlog::info("{}: stopping, {} clients connected", why, server_.clients().count());
    for (const auto& listener : listeners_) listener->close();
    for (const auto& thread : threads_) thread->stop(kStopGrace);
  }

  Server& server_;
  const Config& config_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::optional<boost::asio::signal_set> signals_;
  bool stopping_ = false;  // on the first thread
};

struct StartFacts {
  std::string config_file;
  std::int64_t client_cap;
  std::string node_id;  // in a cluster, else empty
  steady_clock::time_point started;
};

// From an open store to the last connection.
int serve(Config& config, cluster::Store& store, engine::Background& background, const MemoryBudget& budget,
          const StartFacts& facts) {
  Server server{config, store, background, budget, resolve_resources(config).threads};
  server.set_config_file(facts.config_file);
  server.set_client_cap(facts.client_cap);
  if (const std::string problem = load_users(server); !problem.empty()) return fail(problem);
  if (config.number(Option::tls_port) != 0) {
    std::string problem;
    server.set_tls_context(tls::Context::make(tls::settings_of(config), problem));
    if (!problem.empty()) return fail(problem);
  }
  server.set_node_id(facts.node_id);
  Service service{server, config};
  if (const auto bound = service.bind(); !bound) return fail(bound.error().message);
  if (const auto listening = service.listen(); !listening) return fail(listening.error().message);
  config.before_change(
      [&server](const Config::Changes& changes) { return try_tls_settings(changes, server); });
  config.on_change([&server](Option option) { apply_change(option, server); });
  const std::string folder = config.text(Option::dir);
  write_running_address(folder, configured_address(config));
  spdlog::info("Ready to accept connections, {} ms after the start", milliseconds_since(facts.started));
  store.history().on_event(log_event);
  store.backups().on_end(log_backup);
  if (const std::string problem = store.backups().status().last_error; !problem.empty()) {
    spdlog::warn("backups: {}", problem);
  }
  store.expirer().on_expired(
      [&server](unsigned database, BytesView key) { tell_of_expired_key(server, database, key); });
  store.expirer().on_hold([&server](std::chrono::nanoseconds held) {
    server.metering().note_event(latency_event::kExpireCycle, held);
  });
  server.splitter().start();
  service.serve();
  store.expirer().on_expired({});  // waits for a round that is going on
  store.expirer().on_hold({});
  remove_running_address(folder);
  config.before_change({});
  config.on_change({});
  return 0;
}

}  // namespace

std::string_view shale_version() { return SHALE_VERSION; }

Resources resolve_resources(const Config& config) {
  const MachineLimits machine = read_machine_limits();
  const auto threads = static_cast<unsigned>(config.number(Option::threads));
  // One core is left to flushes, compactions and whoever else there is: with a thread for every core, clients
  // wait for background work, and for each other's locks (docs/benchmarks.md).
  return {threads != 0 ? threads : std::max(machine.cores, 2u) - 1,
          resolve_memory(config.number(Option::memory), machine.memory_bytes)};
}

int run_server(Config& config, const std::string& config_file, const std::string& warning) {
  const auto started = steady_clock::now();
  if (!set_up_logging(config.text(Option::logfile), config.number(Option::loglevel))) {
    fmt::print(stderr, "shale-server: option 'logfile': cannot write '{}'\n", config.text(Option::logfile));
    return 1;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  // Until there is somebody to stop in order, there is nothing to lose: the folder is as safe as after a
  // crash.
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { ::_exit(0); });

  const Resources resources = resolve_resources(config);
  const auto budget = divide_memory(resources.memory_bytes);
  if (!budget) {
    return fail(fmt::format("option 'memory': {:.0f} MiB are too little, the least is {:.0f} MiB",
                            static_cast<double>(resources.memory_bytes) / kMiB,
                            static_cast<double>(kMemoryBytesMin) / kMiB));
  }
  spdlog::info("Shale {}, process {}, configuration {}", shale_version(), ::getpid(),
               config_file.empty() ? "from defaults, environment and arguments" : config_file);
  if (!warning.empty()) spdlog::warn("{}", warning);
  const std::int64_t client_cap = cap_clients(config, *budget);

  const std::string folder = config.text(Option::dir);
  spdlog::info("folder {}, {} thread{}, {:.0f} MiB of memory, appendfsync {}", absolute(folder),
               resources.threads, resources.threads == 1 ? "" : "s",
               static_cast<double>(budget->total) / kMiB, config.text(Option::appendfsync));

  const auto files = engine::make_posix_file_system();
  const auto clock = engine::make_system_clock();
  const auto background = engine::make_thread_background(std::clamp(2 * resources.threads, 4u, 16u),
                                                         std::clamp(resources.threads, 2u, 8u));
  cluster::StoreRecovery recovery;
  const auto opening = steady_clock::now();
  auto store = cluster::Store::open(*files, *background, *clock, store_options(config, *budget), recovery);
  if (!store) return fail(store.error().message);
  log_recovery(recovery, milliseconds_since(opening));
  show_sharding(config, **store);

  std::string node_id;
  if (config.enabled(Option::cluster_enabled)) {
    // Slots are runs of storage on the ring only.
    if (!(*store)->placement().is_ring()) {
      return fail("option 'cluster-enabled': 'yes' needs a folder whose sharding is ring");
    }
    auto kept = load_node_id(*files, folder);
    if (!kept) return fail(kept.error().message);
    node_id = std::move(*kept);
    spdlog::info("a cluster of this one node, {}", node_id);
  }
  const int exit_code =
      serve(config, **store, *background, *budget, {absolute(config_file), client_cap, node_id, started});
  // What clients wait for is of no use to anybody now.
  background->stop();
  const auto closing = steady_clock::now();
  store->reset();
  spdlog::info("log synced and closed in {} ms; bye", milliseconds_since(closing));
  return exit_code;
}

}  // namespace shale::server
