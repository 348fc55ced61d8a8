// Redis's options that this server does not have: what a redis.conf may hold, and what CONFIG GET says of
// them.
#include <algorithm>
#include <array>

#include "src/command/arguments.h"
#include "src/options.h"

namespace shale::server {
namespace {

using enum ForeignTreatment;

// Those that need more than being named.
constexpr ForeignOption kForeignWithHints[] = {
    {"appendonly", ignored, "", "every write is logged; see appendfsync"},
    {"include", refused, {}, "put all options into one file"},
    {"io-threads", ignored, "", "see threads"},
    {"loadmodule", refused, {}, "modules are not available"},
    {"maxmemory", ignored, "", "nothing is evicted; what the process may use is the option 'memory'"},
    {"min-replicas-to-write", refused, "0", "replication is not available yet"},
    {"min-slaves-to-write", refused, "0", "replication is not available yet"},
    {"rename-command", refused, {}, "commands cannot be renamed"},
    {"replicaof", refused, "no one", "replication is not available yet"},
    {"slaveof", refused, "no one", "replication is not available yet"},
    {"sentinel", refused, {}, "Sentinel's options do not belong here"},
};

// The rest of what Redis 7.4 and its predecessors take.
constexpr std::string_view kForeignNames[] = {
    "active-defrag-cycle-max",
    "active-defrag-cycle-min",
    "active-defrag-ignore-bytes",
    "active-defrag-max-scan-fields",
    "active-defrag-threshold-lower",
    "active-defrag-threshold-upper",
    "active-expire-effort",
    "activedefrag",
    "activerehashing",
    "always-show-logo",
    "aof-disable-auto-gc",
    "aof-load-truncated",
    "aof-rewrite-incremental-fsync",
    "aof-timestamp-enabled",
    "aof-use-rdb-preamble",
    "aof_rewrite_cpulist",
    "appenddirname",
    "appendfilename",
    "auto-aof-rewrite-min-size",
    "auto-aof-rewrite-percentage",
    "bgsave_cpulist",
    "bind-source-addr",
    "bio_cpulist",
    "busy-reply-threshold",
    "close-on-replica-write",
    "cluster-allow-pubsubshard-when-down",
    "cluster-allow-reads-when-down",
    "cluster-allow-replica-migration",
    "cluster-announce-bus-port",
    "cluster-announce-hostname",
    "cluster-announce-human-nodename",
    "cluster-announce-tls-port",
    "cluster-config-file",
    "cluster-link-sendbuf-limit",
    "cluster-migration-barrier",
    "cluster-node-timeout",
    "cluster-ping-interval",
    "cluster-port",
    "cluster-preferred-endpoint-type",
    "cluster-replica-no-failover",
    "cluster-replica-validity-factor",
    "cluster-require-full-coverage",
    "cluster-slave-no-failover",
    "cluster-slave-validity-factor",
    "crash-log-enabled",
    "crash-memcheck-enabled",
    "dbfilename",
    "disable-thp",
    "dynamic-hz",
    "enable-debug-command",
    "enable-module-command",
    "enable-protected-configs",
    "gopher-enabled",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "hash-max-ziplist-entries",
    "hash-max-ziplist-value",
    "hide-user-data-from-log",
    "hll-sparse-max-bytes",
    "hz",
    "ignore-warnings",
    "io-threads-do-reads",
    "jemalloc-bg-thread",
    "key-load-delay",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "lfu-decay-time",
    "lfu-log-factor",
    "list-compress-depth",
    "list-max-listpack-size",
    "list-max-ziplist-size",
    "loading-process-events-interval-bytes",
    "locale-collate",
    "lua-replicate-commands",
    "lua-time-limit",
    "masterauth",
    "masteruser",
    "max-new-connections-per-cycle",
    "max-new-tls-connections-per-cycle",
    "maxmemory-clients",
    "maxmemory-eviction-tenacity",
    "maxmemory-policy",
    "maxmemory-samples",
    "min-replicas-max-lag",
    "min-slaves-max-lag",
    "no-appendfsync-on-rewrite",
    "oom-score-adj",
    "oom-score-adj-values",
    "pidfile",
    "proc-title-template",
    "propagation-error-behavior",
    "rdb-del-sync-files",
    "rdb-key-save-delay",
    "rdb-save-incremental-fsync",
    "rdbchecksum",
    "rdbcompression",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-disable-tcp-nodelay",
    "repl-diskless-load",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-diskless-sync-max-replicas",
    "repl-diskless-sync-period",
    "repl-ping-replica-period",
    "repl-ping-slave-period",
    "repl-timeout",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-announced",
    "replica-ignore-disk-write-errors",
    "replica-ignore-maxmemory",
    "replica-lazy-flush",
    "replica-priority",
    "replica-read-only",
    "replica-serve-stale-data",
    "sanitize-dump-payload",
    "save",
    "server_cpulist",
    "set-max-intset-entries",
    "set-max-listpack-entries",
    "set-max-listpack-value",
    "set-proc-title",
    "shutdown-on-sigint",
    "shutdown-on-sigterm",
    "shutdown-timeout",
    "slave-announce-ip",
    "slave-announce-port",
    "slave-ignore-maxmemory",
    "slave-lazy-flush",
    "slave-priority",
    "slave-read-only",
    "slave-serve-stale-data",
    "socket-mark-id",
    "stop-writes-on-bgsave-error",
    "stream-node-max-bytes",
    "stream-node-max-entries",
    "supervised",
    "syslog-enabled",
    "syslog-facility",
    "syslog-ident",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-cluster",
    "tls-dh-params-file",
    "tls-replication",
    "tls-session-cache-size",
    "tls-session-cache-timeout",
    "tls-session-caching",
    "use-exit-on-panic",
    "watchdog-period",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "zset-max-ziplist-entries",
    "zset-max-ziplist-value",
};
static_assert(std::ranges::is_sorted(kForeignNames));

constexpr FixedAnswer kFixedAnswers[] = {
    {"appendonly", "yes"},        {"maxmemory", "0"}, {"maxmemory-policy", "noeviction"},
    {"replica-read-only", "yes"}, {"save", ""},
};

}  // namespace

const ForeignOption* find_foreign_option(std::string_view name) {
  static constexpr auto kNamed = [] {
    std::array<ForeignOption, std::size(kForeignNames)> named;
    std::ranges::transform(kForeignNames, named.begin(),
                           [](std::string_view each) { return ForeignOption{each}; });
    return named;
  }();
  const std::string lower = lower_case(name);
  for (const ForeignOption& option : kForeignWithHints) {
    if (option.name == lower) return &option;
  }
  const auto found = std::ranges::lower_bound(kNamed, std::string_view{lower}, {}, &ForeignOption::name);
  return found != kNamed.end() && found->name == lower ? &*found : nullptr;
}

std::span<const FixedAnswer> fixed_answers() { return kFixedAnswers; }

}  // namespace shale::server
