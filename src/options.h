// Every option the server knows, as data: one row each (option_rows.cpp), from which reading, --help, CONFIG
// GET and SET, the commented default configuration and its test are derived. How values arrive (file,
// environment, command line): option_sources.h.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace shale::server {

// In the order of the rows (kOptions): an Option is an index.
enum class Option : std::uint8_t {
  port,
  bind,
  unixsocket,
  unixsocketperm,
  tcp_backlog,
  tcp_keepalive,
  tcp_nodelay,
  timeout,
  maxclients,
  protected_mode,
  requirepass,
  aclfile,
  acllog_max_len,
  acl_pubsub_default,
  tls_port,
  tls_cert_file,
  tls_key_file,
  tls_key_file_pass,
  tls_ca_cert_file,
  tls_ca_cert_dir,
  tls_auth_clients,
  tls_protocols,
  tls_ciphers,
  tls_ciphersuites,
  tls_prefer_server_ciphers,
  proto_max_bulk_len,
  client_query_buffer_limit,
  output_buffer_max,
  client_output_buffer_limit,
  hll_sparse_max_bytes,
  tracking_table_max_keys,
  notify_keyspace_events,
  cluster_enabled,
  cluster_announce_ip,
  cluster_announce_port,
  dir,
  backup_dir,
  backups_keep,
  appendfsync,
  databases,
  engine,
  sharding,
  split_points,
  shards,
  virtual_nodes,
  auto_split,
  shard_max_bytes,
  shard_max_read_rate,
  shard_max_write_rate,
  shard_max_heat,
  shards_max,
  shard_cool_down,
  shard_merge_after,
  memory,
  log_max_size,
  compression,
  value_separation,
  compaction,
  compaction_idle_rate,
  deletion_age_max,
  btree_node_min,
  btree_node_max,
  threads,
  loglevel,
  logfile,
  slowlog_log_slower_than,
  slowlog_max_len,
  latency_monitor_threshold,
  latency_tracking,
  latency_tracking_info_percentiles,
  daemonize,
};
constexpr std::size_t kOptionCount = static_cast<std::size_t>(Option::daemonize) + 1;

enum class OptionKind : std::uint8_t {
  integer,  // within [least, most]
  size,     // bytes, with Redis's units (1k = 1000, 1kb = 1024, ...); within [least, most]
  share,    // a size, or a percentage of what the machine or container has
  octal,    // file permissions
  boolean,  // yes or no
  choice,   // one of `choices`
  text,
  words,          // any number of words
  key_events,     // letters of key_events.h
  output_limits,  // of classes of clients; those that are not named stay as they are
  percentiles,    // any number of numbers from 0 to 100
  keys,           // any number of keys, which may hold any byte; texts of it are quoted as on a request line
};

inline constexpr std::int64_t kNoOptionLimit = std::numeric_limits<std::int64_t>::max();

struct OptionSpec {
  std::string_view name;
  std::string_view default_value;
  OptionKind kind = OptionKind::text;
  bool changeable = false;  // by CONFIG SET, while the server runs
  bool secret = false;      // never printed
  std::string_view takes;   // what a value may be, for people
  std::string_view reason;  // what it is for, in one line
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::span<const std::string_view> choices = {};
  // A choice that is known but refused, and why.
  std::string_view refused_choice = {};
  std::string_view refusal = {};
};

std::span<const OptionSpec, kOptionCount> all_options();
const OptionSpec& option_spec(Option option);
std::optional<Option> find_option(std::string_view name);  // case-insensitive
// Whether a value may be several words, without quotes around them all.
bool takes_words(const OptionSpec& spec);

// A value, checked. `number` is what integer, size, octal, boolean (0, 1) and choice (its index) stand for; a
// share's bytes, or its percentage negated.
struct OptionValue {
  std::string text;  // as CONFIG GET shows it
  std::int64_t number = 0;
};
// nullopt if `text` is not what the option takes; `problem`, if it has something to add to OptionSpec::takes,
// says it.
std::optional<OptionValue> parse_option(const OptionSpec& spec, std::string_view text, std::string& problem);

// Words as one text, of which split_keys makes the same words again.
std::string join_keys(std::span<const std::string> keys);
// A value in the configuration file's form: in quotes where it needs them.
std::string line_value(const OptionSpec& spec, const std::string& value);
// nullopt if quotes are not balanced.
std::optional<std::vector<std::string>> split_keys(std::string_view text);

// "64mb" -> bytes, as Redis reads sizes; nullopt if it is not a size.
std::optional<std::int64_t> parse_size(std::string_view text);

// Names that a redis.conf may hold and that have no meaning here.
enum class ForeignTreatment : std::uint8_t {
  ignored,  // at a start named in one warning; remembered, and shown by CONFIG GET; CONFIG SET changes that
  fixed,    // likewise, but it has the value that is true here, and CONFIG SET refuses any other
  refused,  // as fixed; and another value keeps the server from starting, because what was asked for would
            // silently not happen
};
struct ForeignOption {
  std::string_view name;
  std::string_view value = {};  // until another is set; without data: CONFIG GET does not know it
  ForeignTreatment treatment = ForeignTreatment::ignored;
  std::string_view hint = {};  // what to use or do instead
};
std::span<const ForeignOption> foreign_options();  // by name
const ForeignOption* find_foreign_option(std::string_view name);
// What CONFIG SET says against a value of an ignored option, which has to look like the default; or empty.
std::string_view foreign_value_problem(const ForeignOption& option, std::string_view value);

}  // namespace shale::server
