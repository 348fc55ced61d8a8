// Keyspace notifications: what commands do to keys, told to those who have subscribed to it.
//
// A handler calls CommandContext::notify() for everything that Redis would tell. The events of a command are
// kept until its writes have been committed, and dropped if it fails or will be run again; they are delivered
// when the shards' locks have been released, and before the client gets its reply. While nobody wants any
// (the option notify-keyspace-events is empty) this costs one comparison.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bytes.h"

namespace shale::server {

using engine::BytesView;

// Which events are wanted, as bits of the option's number. The letters are notify-keyspace-events' own.
enum class KeyEventClass : std::uint32_t {
  keyspace = 1u << 0,    // K: tell them in channels named after the key,
  keyevent = 1u << 1,    // E: and in channels named after the event
  generic = 1u << 2,     // g: del, expire, rename, ...: what any type has
  string = 1u << 3,      // $
  list = 1u << 4,        // l
  set = 1u << 5,         // s
  hash = 1u << 6,        // h
  sorted_set = 1u << 7,  // z
  expired = 1u << 8,     // x
  evicted = 1u << 9,     // e
  stream = 1u << 10,     // t
  module = 1u << 11,     // d
  key_miss = 1u << 12,   // m: a command reads a key that is not there
  new_key = 1u << 13,    // n: there was no such key before
};

// What the option's text asks for; nullopt if it has a letter that means nothing.
std::optional<std::uint32_t> parse_key_event_classes(std::string_view letters);
// As CONFIG GET shows it: in Redis's order, with "A" for all but m and n (Redis forgets to show an n behind
// an A).
std::string format_key_event_classes(std::uint32_t classes);

// The events of the commands that one thread executes. Not thread-safe. Reused: allocates nothing in steady
// state.
class KeyEvents {
 public:
  struct Event {
    KeyEventClass kind;
    unsigned database;
    std::string_view name;  // a literal
    BytesView key;          // valid until the next call
  };

  // A command begins, while `classes` are wanted: the option's number.
  void begin_command(std::uint32_t classes) {
    const bool heard = (classes & kChannels) != 0;
    wanted_ = heard ? classes : 0;
    command_begin_ = entries_.size();
  }
  // Whether such an event would be told: for what is costly to find out.
  bool wants(KeyEventClass kind) const { return (wanted_ & static_cast<std::uint32_t>(kind)) != 0; }
  // `name` is kept as it is: a literal. `key` is copied.
  void add(KeyEventClass kind, std::string_view name, unsigned database, BytesView key) {
    if (wants(kind)) [[unlikely]]
      remember(kind, name, database, key);
  }
  // The command has not happened: forgets what it has added.
  void drop_command();

  bool empty() const { return entries_.empty(); }
  // Calls deliver(event) for each event of all commands since the last call, in their order, and forgets
  // them.
  template <class Deliver>
  void take_all(Deliver deliver) {
    for (const Entry& entry : entries_) {
      deliver(Event{entry.kind, entry.database, entry.name,
                    BytesView{keys_}.substr(entry.key_offset, entry.key_length)});
    }
    clear();
  }

 private:
  static constexpr std::uint32_t kChannels = static_cast<std::uint32_t>(KeyEventClass::keyspace) |
                                             static_cast<std::uint32_t>(KeyEventClass::keyevent);
  struct Entry {
    KeyEventClass kind;
    unsigned database;
    std::string_view name;
    std::size_t key_offset;  // in keys_
    std::size_t key_length;
  };
  void remember(KeyEventClass kind, std::string_view name, unsigned database, BytesView key);
  void clear();

  std::uint32_t wanted_ = 0;
  std::size_t command_begin_ = 0;  // its first entry
  std::vector<Entry> entries_;
  std::string keys_;
};

}  // namespace shale::server
