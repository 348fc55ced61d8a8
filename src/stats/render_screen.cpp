#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "src/info/fields.h"
#include "src/stats/render.h"

namespace shale::server {
namespace {

constexpr std::string_view kIndent = "  ";
constexpr std::size_t kFigureColumns = 2;
constexpr std::size_t kGap = 2;
constexpr std::size_t kShortTextMax = 16;  // longer ones have a line of their own

std::string_view suffix_of(Unit unit) {
  switch (unit) {
    case Unit::plain: return "";
    case Unit::bytes: return "_bytes";
    case Unit::microseconds: return "_us";
    case Unit::milliseconds: return "_ms";
    case Unit::seconds: return "_seconds";
    case Unit::percent: return "_percent";
    case Unit::per_second: return "_per_second";
  }
  return "";
}

// "longest_wait_us" -> "longest wait": the unit stands beside the value.
std::string label_of(std::string_view name, Unit unit) {
  const std::string_view suffix = suffix_of(unit);
  if (name.ends_with(suffix) && name.size() > suffix.size()) name.remove_suffix(suffix.size());
  std::string label(name);
  std::ranges::replace(label, '_', ' ');
  return label;
}

std::string show_number(double number) {
  return std::abs(number) < 100 && number != std::floor(number) ? fmt::format("{:.2f}", number)
                                                                : fmt::format("{:.0f}", number);
}

std::string show_duration(double microseconds) {
  if (microseconds < 1000) return fmt::format("{:.0f} us", microseconds);
  if (microseconds < 1e6) return fmt::format("{:.1f} ms", microseconds / 1e3);
  if (microseconds < 120e6) return fmt::format("{:.1f} s", microseconds / 1e6);
  if (microseconds < 7200e6) return fmt::format("{:.0f} min", microseconds / 60e6);
  if (microseconds < 48 * 3600e6) return fmt::format("{:.0f} h", microseconds / 3600e6);
  return fmt::format("{:.0f} days", microseconds / (24 * 3600e6));
}

std::string show(double number, Unit unit) {
  switch (unit) {
    case Unit::plain: return show_number(number);
    case Unit::bytes: return abbreviate_bytes(static_cast<std::uint64_t>(std::max(0.0, number)));
    case Unit::microseconds: return show_duration(number);
    case Unit::milliseconds: return show_duration(number * 1e3);
    case Unit::seconds: return show_duration(number * 1e6);
    case Unit::percent: return fmt::format("{:.1f}%", number);
    case Unit::per_second: return fmt::format("{}/s", show_number(number));
  }
  return {};
}

struct Cell {
  std::string text;
  bool right_aligned = true;
};

Cell show(const Figure& figure) {
  if (const auto* number = std::get_if<std::int64_t>(&figure.value())) {
    if (figure.unit() == Unit::plain) return {std::to_string(*number)};
    return {show(static_cast<double>(*number), figure.unit())};
  }
  if (const auto* number = std::get_if<double>(&figure.value())) return {show(*number, figure.unit())};
  if (const auto* text = std::get_if<std::string>(&figure.value())) return {*text, false};
  return {"-"};
}

std::string pad(const Cell& cell, std::size_t columns) {
  const std::string blanks(columns - std::min(columns, cell.text.size()), ' ');
  return cell.right_aligned ? blanks + cell.text : cell.text + blanks;
}

// Cells in lines, each column as wide as its widest cell.
class Grid {
 public:
  void add(std::vector<Cell> line) { lines_.push_back(std::move(line)); }

  void append_to(std::string& screen) const {
    const std::vector<std::size_t> widths = column_widths();
    for (const auto& line : lines_) {
      std::string shown(kIndent);
      for (std::size_t column = 0; column < line.size(); ++column) {
        if (column != 0) shown.append(kGap, ' ');
        shown += pad(line[column], widths[column]);
      }
      shown.resize(shown.find_last_not_of(' ') + 1);
      screen += shown + '\n';
    }
  }

 private:
  std::vector<std::size_t> column_widths() const {
    std::vector<std::size_t> widths;
    for (const auto& line : lines_) {
      widths.resize(std::max(widths.size(), line.size()));
      for (std::size_t column = 0; column < line.size(); ++column) {
        widths[column] = std::max(widths[column], line[column].text.size());
      }
    }
    return widths;
  }

  std::vector<std::vector<Cell>> lines_;
};

void append_table(const Figure::Rows& rows, std::string& screen) {
  if (rows.empty()) return;
  Grid grid;
  std::vector<Cell> heading;
  for (const auto& [name, figure] : rows.front().all()) {
    heading.push_back({label_of(name, figure.unit()), show(figure).right_aligned});
  }
  grid.add(std::move(heading));
  for (const Figures& row : rows) {
    std::vector<Cell> line;
    for (const auto& named : row.all()) line.push_back(show(named.figure));
    grid.add(std::move(line));
  }
  grid.append_to(screen);
}

bool is_nested(const Figure& figure) {
  return std::holds_alternative<Figures>(figure.value()) ||
         std::holds_alternative<Figure::Rows>(figure.value());
}

// Single figures side by side: label, value, label, value. Then those with long texts.
void append_figures(const Figures& figures, std::string& screen) {
  Grid grid;
  Grid long_texts;
  std::vector<Cell> line;
  for (const auto& [name, figure] : figures.all()) {
    if (is_nested(figure)) continue;
    const Cell label{label_of(name, figure.unit()), false};
    const Cell value{show(figure).text, false};
    if (value.text.size() > kShortTextMax) {
      long_texts.add({label, value});
      continue;
    }
    line.push_back(label);
    line.push_back(value);
    if (line.size() == 2 * kFigureColumns) grid.add(std::exchange(line, {}));
  }
  if (!line.empty()) grid.add(std::move(line));
  grid.append_to(screen);
  long_texts.append_to(screen);
}

void append_section(const Figures& section, std::string& screen) {
  append_figures(section, screen);
  for (const auto& named : section.all()) {
    if (const auto* rows = std::get_if<Figure::Rows>(&named.figure.value())) append_table(*rows, screen);
  }
}

std::string heading_of(std::string_view name) {
  if (name == "lsm") return "LSM";
  std::string heading(name);
  heading[0] = static_cast<char>(heading[0] - 'a' + 'A');
  return heading;
}

}  // namespace

std::string to_screen(const Figures& sections) {
  std::string screen;
  for (const auto& [name, figure] : sections.all()) {
    if (!screen.empty()) screen += '\n';
    screen += heading_of(name) + '\n';
    append_section(std::get<Figures>(figure.value()), screen);
  }
  return screen;
}

std::string quote_bytes(std::string_view bytes, std::size_t bytes_max) {
  constexpr std::array<std::pair<char, std::string_view>, 7> kEscapes{{{'\\', "\\\\"},
                                                                       {'"', "\\\""},
                                                                       {'\n', "\\n"},
                                                                       {'\r', "\\r"},
                                                                       {'\t', "\\t"},
                                                                       {'\a', "\\a"},
                                                                       {'\b', "\\b"}}};
  std::string quoted = "\"";
  for (const char byte : bytes.substr(0, bytes_max)) {
    const auto* escape = std::ranges::find(kEscapes, byte, &std::pair<char, std::string_view>::first);
    if (escape != kEscapes.end()) {
      quoted += escape->second;
    } else if (byte >= ' ' && byte <= '~') {
      quoted += byte;
    } else {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return quoted + (bytes.size() > bytes_max ? "\"..." : "\"");
}

}  // namespace shale::server
