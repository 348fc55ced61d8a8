// Redis Cluster's commands: a cluster of this one node, which owns all slots, where cluster-enabled says so;
// else the error that tells clients that this is no cluster.
//
// What a cluster changes by itself (slots, nodes, failovers) is refused: there is one node. Commands over
// keys of several slots work, since all of them are here.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/position.h"
#include "protocol/number_text.h"
#include "src/command/arguments.h"
#include "src/commands/groups.h"
#include "src/commands/reply.h"
#include "src/server.h"
#include "src/slot_read.h"

namespace shale::server {
namespace {

using enum ArgumentType;
using enum CommandFlag;

constexpr std::string_view kNoCluster = "ERR This instance has cluster support disabled";
constexpr std::string_view kOneNode =
    "ERR not supported: this is a cluster of one node, which owns all slots";
// So much of a slot is read on the client's thread; the rest in the background.
constexpr std::size_t kPiecesAtOnce = 4;

// Where clients are told to find this node: where this one has found it, unless options say otherwise.
struct Endpoint {
  std::string host;
  std::int64_t port = 0;
};

Endpoint endpoint_for(CommandContext& context) {
  const Config& config = context.server.config();
  Endpoint endpoint{config.text(Option::cluster_announce_ip), config.number(Option::cluster_announce_port)};
  const std::string& local = context.session.local_address;  // "127.0.0.1:6379", "[::1]:6379", "/path.sock:0"
  if (endpoint.port == 0) {                                  // that of TLS for those who speak it
    endpoint.port = protocol::parse_integer(std::string_view{local}.substr(local.rfind(':') + 1)).value_or(0);
  }
  if (endpoint.port == 0) endpoint.port = context.server.port();
  if (endpoint.host.empty()) {
    endpoint.host = local.substr(0, local.rfind(':'));
    if (endpoint.host.starts_with('[')) endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    if (endpoint.host.starts_with('/')) endpoint.host = "127.0.0.1";
  }
  return endpoint;
}

// A handler of a cluster, which replies the error where there is none.
template <engine::Status (*InCluster)(CommandContext& context, Arguments arguments)>
engine::Status in_cluster(CommandContext& context, Arguments arguments) {
  if (!context.server.in_cluster_mode()) return reply_error(context, kNoCluster);
  return InCluster(context, arguments);
}

// READONLY, READWRITE, ASKING -> OK: nothing is ever elsewhere
engine::Status accept(CommandContext& context, Arguments) { return reply_ok(context); }

// What a cluster of more nodes would do.
engine::Status refuse(CommandContext& context, Arguments) { return reply_error(context, kOneNode); }

// CLUSTER INFO -> lines "field:value"
engine::Status cluster_info(CommandContext& context, Arguments) {
  constexpr std::uint32_t kSlots = cluster::kSlotCount;
  context.reply.verbatim(
      "txt", fmt::format("cluster_state:ok\r\ncluster_slots_assigned:{}\r\ncluster_slots_ok:{}\r\n"
                         "cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n"
                         "cluster_known_nodes:1\r\ncluster_size:1\r\n"
                         "cluster_current_epoch:0\r\ncluster_my_epoch:0\r\n"
                         "cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
                         "total_cluster_links_buffer_limit_exceeded:0\r\n",
                         kSlots, kSlots));
  return {};
}

// CLUSTER NODES -> a line per node. There is no cluster bus: its port is given as 0.
engine::Status cluster_nodes(CommandContext& context, Arguments) {
  const Endpoint endpoint = endpoint_for(context);
  context.reply.verbatim(
      "txt", fmt::format("{} {}:{}@0 myself,master - 0 0 0 connected 0-{}\n", context.server.node_id(),
                         endpoint.host, endpoint.port, cluster::kSlotCount - 1));
  return {};
}

// CLUSTER SLOTS -> ranges of slots, each with its first and last and its nodes
engine::Status cluster_slots(CommandContext& context, Arguments) {
  const Endpoint endpoint = endpoint_for(context);
  protocol::ReplyWriter& reply = context.reply;
  reply.array(1);
  reply.array(3);
  reply.integer(0);
  reply.integer(cluster::kSlotCount - 1);
  reply.array(4);
  reply.bulk(endpoint.host);
  reply.integer(endpoint.port);
  reply.bulk(context.server.node_id());
  reply.array(0);
  return {};
}

// CLUSTER SHARDS -> maps of slots and nodes
engine::Status cluster_shards(CommandContext& context, Arguments) {
  const Endpoint endpoint = endpoint_for(context);
  protocol::ReplyWriter& reply = context.reply;
  reply.array(1);
  reply.map(2);
  reply.bulk("slots");
  reply.array(2);
  reply.integer(0);
  reply.integer(cluster::kSlotCount - 1);
  reply.bulk("nodes");
  reply.array(1);
  reply.map(7);
  reply.bulk("id");
  reply.bulk(context.server.node_id());
  reply.bulk("port");
  reply.integer(endpoint.port);
  reply.bulk("ip");
  reply.bulk(endpoint.host);
  reply.bulk("endpoint");
  reply.bulk(endpoint.host);
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("replication-offset");
  reply.integer(0);
  reply.bulk("health");
  reply.bulk("online");
  return {};
}

// CLUSTER LINKS -> none: there are no other nodes
engine::Status cluster_links(CommandContext& context, Arguments) {
  context.reply.array(0);
  return {};
}

// CLUSTER MYID -> this node's id
engine::Status cluster_myid(CommandContext& context, Arguments) {
  return reply_bulk(context, context.server.node_id());
}

// CLUSTER MYSHARDID -> the id of this node and its replicas together: its own, as there are none
engine::Status cluster_myshardid(CommandContext& context, Arguments) {
  return reply_bulk(context, context.server.node_id());
}

// CLUSTER KEYSLOT key -> its slot
engine::Status cluster_keyslot(CommandContext& context, Arguments arguments) {
  return reply_integer(context, cluster::slot_of(arguments.take()));
}

// The read of an earlier run of this command if there is one, else one that has been begun. not_resident: it
// goes on in the background.
engine::Result<std::shared_ptr<SlotRead>> read_slot(CommandContext& context, std::int64_t slot,
                                                    std::uint64_t keys_max, std::size_t name_bytes_max) {
  for (const auto& load : context.keyspace.loads()) {
    if (auto read = std::dynamic_pointer_cast<SlotRead>(load)) return read;
  }
  auto read = std::make_shared<SlotRead>(context.server.store(), static_cast<std::uint32_t>(slot),
                                         context.keyspace.now_ms(), keys_max, name_bytes_max);
  read->begin(kPiecesAtOnce);
  if (read->done()) return read;
  context.keyspace.reads().missing.push_back(read);
  return engine::Error{engine::ErrorKind::not_resident, {}};
}

bool is_slot(std::int64_t slot) { return slot >= 0 && slot < std::int64_t{cluster::kSlotCount}; }

// CLUSTER COUNTKEYSINSLOT slot -> how many keys it has
engine::Status cluster_countkeysinslot(CommandContext& context, Arguments arguments) {
  const std::int64_t slot = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!is_slot(slot)) return reply_error(context, "ERR Invalid slot");
  const auto read = read_slot(context, slot, UINT64_MAX, 0);
  if (!read) return read.error();
  if (!(*read)->status()) return (*read)->status();
  return reply_integer(context, static_cast<std::int64_t>((*read)->count()));
}

// CLUSTER GETKEYSINSLOT slot count -> names of so many of its keys, in the order of storage
engine::Status cluster_getkeysinslot(CommandContext& context, Arguments arguments) {
  const std::int64_t slot = arguments.take_integer();
  const std::int64_t count = arguments.take_integer();
  if (arguments.failed()) return reply_error(context, arguments.error());
  if (!is_slot(slot) || count < 0) return reply_error(context, "ERR Invalid slot or number of keys");
  const auto read =
      read_slot(context, slot, static_cast<std::uint64_t>(count), reply_bytes_max(context.server));
  if (!read) return read.error();
  if (!(*read)->status()) return (*read)->status();
  context.reply.array((*read)->names().size());
  for (const std::string& name : (*read)->names()) context.reply.bulk(name);
  return {};
}

// CLUSTER REPLICAS, SLAVES id -> none: this node has no replicas, and there are no others
engine::Status cluster_replicas(CommandContext& context, Arguments arguments) {
  const std::string_view id = arguments.take();
  if (id != context.server.node_id()) return reply_error(context, fmt::format("ERR Unknown node {}", id));
  context.reply.array(0);
  return {};
}

// CLUSTER COUNT-FAILURE-REPORTS id -> 0: nobody is there to report
engine::Status cluster_count_failure_reports(CommandContext& context, Arguments arguments) {
  const std::string_view id = arguments.take();
  if (id != context.server.node_id()) return reply_error(context, fmt::format("ERR Unknown node {}", id));
  return reply_integer(context, 0);
}

// CLUSTER SAVECONFIG -> OK: the node's id, which is all there is, has been saved
engine::Status cluster_saveconfig(CommandContext& context, Arguments) { return reply_ok(context); }

// CLUSTER HELP -> lines for people
engine::Status cluster_help(CommandContext& context, Arguments) {
  return reply_help(context, "CLUSTER",
                    {
                        "COUNTKEYSINSLOT <slot>",
                        "    Count the keys in <slot>.",
                        "GETKEYSINSLOT <slot> <count>",
                        "    Give the names of <count> keys in <slot>.",
                        "INFO",
                        "    Give the state of the cluster, which is this one node.",
                        "KEYSLOT <key>",
                        "    Give the slot of <key>.",
                        "LINKS",
                        "    Give the connections to other nodes: there are none.",
                        "MYID",
                        "    Give this node's id.",
                        "MYSHARDID",
                        "    Give the id of this node and its replicas: the same.",
                        "NODES",
                        "    Give a line for each node.",
                        "REPLICAS <node-id>",
                        "    Give the node's replicas: there are none.",
                        "SHARDS",
                        "    Give the slots with their nodes.",
                        "SLOTS",
                        "    Give the slots with their nodes, in an older form.",
                    });
}

constexpr CommandFlags kChange = admin | stale | no_async_loading;
constexpr std::string_view kMayVary = "nondeterministic_output";
constexpr std::string_view kChangesCluster = "Refused: this is a cluster of one node.";

constexpr ArgumentSpec kSlot[] = {{.name = "slot", .type = integer}};
constexpr ArgumentSpec kSlotAndCount[] = {{.name = "slot", .type = integer},
                                          {.name = "count", .type = integer}};
constexpr ArgumentSpec kKey[] = {{.name = "key"}};
constexpr ArgumentSpec kNodeId[] = {{.name = "node-id"}};

constexpr ArgumentSpec kAnyArguments[] = {{.name = "arg", .multiple = true}};

// What would change the cluster.
constexpr CommandSpec change(std::string_view name, Arity arity, std::string_view since,
                             CommandFlags flags = kChange, std::string_view tips = {}) {
  return {.name = name,
          .arity = arity,
          .flags = flags,
          .group = "cluster",
          .since = since,
          .complexity = "O(1)",
          .summary = kChangesCluster,
          .tips = tips,
          .arguments = arity.least > 2 ? std::span<const ArgumentSpec>{kAnyArguments}
                                       : std::span<const ArgumentSpec>{},
          .handler = in_cluster<refuse>};
}

// What only tells.
constexpr CommandSpec question(std::string_view name, std::string_view since, std::string_view summary,
                               Handler handler, std::string_view tips = {},
                               std::span<const ArgumentSpec> arguments = {}, CommandFlags flags = stale) {
  return {.name = name,
          .arity = exactly(static_cast<std::uint32_t>(2 + arguments.size())),
          .flags = flags,
          .group = "cluster",
          .since = since,
          .complexity = "O(1)",
          .summary = summary,
          .tips = tips,
          .arguments = arguments,
          .handler = handler};
}

constexpr CommandSpec kSubcommands[] = {
    change("addslots", at_least(3), "3.0.0"),
    change("addslotsrange", at_least(4), "7.0.0"),
    change("bumpepoch", exactly(2), "3.0.0", kChange, kMayVary),
    question("count-failure-reports", "3.0.0", "Counts the reports of a node's failure.",
             in_cluster<cluster_count_failure_reports>, kMayVary, kNodeId, admin | stale),
    question("countkeysinslot", "3.0.0", "Counts the keys in a slot.", in_cluster<cluster_countkeysinslot>,
             {}, kSlot),
    change("delslots", at_least(3), "3.0.0"),
    change("delslotsrange", at_least(4), "7.0.0"),
    change("failover", at_least(2), "3.0.0"),
    change("flushslots", exactly(2), "3.0.0"),
    change("forget", exactly(3), "3.0.0"),
    question("getkeysinslot", "3.0.0", "Names keys in a slot.", in_cluster<cluster_getkeysinslot>, kMayVary,
             kSlotAndCount),
    question("help", "5.0.0", "Explains the subcommands.", in_cluster<cluster_help>, {}, {}, loading | stale),
    question("info", "3.0.0", "Tells the state of the cluster.", in_cluster<cluster_info>, kMayVary),
    question("keyslot", "3.0.0", "Gives the slot of a key.", in_cluster<cluster_keyslot>, {}, kKey),
    question("links", "7.0.0", "Tells of connections to other nodes.", in_cluster<cluster_links>, kMayVary),
    change("meet", at_least(4), "3.0.0"),
    question("myid", "3.0.0", "Gives this node's id.", in_cluster<cluster_myid>),
    question("myshardid", "7.2.0", "Gives the id of this node with its replicas.",
             in_cluster<cluster_myshardid>, kMayVary),
    question("nodes", "3.0.0", "Tells of the nodes, a line each.", in_cluster<cluster_nodes>, kMayVary),
    question("replicas", "5.0.0", "Tells of a node's replicas.", in_cluster<cluster_replicas>, kMayVary,
             kNodeId, admin | stale),
    change("replicate", exactly(3), "3.0.0"),
    change("reset", at_least(2), "3.0.0", admin | noscript | stale),
    question("saveconfig", "3.0.0", "Saves the node's id, which is saved already.",
             in_cluster<cluster_saveconfig>, {}, {}, kChange),
    change("set-config-epoch", exactly(3), "3.0.0"),
    change("setslot", at_least(4), "3.0.0"),
    question("shards", "7.0.0", "Gives the slots with their nodes.", in_cluster<cluster_shards>, kMayVary),
    question("slaves", "3.0.0", "Tells of a node's replicas.", in_cluster<cluster_replicas>, kMayVary,
             kNodeId, admin | stale),
    question("slots", "3.0.0", "Gives the slots with their nodes, in an older form.",
             in_cluster<cluster_slots>, kMayVary),
};
static_assert(sorted_and_unique(kSubcommands));

constexpr CommandSpec kClusterCommands[] = {
    {.name = "asking",
     .arity = exactly(1),
     .flags = fast,
     .categories = AclCategory::connection,
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Without effect: no slot is ever on its way from node to node.",
     .handler = in_cluster<accept>},
    {.name = "cluster",
     .arity = at_least(2),
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "Depends on the subcommand",
     .summary = "A cluster of this one node, if cluster-enabled.",
     .subcommands = kSubcommands},
    {.name = "readonly",
     .arity = exactly(1),
     .flags = loading | stale | fast,
     .categories = AclCategory::connection,
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Without effect: this node is no replica.",
     .handler = in_cluster<accept>},
    {.name = "readwrite",
     .arity = exactly(1),
     .flags = loading | stale | fast,
     .categories = AclCategory::connection,
     .group = "cluster",
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary = "Without effect: this node is no replica.",
     .handler = in_cluster<accept>},
};
static_assert(sorted_and_unique(kClusterCommands));

}  // namespace

std::span<const CommandSpec> cluster_commands() { return kClusterCommands; }

}  // namespace shale::server
