// What STATS says, as one ordered tree of named figures. Sections build it (sections.h); people, programs and
// JSON are shown the same tree (render.h).
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace shale::server {

// How people are shown a number. Programs get the number as it is, and its unit at the end of its name.
enum class Unit : std::uint8_t { plain, bytes, microseconds, milliseconds, seconds, percent, per_second };

class Figure;
struct NamedFigure;

// In the order in which they were added.
class Figures {
 public:
  Figures();
  Figures(const Figures& other);
  Figures(Figures&& other) noexcept;
  Figures& operator=(const Figures& other);
  Figures& operator=(Figures&& other) noexcept;
  ~Figures();

  // `name` in lower case, words joined by '_', with its unit at the end: "disk_bytes". Not given twice.
  Figures& add(std::string_view name, Figure figure);
  const std::vector<NamedFigure>& all() const { return all_; }
  // Those with these names, in this order. All must be there.
  Figures pick(std::initializer_list<std::string_view> names) const;

 private:
  std::vector<NamedFigure> all_;
};

struct NotKnown {};  // nothing has been measured yet, or it cannot be

// One number, one text, or more figures. Converts from what it holds.
class Figure {  // NOLINTBEGIN(google-explicit-constructor)
 public:
  using Rows = std::vector<Figures>;  // all with the same names
  using Value = std::variant<NotKnown, std::int64_t, double, std::string, Figures, Rows>;

  Figure(NotKnown, Unit unit = Unit::plain) : value_(NotKnown{}), unit_(unit) {}
  template <std::integral Number>
  Figure(Number number, Unit unit = Unit::plain) : value_(static_cast<std::int64_t>(number)), unit_(unit) {}
  Figure(double number, Unit unit = Unit::plain);  // rounded to three decimals
  Figure(std::string text) : value_(std::move(text)) {}
  Figure(std::string_view text) : value_(std::string(text)) {}
  Figure(const char* text) : value_(std::string(text)) {}
  Figure(Figures figures) : value_(std::move(figures)) {}
  Figure(Rows rows) : value_(std::move(rows)) {}
  // NOLINTEND(google-explicit-constructor)

  const Value& value() const { return value_; }
  Unit unit() const { return unit_; }

 private:
  Value value_;
  Unit unit_ = Unit::plain;
};

struct NamedFigure {
  std::string name;
  Figure figure;
};

// `part` of `whole`, or not known where that is nothing.
Figure ratio(std::uint64_t part, std::uint64_t whole);
Figure percentage(std::uint64_t part, std::uint64_t whole);

}  // namespace shale::server
