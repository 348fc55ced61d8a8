#include "src/stats/figures.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace shale::server {

Figures::Figures() = default;
Figures::Figures(const Figures& other) = default;
Figures::Figures(Figures&& other) noexcept = default;
Figures& Figures::operator=(const Figures& other) = default;
Figures& Figures::operator=(Figures&& other) noexcept = default;
Figures::~Figures() = default;

Figures& Figures::add(std::string_view name, Figure figure) {
  all_.push_back({std::string(name), std::move(figure)});
  return *this;
}

Figures Figures::pick(std::initializer_list<std::string_view> names) const {
  Figures picked;
  for (const std::string_view name : names) {
    const auto found = std::ranges::find(all_, name, &NamedFigure::name);
    assert(found != all_.end());
    picked.all_.push_back(*found);
  }
  return picked;
}

Figure::Figure(double number, Unit unit) : value_(std::round(number * 1000) / 1000), unit_(unit) {}

Figure ratio(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return NotKnown{};
  return static_cast<double>(part) / static_cast<double>(whole);
}

Figure percentage(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return {NotKnown{}, Unit::percent};
  return Figure(100 * static_cast<double>(part) / static_cast<double>(whole), Unit::percent);
}

}  // namespace shale::server
