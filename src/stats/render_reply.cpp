#include "src/stats/render.h"

namespace shale::server {
namespace {

struct ItemWriter {
  protocol::ReplyWriter& reply;

  void operator()(NotKnown) const { reply.null(); }
  void operator()(std::int64_t number) const { reply.integer(number); }
  void operator()(double number) const { reply.number(number); }
  void operator()(const std::string& text) const { reply.bulk(text); }
  void operator()(const Figures& figures) const { write_reply(figures, reply); }
  void operator()(const Figure::Rows& rows) const {
    reply.array(rows.size());
    for (const Figures& row : rows) write_reply(row, reply);
  }
};

}  // namespace

void write_reply(const Figures& figures, protocol::ReplyWriter& reply) {
  reply.map(figures.all().size());
  for (const auto& [name, figure] : figures.all()) {
    reply.bulk(name);
    std::visit(ItemWriter{reply}, figure.value());
  }
}

}  // namespace shale::server
