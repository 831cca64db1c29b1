// Laying out a report.
#include "examples/microscope/step/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/console/utf8.h"

namespace heed::microscope::stepper {
namespace {

constexpr size_t kMostRows = 8;      // of a matrix, unless `all`
constexpr size_t kMostNumbers = 16;  // of a row, unless `all`

std::string spaces(int n) {
  return std::string(static_cast<size_t>(std::max(n, 0)), ' ');
}
std::string padded(const std::string& text, int columns) {
  return text + spaces(columns - display_width(text));
}
std::string padded_left(const std::string& text, int columns) {
  return spaces(columns - display_width(text)) + text;
}

// The longest beginning of `text` within `columns`, if possible up to a space; at least one
// character.
size_t break_at(std::string_view text, int columns) {
  int width = 0;
  size_t end = 0, space = 0;
  bool word = false;  // spaces at the beginning are no place to break at
  const auto closes = [&](size_t at) {
    static constexpr std::string_view kMarks[] = {"，", "。", "、", "：", "；", "）"};
    return std::any_of(std::begin(kMarks), std::end(kMarks),
                       [&](std::string_view mark) { return text.substr(at).starts_with(mark); });
  };
  while (end < text.size()) {
    const CodePoint c = decode_utf8(text, end);
    width += display_width(c.value);
    if (width > columns && end > 0) break;
    if (c.value == ' ' && word) space = end + 1;
    word = word || c.value != ' ';
    end += c.bytes;
    // Chinese has no spaces; a line does not begin with a mark that closes.
    if (c.value >= 0x2E80 && display_width(c.value) == 2 && !closes(end) && width <= columns)
      space = end;
  }
  return end < text.size() && space > 0 ? space : end;
}

void wrap(std::vector<Line>& out, const Text& t, int width) {
  std::string_view rest = t.text;
  int indent = 0;
  do {
    const size_t end = break_at(rest, std::max(width - indent, 4));
    std::string line(rest.substr(0, end));
    rest.remove_prefix(end);
    if (!rest.empty() && line.ends_with(' ')) line.pop_back();
    out.push_back({{spaces(indent) + line, t.tone}});
    indent = std::min(t.indent, width / 4);
  } while (!rest.empty());
  if (t.right.empty()) return;
  const int used = display_width(out.back()[0].text), right = display_width(t.right);
  if (used + 2 + right <= width)
    out.back().push_back({spaces(width - used - right) + t.right, Tone::dim});
  else
    wrap(out, {.text = spaces(2) + t.right, .tone = Tone::dim}, width);
}

// The columns before the numbers: label, tensor, shape.
std::string prefix_of(const Row& row, int label) {
  std::string shape;
  for (const int64_t n : row.shape) shape += (shape.empty() ? "" : ",") + std::to_string(n);
  std::string text = " " + padded(row.label, label) + " " + row.name;
  return row.shape.empty() ? text : text + " [" + shape + "]";
}

std::string index_text(size_t row, const std::vector<int64_t>& shape) {
  std::string text;
  for (size_t axis = shape.size() - 1; axis-- > 0;) {
    const auto n = static_cast<size_t>(shape[axis]);
    if (n != 1) text = std::to_string(row % n) + (text.empty() ? "" : "," + text);
    row /= n;
  }
  return text;
}

constexpr std::string_view kShade[] = {"·", "░", "▒", "▓", "█"};

struct RowLayout {
  const Row& row;
  int width, digits, label, prefix;
  std::vector<Line>& out;
  int names = 0, cell = 0;

  size_t columns() const {
    return row.shape.empty() ? row.values.size() : static_cast<size_t>(row.shape.back());
  }
  size_t rows() const { return columns() == 0 ? 0 : row.values.size() / columns(); }
  std::string name_of_row(size_t r) const {
    if (r < row.rows.size()) return fit_columns(printable(row.rows[r]), 12);
    return rows() > 1 ? index_text(r, row.shape) : "";
  }

