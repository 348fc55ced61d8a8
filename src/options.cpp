#include "src/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "protocol/inline_request.h"
#include "src/key_events.h"
#include "src/output_limits.h"

namespace shale::server {
namespace {

using namespace std::string_view_literals;

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

constexpr std::array kSyncChoices = {"always"sv, "everysec"sv, "no"sv};
constexpr std::array kEngineChoices = {"lsm"sv, "btree"sv};
constexpr std::array kShardingChoices = {"ring"sv, "range"sv};
constexpr std::array kCompactionChoices = {"adaptive"sv, "leveled"sv, "tiered"sv};
constexpr std::array kCompressionChoices = {"none"sv, "lz4"sv, "zstd"sv};
constexpr std::array kLogLevelChoices = {"debug"sv, "verbose"sv, "notice"sv, "warning"sv};
constexpr std::array kChannelChoices = {"resetchannels"sv, "allchannels"sv};
constexpr std::array kAuthClientsChoices = {"no"sv, "yes"sv, "optional"sv};
constexpr std::array kNoChoice = {"no"sv};

constexpr OptionSpec kOptions[] = {
    {.name = "port",
     .default_value = "6379",
     .kind = OptionKind::integer,
     .takes = "a number from 0 to 65535 (0: no TCP)",
     .reason = "TCP port to listen on",
     .most = 65535},
    {.name = "bind",
     .default_value = "127.0.0.1 -::1",
     .kind = OptionKind::words,
     .takes =
         "addresses, '*' for all of IPv4, '::*' for all of IPv6; one that begins with '-' may be missing",
     .reason = "addresses to listen on; the default is reachable from this machine only"},
    {.name = "unixsocket",
     .default_value = "",
     .kind = OptionKind::text,
     .takes = "a path, or nothing",
     .reason = "Unix socket to listen on as well"},
    {.name = "unixsocketperm",
     .default_value = "0",
     .kind = OptionKind::octal,
     .takes = "file permissions in octal, such as 770 (0: as umask has it)",
     .reason = "who may use the Unix socket",
     .most = 0777},
    {.name = "tcp-backlog",
     .default_value = "511",
     .kind = OptionKind::integer,
     .takes = "a number from 1 to 65535",
     .reason = "connections the kernel keeps waiting to be accepted",
     .least = 1,
     .most = 65535},
    {.name = "tcp-keepalive",
     .default_value = "300",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "seconds (0: off)",
     .reason = "how soon a client whose machine has vanished is noticed; for new connections",
     .most = 32767},
    {.name = "tcp-nodelay",
     .default_value = "yes",
     .kind = OptionKind::boolean,
     .takes = "yes or no",
     .reason = "send replies at once; 'no' lets the kernel collect small ones at the price of latency"},
    {.name = "timeout",
     .default_value = "0",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "seconds (0: never)",
     .reason = "close clients that have been idle for so long",
     .most = 31536000},
    {.name = "maxclients",
     .default_value = "10000",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "a number from 1 to 1000000",
     .reason = "clients at a time; less if the process may not open so many files, or 'memory' is small",
     .least = 1,
     .most = 1000000},
    {.name = "protected-mode",
     .default_value = "yes",
     .kind = OptionKind::boolean,
     .changeable = true,
     .takes = "yes or no",
     .reason = "without a password, serve this machine's own clients only"},
    {.name = "requirepass",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .secret = true,
     .takes = "a password, or nothing",
     .reason = "clients must AUTH with it, unless they name another user: the default user's password"},
    {.name = "aclfile",
     .default_value = "",
     .kind = OptionKind::text,
     .takes = "a path, or nothing",
     .reason = "file of users and their rules, read at the start and by ACL LOAD, written by ACL SAVE"},
    {.name = "acllog-max-len",
     .default_value = "128",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "a number up to 100000",
     .reason = "refusals that ACL LOG remembers",
     .most = 100000},
    {.name = "acl-pubsub-default",
     .default_value = "resetchannels",
     .kind = OptionKind::choice,
     .changeable = true,
     .takes = "resetchannels or allchannels",
     .reason = "whether new users may use no channel of pub/sub, or every one",
     .choices = kChannelChoices},
    {.name = "tls-port",
     .default_value = "0",
     .kind = OptionKind::integer,
     .takes = "a number from 0 to 65535 (0: no TLS)",
     .reason = "TCP port on which clients have to speak TLS",
     .most = 65535},
    {.name = "tls-cert-file",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .takes = "a path, or nothing",
     .reason = "the server's certificate, with those that lead to its authority, in PEM form"},
    {.name = "tls-key-file",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .takes = "a path, or nothing",
     .reason = "the private key of that certificate, in PEM form"},
    {.name = "tls-key-file-pass",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .secret = true,
     .takes = "a password, or nothing",
     .reason = "what the private key is encrypted with"},
    {.name = "tls-ca-cert-file",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .takes = "a path, or nothing",
     .reason = "certificates of the authorities that clients' certificates are checked against, in PEM form"},
    {.name = "tls-ca-cert-dir",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .takes = "a path, or nothing",
     .reason = "folder of such certificates, prepared with 'openssl rehash'"},
    {.name = "tls-auth-clients",
     .default_value = "yes",
     .kind = OptionKind::choice,
     .changeable = true,
     .takes = "yes, no or optional",
     .reason = "whether clients on the TLS port must show a certificate; optional: a wrong one is refused, "
               "none is not",
     .choices = kAuthClientsChoices},
    {.name = "tls-protocols",
     .default_value = "",
     .kind = OptionKind::words,
     .changeable = true,
     .takes = "TLSv1.2, TLSv1.3, or both (empty: both)",
     .reason = "versions of TLS that clients may speak"},
    {.name = "tls-ciphers",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .takes = "a list as of 'openssl ciphers' (empty: OpenSSL's)",
     .reason = "ciphers for TLSv1.2"},
    {.name = "tls-ciphersuites",
     .default_value = "",
     .kind = OptionKind::text,
     .changeable = true,
     .takes = "names of suites, separated by colons (empty: OpenSSL's)",
     .reason = "cipher suites for TLSv1.3"},
    {.name = "tls-prefer-server-ciphers",
     .default_value = "no",
     .kind = OptionKind::boolean,
     .changeable = true,
     .takes = "yes or no",
     .reason = "choose ciphers in the server's order of preference, not in the client's"},
    {.name = "proto-max-bulk-len",
     .default_value = "512mb",
     .kind = OptionKind::size,
     .changeable = true,
     .takes = "a size from 1mb",
     .reason = "longest value or other argument that is taken; what is no value, never more than half of the "
               "connections' share of 'memory'",
     .least = kMiB,
     .most = kNoLimit},
    {.name = "client-query-buffer-limit",
     .default_value = "1gb",
     .kind = OptionKind::size,
     .changeable = true,
     .takes = "a size from 1mb",
     .reason = "longest request that is taken, without values of 1 MiB and more; never more than the "
               "connections' share of 'memory'",
     .least = kMiB,
     .most = kNoLimit},
    {.name = "output-buffer-max",
     .default_value = "64mb",
     .kind = OptionKind::size,
     .changeable = true,
     .takes = "a size from 64kb",
     .reason =
         "replies a client may leave unread before its next requests wait; never more than a quarter of the "
         "connections' share of 'memory'",
     .least = 64 << 10,
     .most = kNoLimit},
    {.name = "client-output-buffer-limit",
     .default_value = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
     .kind = OptionKind::output_limits,
     .changeable = true,
     .takes =
         "'<class> <hard limit> <soft limit> <soft seconds>' for normal, replica or pubsub, or for several",
     .reason = "what may wait to be sent to a client before it is disconnected; 0: no limit"},
    {.name = "tracking-table-max-keys",
     .default_value = "1000000",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "a number (0: as many as a quarter of the connections' share of 'memory' holds)",
     .reason = "keys that are remembered for clients that track what they cache",
     .most = kNoLimit},
    {.name = "notify-keyspace-events",
     .default_value = "",
     .kind = OptionKind::key_events,
     .changeable = true,
     .takes = "letters of Ag$lshzxeKEtmdn, or nothing",
     .reason = "which changes of keys are published, and where: K by key, E by event"},
    {.name = "dir",
     .default_value = "./data",
     .kind = OptionKind::text,
     .takes = "a path",
     .reason = "folder that holds the data; created if it is missing"},
    {.name = "appendfsync",
     .default_value = "everysec",
     .kind = OptionKind::choice,
     .changeable = true,
     .takes = "always, everysec or no",
     .reason =
         "when a write survives the loss of the machine: before its reply, within a second, when the kernel "
         "likes; none loses an acknowledged write if only the process dies",
     .choices = kSyncChoices},
    {.name = "databases",
     .default_value = "16",
     .kind = OptionKind::integer,
     .takes = "a number from 1 to 16",
     .reason = "databases that SELECT reaches",
     .least = 1,
     .most = 16},
    {.name = "engine",
     .default_value = "lsm",
     .kind = OptionKind::choice,
     .takes = "lsm or btree",
     .reason = "how the shards of a new folder store their data",
     .choices = kEngineChoices},
    {.name = "sharding",
     .default_value = "ring",
     .kind = OptionKind::choice,
     .takes = "ring or range",
     .reason = "what decides where a key lives, in a new folder: its hash, or its place in the order of keys",
     .choices = kShardingChoices},
    {.name = "split-points",
     .default_value = "",
     .kind = OptionKind::keys,
     .takes = "up to 1023 different keys, quoted where they hold blanks or binary",
     .reason =
         "where the second, third ... shard of a new folder begins, in database 0; for sharding = range",
     .most = 1023},
    {.name = "shards",
     .default_value = "8",
     .kind = OptionKind::integer,
     .takes = "a number from 1 to 1024",
     .reason = "shards of a new folder's ring; a few per thread keep them from waiting for each other",
     .least = 1,
     .most = 1024},
    {.name = "virtual-nodes",
     .default_value = "150",
     .kind = OptionKind::integer,
     .takes = "a number from 1 to 1024",
     .reason = "places of each shard on a new folder's ring; more make the shards' shares more even",
     .least = 1,
     .most = 1024},
    {.name = "auto-split",
     .default_value = "yes",
     .kind = OptionKind::boolean,
     .changeable = true,
     .takes = "yes or no",
     .reason = "split shards that are too large or too hot, and merge the pieces when they are cold"},
    {.name = "shard-max-bytes",
     .default_value = "10gb",
     .kind = OptionKind::size,
     .changeable = true,
     .takes = "a size (0: no limit)",
     .reason = "a shard that is larger on disk is split",
     .most = kNoLimit},
    {.name = "shard-max-read-rate",
     .default_value = "100000",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "4 KiB units a second (0: no limit)",
     .reason = "a shard that is read more, in 8 of 10 seconds, is split if that halves the load",
     .most = kNoLimit},
    {.name = "shard-max-write-rate",
     .default_value = "50000",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "1 KiB units a second (0: no limit)",
     .reason = "a shard that is written more, in 8 of 10 seconds, is split if that halves the load",
     .most = kNoLimit},
    {.name = "shard-max-heat",
     .default_value = "25",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "percent of a core (0: no limit)",
     .reason = "a shard that keeps its lock longer, in 8 of 10 seconds, is split if that halves the load",
     .most = 100},
    {.name = "shards-max",
     .default_value = "64",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "a number from 1 to 4096",
     .reason = "no shard is split by itself while there are so many",
     .least = 1,
     .most = 4096},
    {.name = "shard-cool-down",
     .default_value = "30",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "seconds",
     .reason = "how long a shard that was changed is left as it is",
     .most = 86400},
    {.name = "shard-merge-after",
     .default_value = "600",
     .kind = OptionKind::integer,
     .changeable = true,
     .takes = "seconds (0: never)",
     .reason = "pieces of an automatic split are merged when they have been cold for so long",
     .most = 31536000},
    {.name = "memory",
     .default_value = "0",
     .kind = OptionKind::share,
     .takes = "a size from 32mb, a share such as 60%, or 0 for half of what machine and container allow",
     .reason = "what the process may use in all: memtables, caches, connections; data beyond it is on disk"},
    {.name = "log-max-size",
     .default_value = "1gb",
     .kind = OptionKind::size,
     .takes = "a size from 64mb",
     .reason = "log on disk before the oldest data in memory is flushed; a restart reads at most this much",
     .least = 64 * kMiB,
     .most = kNoLimit},
    {.name = "compression",
     .default_value = "lz4",
     .kind = OptionKind::choice,
     .takes = "none, lz4 or zstd",
     .reason = "how blocks are stored that have been compacted once; zstd is smaller and slower than lz4",
     .choices = kCompressionChoices},
    {.name = "value-separation",
     .default_value = "4096",
     .kind = OptionKind::size,
     .takes = "a size up to 1gb (0: never)",
     .reason = "values from this size on are kept in files of their own, which compaction leaves alone",
     .most = 1024 * kMiB},
    {.name = "compaction",
     .default_value = "adaptive",
     .kind = OptionKind::choice,
     .takes = "adaptive, leveled or tiered",
     .reason = "what tables are merged into: for reads, for writes, or as measured",
     .choices = kCompactionChoices},
    {.name = "compaction-idle-rate",
     .default_value = "32mb",
     .kind = OptionKind::size,
     .takes = "a size (0: as fast as the disk allows)",
     .reason = "bytes a second that compaction reads and writes while nobody writes",
     .most = kNoLimit},
    {.name = "deletion-age-max",
     .default_value = "3600",
     .kind = OptionKind::integer,
     .takes = "seconds, up to 31536000 (0: no bound)",
     .reason = "how long deleted and expired bytes may stay on disk while the server runs",
     .most = 31536000},
    {.name = "btree-node-min",
     .default_value = "4kb",
     .kind = OptionKind::size,
     .takes = "a size from 1kb to 1mb",
     .reason = "leaves of B+ trees, which follow the workload, aim at no less than this",
     .least = 1 << 10,
     .most = kMiB},
    {.name = "btree-node-max",
     .default_value = "64kb",
     .kind = OptionKind::size,
     .takes = "a size from 1kb to 1mb; less than btree-node-min counts as that",
     .reason = "leaves of B+ trees, which follow the workload, aim at no more than this",
     .least = 1 << 10,
     .most = kMiB},
    {.name = "threads",
     .default_value = "0",
     .kind = OptionKind::integer,
     .takes = "a number from 1 to 256, or 0 for one less than the cores that the machine or container gives",
     .reason = "threads that serve clients",
     .most = 256},
    {.name = "loglevel",
     .default_value = "notice",
     .kind = OptionKind::choice,
     .changeable = true,
     .takes = "debug, verbose, notice or warning",
     .reason = "how much is logged",
     .choices = kLogLevelChoices},
    {.name = "logfile",
     .default_value = "",
     .kind = OptionKind::text,
     .takes = "a path, or nothing for stdout",
     .reason = "where the log goes"},
    {.name = "daemonize",
     .default_value = "no",
     .kind = OptionKind::choice,
     .takes = "no",
     .reason = "stays in the foreground: systemd, a container or '&' do the rest",
     .choices = kNoChoice,
     .refused_choice = "yes",
     .refusal = "shale-server stays in the foreground; use systemd, a container or '&'"},
};
static_assert(std::size(kOptions) == kOptionCount);
static_assert(kOptions[static_cast<std::size_t>(Option::dir)].name == "dir");
static_assert(kOptions[static_cast<std::size_t>(Option::threads)].name == "threads");

using enum ForeignTreatment;

// Those that need more than being named.
constexpr ForeignOption kForeignWithHints[] = {
    {"appendonly", ignored, "", "every write is logged; see appendfsync"},
    {"cluster-enabled", refused, "no", "Redis Cluster's protocol is not available yet"},
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
    "cluster-announce-ip",
    "cluster-announce-port",
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
    "latency-monitor-threshold",
    "latency-tracking",
    "latency-tracking-info-percentiles",
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
    "slowlog-log-slower-than",
    "slowlog-max-len",
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
    {"appendonly", "yes"},        {"cluster-enabled", "no"},
    {"maxmemory", "0"},           {"maxmemory-policy", "noeviction"},
    {"replica-read-only", "yes"}, {"save", ""},
};

std::string lower_case(std::string_view text) {
  std::string lower{text};
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::int64_t> parse_percentage(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto percentage = parse_number<std::int64_t>(text.substr(0, text.size() - 1));
  if (!percentage || *percentage < 1 || *percentage > 100) return std::nullopt;
  return percentage;
}

std::string quoted_key(std::string_view key) {
  const auto is_plain = [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\'; };
  if (!key.empty() && std::ranges::all_of(key, is_plain)) return std::string{key};
  std::string text{'"'};
  for (const char c : key) {
    if (is_plain(c) || c == ' ') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text + '"';
}

// Sorted, each once, none of them empty: an empty one is before all others.
std::optional<OptionValue> parse_keys(const OptionSpec& spec, std::string_view text, std::string& problem) {
  auto keys = split_keys(text);
  if (!keys) {
    problem = "quotes are not balanced";
    return std::nullopt;
  }
  std::ranges::sort(*keys);
  if (const auto twice = std::ranges::adjacent_find(*keys); twice != keys->end()) {
    problem = fmt::format("{} is there twice", quoted_key(*twice));
    return std::nullopt;
  }
  if (!keys->empty() && keys->front().empty()) problem = "no key is before the empty one";
  if (std::ssize(*keys) > spec.most) problem = fmt::format("these are {}", keys->size());
  if (!problem.empty()) return std::nullopt;
  return OptionValue{join_keys(*keys), std::ssize(*keys)};
}

}  // namespace

std::span<const OptionSpec, kOptionCount> all_options() { return kOptions; }

const OptionSpec& option_spec(Option option) { return kOptions[static_cast<std::size_t>(option)]; }

std::optional<Option> find_option(std::string_view name) {
  const std::string lower = lower_case(name);
  for (std::size_t index = 0; index < kOptionCount; ++index) {
    if (kOptions[index].name == lower) return static_cast<Option>(index);
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"", 1},         {"b", 1},     {"k", 1000},         {"kb", 1024},
      {"m", 1000'000}, {"mb", kMiB}, {"g", 1000'000'000}, {"gb", 1024 * kMiB},
  };
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_number<std::int64_t>(text.substr(0, digits));
  const std::string unit = lower_case(text.substr(digits));
  for (const auto& [name, bytes] : kUnits) {
    if (unit == name)
      return count && *count <= kNoLimit / bytes ? std::optional{*count * bytes} : std::nullopt;
  }
  return std::nullopt;
}

std::optional<OptionValue> parse_option(const OptionSpec& spec, std::string_view text, std::string& problem) {
  const auto within_limits = [&](std::optional<std::int64_t> number) -> std::optional<OptionValue> {
    if (!number || *number < spec.least || *number > spec.most) return std::nullopt;
    return OptionValue{std::to_string(*number), *number};
  };
  switch (spec.kind) {
    case OptionKind::integer: return within_limits(parse_number<std::int64_t>(text));
    case OptionKind::size: return within_limits(parse_size(text));
    case OptionKind::octal: {
      auto value = within_limits(parse_number<std::int64_t>(text, 8));
      if (value) value->text = fmt::format("{:o}", value->number);
      return value;
    }
    case OptionKind::share: {
      if (const auto percentage = parse_percentage(text)) return OptionValue{std::string{text}, -*percentage};
      const auto bytes = parse_size(text);
      if (!bytes) return std::nullopt;
      return OptionValue{lower_case(text), *bytes};
    }
    case OptionKind::boolean: {
      const std::string lower = lower_case(text);
      if (lower != "yes" && lower != "no") return std::nullopt;
      return OptionValue{lower, lower == "yes" ? 1 : 0};
    }
    case OptionKind::choice: {
      const std::string lower = lower_case(text);
      if (!spec.refused_choice.empty() && lower == spec.refused_choice) problem = spec.refusal;
      const auto found = std::ranges::find(spec.choices, lower);
      if (found == spec.choices.end()) return std::nullopt;
      return OptionValue{lower, found - spec.choices.begin()};
    }
    case OptionKind::key_events: {
      const auto classes = parse_key_event_classes(text);
      if (!classes) return std::nullopt;
      return OptionValue{format_key_event_classes(*classes), *classes};
    }
    case OptionKind::output_limits: {
      if (!parse_output_limits(text, {}, problem)) return std::nullopt;
      return OptionValue{std::string{text}, 0};
    }
    case OptionKind::keys: return parse_keys(spec, text, problem);
    case OptionKind::text:
    case OptionKind::words: return OptionValue{std::string{text}, 0};
  }
  return std::nullopt;
}

std::string join_keys(std::span<const std::string> keys) {
  std::string text;
  for (const std::string& key : keys) {
    if (!text.empty()) text += ' ';
    text += quoted_key(key);
  }
  return text;
}

std::optional<std::vector<std::string>> split_keys(std::string_view text) {
  protocol::InlineStorage storage;
  std::vector<std::string_view> words;
  if (!protocol::split_inline(text, storage, words)) return std::nullopt;
  return std::vector<std::string>(words.begin(), words.end());
}

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
