// Redis's options that this server does not have: what a redis.conf may hold, and what CONFIG GET says of
// them.
#include <algorithm>
#include <string>

#include "src/command/arguments.h"
#include "src/options.h"

namespace shale::server {
namespace {

using enum ForeignTreatment;

// With Redis 7.4's defaults, or, where those would not be true here, with what is. No value: names of older
// versions, and what is no option to CONFIG GET.
constexpr ForeignOption kForeignOptions[] = {
    {"active-defrag-cycle-max", "25"},
    {"active-defrag-cycle-min", "1"},
    {"active-defrag-ignore-bytes", "104857600"},
    {"active-defrag-max-scan-fields", "1000"},
    {"active-defrag-threshold-lower", "10"},
    {"active-defrag-threshold-upper", "100"},
    {"active-expire-effort", "1"},
    {"activedefrag", "no"},
    {"activerehashing", "yes"},
    {"always-show-logo", "no"},
    {"aof-disable-auto-gc", "no"},
    {"aof-load-truncated", "yes"},
    {"aof-rewrite-incremental-fsync", "yes"},
    {"aof-timestamp-enabled", "no"},
    {"aof-use-rdb-preamble", "yes"},
    {"aof_rewrite_cpulist", ""},
    {"appenddirname", "appendonlydir"},
    {"appendfilename", "appendonly.aof"},
    {"appendonly", "yes", fixed, "every write is logged; see appendfsync"},
    {"auto-aof-rewrite-min-size", "67108864"},
    {"auto-aof-rewrite-percentage", "100"},
    {"bgsave_cpulist", ""},
    {"bind-source-addr", ""},
    {"bio_cpulist", ""},
    {"busy-reply-threshold", "5000"},
    {"close-on-replica-write", "yes"},
    {"cluster-allow-pubsubshard-when-down", "yes"},
    {"cluster-allow-reads-when-down", "no"},
    {"cluster-allow-replica-migration", "yes"},
    {"cluster-announce-bus-port", "0"},
    {"cluster-announce-hostname", ""},
    {"cluster-announce-human-nodename", ""},
    {"cluster-announce-tls-port", "0"},
    {"cluster-config-file", "nodes.conf"},
    {"cluster-link-sendbuf-limit", "0"},
    {"cluster-migration-barrier", "1"},
    {"cluster-node-timeout", "15000"},
    {"cluster-ping-interval", "1000"},
    {"cluster-port", "0"},
    {"cluster-preferred-endpoint-type", "ip"},
    {"cluster-replica-no-failover", "no"},
    {"cluster-replica-validity-factor", "10"},
    {"cluster-require-full-coverage", "yes", fixed},
    {"cluster-slave-no-failover", "no"},
    {"cluster-slave-validity-factor", "10"},
    {"crash-log-enabled", "yes"},
    {"crash-memcheck-enabled", "yes"},
    {"dbfilename", "dump.rdb"},
    {"disable-thp", "yes"},
    {"dynamic-hz", "yes"},
    {"enable-debug-command", "yes", fixed},
    {"enable-module-command", "no", fixed},
    {"enable-protected-configs", "no", fixed},
    {"gopher-enabled", {}},
    {"hash-max-listpack-entries", "512"},
    {"hash-max-listpack-value", "64"},
    {"hash-max-ziplist-entries", "512"},
    {"hash-max-ziplist-value", "64"},
    {"hide-user-data-from-log", "no"},
    {"hz", "10"},
    {"ignore-warnings", ""},
    {"include", {}, refused, "put all options into one file"},
    {"io-threads", "1", ignored, "see threads"},
    {"io-threads-do-reads", "no"},
    {"jemalloc-bg-thread", "yes"},
    {"key-load-delay", "0"},
    {"lazyfree-lazy-eviction", "no"},
    {"lazyfree-lazy-expire", "no"},
    {"lazyfree-lazy-server-del", "no"},
    {"lazyfree-lazy-user-del", "no"},
    {"lazyfree-lazy-user-flush", "no"},
    {"lfu-decay-time", "1"},
    {"lfu-log-factor", "10"},
    {"list-compress-depth", "0"},
    {"list-max-listpack-size", "-2"},
    {"list-max-ziplist-size", "-2"},
    {"loading-process-events-interval-bytes", "2097152"},
    {"loadmodule", {}, refused, "modules are not available"},
    {"locale-collate", ""},
    {"lua-replicate-commands", {}},
    {"lua-time-limit", "5000"},
    {"masterauth", ""},
    {"masteruser", ""},
    {"max-new-connections-per-cycle", "10"},
    {"max-new-tls-connections-per-cycle", "1"},
    {"maxmemory", "0", fixed, "nothing is evicted; what the process may use is the option 'memory'"},
    {"maxmemory-clients", "0", fixed},
    {"maxmemory-eviction-tenacity", "10"},
    {"maxmemory-policy", "noeviction", fixed},
    {"maxmemory-samples", "5"},
    {"min-replicas-max-lag", "10"},
    {"min-replicas-to-write", "0", refused, "replication is not available yet"},
    {"min-slaves-max-lag", "10"},
    {"min-slaves-to-write", "0", refused, "replication is not available yet"},
    {"no-appendfsync-on-rewrite", "no"},
    {"oom-score-adj", "no"},
    {"oom-score-adj-values", "0 200 800"},
    {"pidfile", ""},
    {"proc-title-template", "{title} {listen-addr} {server-mode}"},
    {"propagation-error-behavior", "ignore"},
    {"rdb-del-sync-files", "no"},
    {"rdb-key-save-delay", "0"},
    {"rdb-save-incremental-fsync", "yes"},
    {"rdbchecksum", "yes"},
    {"rdbcompression", "yes"},
    {"rename-command", {}, refused, "commands cannot be renamed"},
    {"repl-backlog-size", "1048576"},
    {"repl-backlog-ttl", "3600"},
    {"repl-disable-tcp-nodelay", "no"},
    {"repl-diskless-load", "disabled"},
    {"repl-diskless-sync", "yes"},
    {"repl-diskless-sync-delay", "5"},
    {"repl-diskless-sync-max-replicas", "0"},
    {"repl-diskless-sync-period", "0"},
    {"repl-ping-replica-period", "10"},
    {"repl-ping-slave-period", "10"},
    {"repl-timeout", "60"},
    {"replica-announce-ip", ""},
    {"replica-announce-port", "0"},
    {"replica-announced", "yes"},
    {"replica-ignore-disk-write-errors", "no"},
    {"replica-ignore-maxmemory", "yes"},
    {"replica-lazy-flush", "no"},
    {"replica-priority", "100"},
    {"replica-read-only", "yes", fixed},
    {"replica-serve-stale-data", "yes"},
    {"replicaof", "", refused, "replication is not available yet"},
    {"sanitize-dump-payload", "no"},
    {"save", "", fixed},
    {"sentinel", {}, refused, "Sentinel's options do not belong here"},
    {"server_cpulist", ""},
    {"set-max-intset-entries", "512"},
    {"set-max-listpack-entries", "128"},
    {"set-max-listpack-value", "64"},
    {"set-proc-title", "yes"},
    {"shutdown-on-sigint", "default"},
    {"shutdown-on-sigterm", "default"},
    {"shutdown-timeout", "10"},
    {"slave-announce-ip", ""},
    {"slave-announce-port", "0"},
    {"slave-ignore-maxmemory", "yes"},
    {"slave-lazy-flush", "no"},
    {"slave-priority", "100"},
    {"slave-read-only", "yes", fixed},
    {"slave-serve-stale-data", "yes"},
    {"slaveof", "", refused, "replication is not available yet"},
    {"socket-mark-id", "0"},
    {"stop-writes-on-bgsave-error", "yes"},
    {"stream-node-max-bytes", "4096"},
    {"stream-node-max-entries", "100"},
    {"supervised", "no"},
    {"syslog-enabled", "no"},
    {"syslog-facility", "local0"},
    {"syslog-ident", "redis"},
    {"tls-client-cert-file", ""},
    {"tls-client-key-file", ""},
    {"tls-client-key-file-pass", ""},
    {"tls-cluster", "no"},
    {"tls-dh-params-file", ""},
    {"tls-replication", "no"},
    {"tls-session-cache-size", "20480"},
    {"tls-session-cache-timeout", "300"},
    {"tls-session-caching", "yes"},
    {"use-exit-on-panic", "no"},
    {"watchdog-period", "0"},
    {"zset-max-listpack-entries", "128"},
    {"zset-max-listpack-value", "64"},
    {"zset-max-ziplist-entries", "128"},
    {"zset-max-ziplist-value", "64"},
};
static_assert(std::ranges::is_sorted(kForeignOptions, {}, &ForeignOption::name));

}  // namespace

std::span<const ForeignOption> foreign_options() { return kForeignOptions; }

const ForeignOption* find_foreign_option(std::string_view name) {
  const std::string lower = lower_case(name);
  const auto found =
      std::ranges::lower_bound(kForeignOptions, std::string_view{lower}, {}, &ForeignOption::name);
  return found != std::end(kForeignOptions) && found->name == lower ? found : nullptr;
}

std::string_view foreign_value_problem(const ForeignOption& option, std::string_view value) {
  const bool is_switch = option.value == "yes" || option.value == "no";
  if (is_switch && !equals_ignoring_case(value, "yes") && !equals_ignoring_case(value, "no"))
    return "argument must be 'yes' or 'no'";
  if (!is_switch && parse_size(option.value.starts_with('-') ? option.value.substr(1) : option.value) &&
      !parse_size(value.starts_with('-') ? value.substr(1) : value)) {
    return "argument couldn't be parsed into an integer";
  }
  constexpr std::size_t kBytesMax = 1024;
  return value.size() > kBytesMax ? "argument is too long" : std::string_view{};
}

}  // namespace shale::server