  std::string number(size_t i) const {
    return row.whole ? fmt::format("{:.0f}", row.values[i]) : number_text(row.values[i], digits);
  }
  std::string cell_text(size_t i, double largest) const {
    if (row.hidden) return padded_left("?", cell);
    if (!row.absent.empty() && row.absent[i]) return padded_left("∅", cell);
    std::string text = number(i);
    if (row.heat) {
      const double share = largest > 0 ? std::abs(row.values[i]) / largest : 0;
      text = std::string(kShade[std::isfinite(share) ? std::lround(4 * share) : 4]) + text;
    }
    return padded_left(text, cell);
  }

  void head_line(size_t shown) {
    if (row.cols.empty()) return;
    std::string line;
    for (size_t c = 0; c < shown && c < row.cols.size(); ++c)
      line += padded_left(fit_columns(printable(row.cols[c]), cell - 1), cell);
    const int left = indent() + (names > 0 ? names + 1 : 0);
    // Where a row takes more than a line, names above the first would stand over the wrong numbers.
    if (left + display_width(line) <= width) out.push_back({{spaces(left) + line, Tone::dim}});
  }
  int indent() const { return prefix; }

  void run() {
    std::string before = padded(prefix_of(row, label), prefix);
    if (display_width(prefix_of(row, label)) > prefix) {
      wrap(out, {.text = prefix_of(row, label), .tone = Tone::label, .indent = 4}, width);
      before = spaces(prefix);
    }
    if (!row.missing.empty() || row.values.empty()) {
      const std::string why = row.missing.empty() ? "" : " " + row.missing;
      std::vector<Line> more;
      wrap(more, {.text = before + why, .tone = row.tone, .indent = indent() + 1}, width);
      out.insert(out.end(), more.begin(), more.end());
      note();
      return;
    }
    const size_t shown = row.all ? columns() : std::min(columns(), kMostNumbers);
    const size_t lines = row.all ? rows() : std::min(rows(), kMostRows);
    double largest = 0;
    cell = row.whole
               ? 4
               : std::min(digits, 6) + (row.heat ? 6 : 5);  // most numbers stand beneath each other
    for (size_t r = 0; r < lines; ++r) {
      names = std::max(names, display_width(name_of_row(r)));
      for (size_t c = 0; c < shown; ++c) {
        const double v = row.values[r * columns() + c];
        if (!row.absent.empty() && row.absent[r * columns() + c]) continue;
        if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
        cell = std::max(cell, display_width(number(r * columns() + c)) + (row.heat ? 3 : 2));
      }
    }
    head_line(shown);
    for (size_t r = 0; r < lines; ++r) {
      numbers(before, r, shown, largest);
      before = spaces(indent());
    }
    if (lines < rows()) out.push_back({{spaces(indent()) + " …", Tone::dim}});
    note();
  }

  void numbers(const std::string& before, size_t r, size_t shown, double largest) {
    const std::string name = names > 0 ? " " + padded(name_of_row(r), names) : "";
    const int left = display_width(before) + display_width(name);
    std::string line;
    bool first = true;
    const auto flush = [&] {
      if (first)
        out.push_back({{before, Tone::label}, {name, Tone::dim}, {line, row.tone}});
      else
        out.push_back({{spaces(left) + line, row.tone}});
      first = false;
      line.clear();
    };
    for (size_t c = 0; c < shown; ++c) {
      const std::string text = cell_text(r * columns() + c, largest);
      if (!line.empty() && left + display_width(line) + display_width(text) > width) flush();
      line += text;
    }
    if (shown < columns()) {
      if (left + display_width(line) + 2 > width) flush();
      line += " …";
    }
    flush();
  }

  // Behind the last line of numbers where there is room, else beneath.
  void note() {
    if (row.note.empty()) return;
    int used = 0;
    for (const Piece& p : out.back()) used += display_width(p.text);
    if (used + 3 + display_width(row.note) <= width)
      out.back().push_back({"   " + row.note, Tone::dim});
    else
      wrap(out,
           {.text = spaces(std::min(indent(), width / 4)) + " " + row.note,
            .tone = Tone::dim,
            .indent = indent() + 1},
           width);
  }
};

const char* colour_of(Tone tone) {
  switch (tone) {
    case Tone::head:
      return "\x1b[1m";
    case Tone::formula:
      return "\x1b[36m";
    case Tone::label:
      return "\x1b[1m";
    case Tone::dim:
      return "\x1b[2m";
    case Tone::good:
      return "\x1b[34m";  // blue and orange: told apart by everybody
    case Tone::bad:
      return "\x1b[38;5;208m";
    case Tone::now:
      return "\x1b[33m";
    case Tone::plain:
      break;
  }
  return "";
}

Json number(double v) {
  if (std::isfinite(v)) return v;
  return std::isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
}

}  // namespace

std::string number_text(double v, int digits) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  if (v == 0) return std::signbit(v) ? "-0" : "0";
  if (digits >= 16) return fmt::format("{}", v);
  const double size = std::abs(v);
  if (size < std::pow(10.0, 2 - digits) || size >= 1e6)
    return fmt::format("{:.{}e}", v, std::max(digits - 3, 1));
  return fmt::format("{:.{}f}", v, digits);
}

