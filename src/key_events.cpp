#include "src/key_events.h"

#include <array>
#include <utility>

namespace shale::server {
namespace {

// Memory up to this is kept for the next commands.
constexpr std::size_t kKeptBytesMax = 64u << 10;

// In the order in which the option's text shows them.
constexpr std::array<std::pair<char, KeyEventClass>, 10> kAllTypes = {{
    {'g', KeyEventClass::generic},
    {'$', KeyEventClass::string},
    {'l', KeyEventClass::list},
    {'s', KeyEventClass::set},
    {'h', KeyEventClass::hash},
    {'z', KeyEventClass::sorted_set},
    {'x', KeyEventClass::expired},
    {'e', KeyEventClass::evicted},
    {'t', KeyEventClass::stream},
    {'d', KeyEventClass::module},
}};
constexpr std::array<std::pair<char, KeyEventClass>, 4> kOthers = {{
    {'n', KeyEventClass::new_key},
    {'K', KeyEventClass::keyspace},
    {'E', KeyEventClass::keyevent},
    {'m', KeyEventClass::key_miss},
}};

constexpr std::uint32_t bit(KeyEventClass kind) { return static_cast<std::uint32_t>(kind); }

constexpr std::uint32_t kAll = [] {
  std::uint32_t all = 0;
  for (const auto& [letter, kind] : kAllTypes) all |= bit(kind);
  return all;
}();

std::uint32_t classes_of(char letter) {
  if (letter == 'A') return kAll;
  for (const auto& [known, kind] : kAllTypes) {
    if (letter == known) return bit(kind);
  }
  for (const auto& [known, kind] : kOthers) {
    if (letter == known) return bit(kind);
  }
  return 0;
}

}  // namespace

std::optional<std::uint32_t> parse_key_event_classes(std::string_view letters) {
  std::uint32_t classes = 0;
  for (const char letter : letters) {
    const std::uint32_t more = classes_of(letter);
    if (more == 0) return std::nullopt;
    classes |= more;
  }
  return classes;
}

std::string format_key_event_classes(std::uint32_t classes) {
  std::string letters;
  if ((classes & kAll) == kAll) {
    letters.push_back('A');
  } else {
    for (const auto& [letter, kind] : kAllTypes) {
      if ((classes & bit(kind)) != 0) letters += letter;
    }
  }
  for (const auto& [letter, kind] : kOthers) {
    if ((classes & bit(kind)) != 0) letters += letter;
  }
  return letters;
}

void KeyEvents::drop_command() {
  if (entries_.size() == command_begin_) return;
  keys_.resize(entries_[command_begin_].key_offset);
  entries_.resize(command_begin_);
}

void KeyEvents::remember(KeyEventClass kind, std::string_view name, unsigned database, BytesView key) {
  entries_.push_back({kind, database, name, keys_.size(), key.size()});
  keys_.append(key);
}

void KeyEvents::clear() {
  entries_.clear();
  keys_.clear();
  command_begin_ = 0;
  if (keys_.capacity() > kKeptBytesMax) std::string().swap(keys_);
  if (entries_.capacity() * sizeof(Entry) > kKeptBytesMax) std::vector<Entry>().swap(entries_);
}

}  // namespace shale::server
