#include "src/commands/debug_protocol.h"

#include "src/command/arguments.h"
#include "src/commands/reply.h"

namespace shale::server {
namespace {

using Write = void (*)(protocol::ReplyWriter& reply);

struct NamedReply {
  std::string_view type;
  Write write;
};

constexpr int kElements = 3;

void write_map(protocol::ReplyWriter& reply) {
  reply.map(kElements);
  for (int number = 0; number < kElements; ++number) {
    reply.integer(number);
    reply.boolean(number == 1);
  }
}

void write_attribute(protocol::ReplyWriter& reply) {
  if (reply.attribute(1)) {
    reply.bulk("key-popularity");
    reply.array(2);
    reply.bulk("key:123");
    reply.integer(90);
  }
  reply.bulk("Some real reply following the attribute");
}

void write_push(protocol::ReplyWriter& reply) {
  if (reply.version() == protocol::Version::resp2) {
    reply.error("ERR", "RESP2 is not supported by this command");
    return;
  }
  reply.push(2);
  reply.bulk("server-cpu-usage");
  reply.integer(42);
  reply.bulk("Some real reply following the push reply");
}

void write_numbers(protocol::ReplyWriter& reply) {
  for (int number = 0; number < kElements; ++number) reply.integer(number);
}

// The values are Redis's own, because clients' tests compare them.
constexpr NamedReply kReplies[] = {
    {"string", [](protocol::ReplyWriter& reply) { reply.bulk("Hello World"); }},
    {"integer", [](protocol::ReplyWriter& reply) { reply.integer(12345); }},
    {"double", [](protocol::ReplyWriter& reply) { reply.number(3.141); }},
    {"bignum",
     [](protocol::ReplyWriter& reply) { reply.big_number("1234567999999999999999999999999999999"); }},
    {"null", [](protocol::ReplyWriter& reply) { reply.null(); }},
    {"array",
     [](protocol::ReplyWriter& reply) {
       reply.array(kElements);
       write_numbers(reply);
     }},
    {"set",
     [](protocol::ReplyWriter& reply) {
       reply.set(kElements);
       write_numbers(reply);
     }},
    {"map", write_map},
    {"attrib", write_attribute},
    {"push", write_push},
    {"verbatim", [](protocol::ReplyWriter& reply) { reply.verbatim("txt", "This is a verbatim\nstring"); }},
    {"true", [](protocol::ReplyWriter& reply) { reply.boolean(true); }},
    {"false", [](protocol::ReplyWriter& reply) { reply.boolean(false); }},
};

}  // namespace

engine::Status debug_protocol(CommandContext& context, std::string_view type) {
  for (const NamedReply& named : kReplies) {
    if (!equals_ignoring_case(type, named.type)) continue;
    named.write(context.reply);
    return {};
  }
  return reply_error(context,
                     "ERR Wrong protocol type name. Please use one of the following: "
                     "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
}

}  // namespace shale::server