std::vector<Line> lines_of(const Report& report, int width, int digits) {
  width = std::max(width, 20);
  std::vector<Line> out;
  std::vector<size_t> uncut;
  // Rows that follow each other stand in the same columns.
  for (size_t i = 0; i < report.items.size();) {
    if (const Text* text = std::get_if<Text>(&report.items[i])) {
      wrap(out, *text, width);
      ++i;
      continue;
    }
    if (const Raw* raw = std::get_if<Raw>(&report.items[i])) {
      for (size_t at = 0; at < raw->text.size();) {
        const size_t end = std::min(raw->text.find('\n', at), raw->text.size());
        out.push_back({{printable(raw->text.substr(at, end - at)), Tone::plain}});
        uncut.push_back(out.size() - 1);
        at = end + 1;
      }
      ++i;
      continue;
    }
    size_t end = i;
    int prefix = 0, label = 6;
    for (; end < report.items.size(); ++end) {
      const Row* row = std::get_if<Row>(&report.items[end]);
      if (!row) break;
      label = std::max(label, display_width(row->label));
    }
    // A name that is too long for that stands on a line of its own.
    for (size_t k = i; k < end; ++k) {
      const int own = display_width(prefix_of(std::get<Row>(report.items[k]), label));
      if (own <= width * 2 / 5) prefix = std::max(prefix, own);
    }
    prefix = std::max(prefix, 2);
    for (; i < end; ++i)
      RowLayout{std::get<Row>(report.items[i]), width, digits, label, prefix, out}.run();
  }
  for (size_t i = 0; i < out.size(); ++i)
    if (std::find(uncut.begin(), uncut.end(), i) == uncut.end())
      out[i] = cut_line(std::move(out[i]), width);
  return out;
}

Line cut_line(Line line, int width) {
  for (Piece& p : line) {
    p.text = fit_columns(p.text, std::max(width, 0));
    width -= display_width(p.text);
  }
  return line;
}

std::string text_of(const Line& line, bool colour) {
  std::string text;
  for (const Piece& p : line) {
    const char* code = colour && !p.text.empty() ? colour_of(p.tone) : "";
    text += code + p.text + (*code ? "\x1b[0m" : "");
  }
  if (!colour) text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

Json json_of(const Report& report) {
  Json all = Json::array();
  for (const auto& item : report.items) {
    if (const Text* t = std::get_if<Text>(&item)) {
      Json j = {{"text", t->text}};
      if (!t->right.empty()) j["right"] = t->right;
      all.push_back(std::move(j));
      continue;
    }
    if (const Raw* raw = std::get_if<Raw>(&item)) {
      all.push_back({{"raw", raw->text}});
      continue;
    }
    const Row& row = std::get<Row>(item);
    Json j = {{"label", row.label}, {"tensor", row.name}, {"shape", row.shape}};
    if (row.hidden) {
      j["values"] = nullptr;
    } else if (row.missing.empty()) {
      Json values = Json::array();
      for (size_t i = 0; i < row.values.size(); ++i)
        values.push_back(!row.absent.empty() && row.absent[i] ? Json(nullptr)
                                                              : number(row.values[i]));
      j["values"] = std::move(values);
    } else {
      j["values"] = nullptr;
      j["missing"] = row.missing;
    }
    if (!row.note.empty()) j["note"] = row.note;
    if (!row.rows.empty()) j["rows"] = row.rows;
    if (!row.cols.empty()) j["cols"] = row.cols;
    all.push_back(std::move(j));
  }
  return all;
}

}  // namespace heed::microscope::stepper
