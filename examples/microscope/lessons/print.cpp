#include "examples/microscope/lessons/print.h"

#include <fmt/format.h>

#include <algorithm>

#include "examples/console/utf8.h"

namespace heed::microscope {
namespace {

int width_of(const std::string& text) {
  return display_width(text);
}

std::string padded(const std::string& text, int width) {
  return text + std::string(static_cast<size_t>(std::max(0, width - width_of(text))), ' ');
}
std::string right(const std::string& text, int width) {
  return std::string(static_cast<size_t>(std::max(0, width - width_of(text))), ' ') + text;
}

std::string number_text(double v, int digits) {
  return fmt::format("{:.{}g}", v == 0 ? 0.0 : v, digits);
}

// A cell in words, in this language.
Json in_language(const Json& c, Lang lang) {
  return c.is_object() ? c.at(lang == Lang::zh ? "zh" : "en") : c;
}

std::string cell_text(const Json& c, int digits) {
  if (c.is_string()) return c.get<std::string>();
  if (c.is_number_float()) return number_text(c.get<double>(), digits);
  if (!c.is_array()) return c.dump();
  std::string all;
  for (const Json& part : c) all += (all.empty() ? "" : ", ") + cell_text(part, digits);
  return "(" + all + ")";
}

std::string table_text(const Table& table, Lang lang) {
  std::vector<int> widths(table.columns.size());
  int label = 0;
  std::vector<std::vector<std::string>> texts;
  for (size_t c = 0; c < widths.size(); ++c) widths[c] = width_of(in(lang, table.columns[c]));
  for (const Row& row : table.rows) {
    label = std::max(label, width_of(in(lang, row.label)));
    std::vector<std::string> line;
    for (size_t c = 0; c < row.cells.size(); ++c) {
      line.push_back(cell_text(in_language(row.cells[c], lang), 6));
      widths.at(c) = std::max(widths.at(c), width_of(line.back()));
    }
    texts.push_back(std::move(line));
  }
  std::string out = in(lang, table.title) + "\n";
  const auto add = [&](const std::string& head, const std::vector<std::string>& line) {
    std::string text = "  " + padded(head, label);
    for (size_t c = 0; c < line.size(); ++c) text += "  " + right(line[c], widths[c]);
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  std::vector<std::string> heads;
  for (const Words& w : table.columns) heads.push_back(in(lang, w));
  if (!heads.empty()) add("", heads);
  for (size_t r = 0; r < texts.size(); ++r) add(in(lang, table.rows[r].label), texts[r]);
  return out + "\n";
}

// The pieces of a paragraph between which a line may end: words with the spaces after them, and
// single wide characters with the marks that close after them.
std::vector<std::string> pieces_of(const std::string& text) {
  static const std::vector<std::string> closing{"，", "。", "；", "：", "、",
                                                "）", "？", "！", "”"};
  std::vector<std::string> pieces;
  bool open = false;  // the last piece goes on
  for (size_t i = 0; i < text.size();) {
    size_t n = 1;
    while (i + n < text.size() && (static_cast<unsigned char>(text[i + n]) & 0xc0) == 0x80) ++n;
    const std::string c = text.substr(i, n);
    i += n;
    const bool wide = width_of(c) > 1;
    const bool closes = std::find(closing.begin(), closing.end(), c) != closing.end();
    if (pieces.empty() || (!closes && (wide || !open)))
      pieces.push_back(c);
    else
      pieces.back() += c;
    open = !wide && c != " ";
    if (c == " " && i < text.size() && text[i] == ' ') open = true;
  }
  return pieces;
}

const std::string& trimmed(std::string& text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string limit_text(const Truth& t) {
  const std::string limit = cell_text(t.limit, 12);
  if (t.relation == "in") return "in [" + limit.substr(1, limit.size() - 2) + "]";
  return t.relation + " " + limit +
         (t.tolerance > 0 ? fmt::format(" (+-{:.2g})", t.tolerance) : "");
}

}  // namespace

std::string wrapped(const std::string& text, int columns) {
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line;
    for (const std::string& piece : pieces_of(text.substr(begin, end - begin))) {
      std::string without = piece;
      if (!line.empty() && width_of(line + trimmed(without)) > columns) {
        out += trimmed(line) + "\n";
        line.clear();
      }
      line += piece;
    }
    out += trimmed(line) + "\n";
    begin = end + 1;
  }
  return out;
}

std::string truth_text(const std::string& lesson, const Truth& t, Lang lang) {
  return fmt::format("{} {} {}: {} {}\n", t.holds ? "ok  " : "FAIL", lesson, in(lang, t.says),
                     cell_text(t.measured, 12), limit_text(t));
}

std::string lesson_text(const Lesson& lesson, const Findings& found, Lang lang, int columns) {
  std::string out = wrapped(lesson.name + ": " + in(lang, lesson.question), columns) + "\n";
  out += wrapped(in(lang, lesson.text), columns) + "\n";
  for (const Table& table : found.tables) out += table_text(table, lang);
  out +=
      wrapped((lang == Lang::zh ? "看什么：" : "Look: ") + in(lang, lesson.look), columns) + "\n";
  for (const Truth& t : found.truths) out += truth_text(lesson.name, t, lang);
  return out;
}

Json truth_json(const Truth& t, Lang lang) {
  return {{"says", in(lang, t.says)}, {"measured", t.measured},   {"relation", t.relation},
          {"limit", t.limit},         {"tolerance", t.tolerance}, {"holds", t.holds}};
}

Json lesson_json(const Lesson& lesson, const Settings& settings, const Findings& found, Lang lang) {
  Json tables = Json::array(), truths = Json::array();
  for (const Table& table : found.tables) {
    Json columns = Json::array(), rows = Json::array();
    for (const Words& w : table.columns) columns.push_back(in(lang, w));
    for (const Row& row : table.rows) {
      Json line = Json::array();
      for (const Json& c : row.cells) line.push_back(in_language(c, lang));
      rows.push_back({{"label", in(lang, row.label)}, {"cells", line}});
    }
    tables.push_back({{"title", in(lang, table.title)}, {"columns", columns}, {"rows", rows}});
  }
  for (const Truth& t : found.truths) truths.push_back(truth_json(t, lang));
  return {{"lesson", lesson.name},
          {"lang", lang == Lang::zh ? "zh" : "en"},
          {"question", in(lang, lesson.question)},
          {"text", in(lang, lesson.text)},
          {"look", in(lang, lesson.look)},
          {"settings", settings.all()},
          {"tables", tables},
          {"truths", truths}};
}

}  // namespace heed::microscope
