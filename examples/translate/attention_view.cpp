#include "examples/translate/attention_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>

#include "core/error.h"
#include "examples/console/utf8.h"

namespace heed::translate {
namespace {

constexpr int kNumberCell = 4;    // " 93%" in colour, "▓ 93" without
constexpr int kNarrowCell = 2;    // room for one wide character
constexpr int kLongestName = 14;  // columns of a token; longer ones are cut
constexpr int kGap = 1;

std::span<const double> row_of(const AttentionMap& map, size_t t) {
  return std::span(map.weights).subspan(t * map.source.size(), map.source.size());
}

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string pad_left(const std::string& text, int columns) {
  return repeat(" ", columns - display_width(text)) + text;
}
std::string pad_right(const std::string& text, int columns) {
  return text + repeat(" ", columns - display_width(text));
}

// Ends the last line of `out`, without spaces before the end.
void end_line(std::string& out) {
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

int percent(double weight) {
  return static_cast<int>(std::lround(100 * weight));
}

// Five steps of darkness; the first, for less than 5 per cent, is nearly empty.
constexpr double kStepFrom[] = {0.0, 0.05, 0.25, 0.50, 0.75};
int step_of(double weight) {
  int step = 0;
  for (int k = 1; k < 5; ++k)
    if (weight >= kStepFrom[k]) step = k;
  return step;
}
constexpr std::string_view kShade[] = {"·", "░", "▒", "▓", "█"};
// 256-colour codes of one hue from light to dark, and the text on it; the first cell is unpainted.
constexpr int kPaper[] = {-1, 195, 153, 68, 24};
constexpr int kInk[] = {-1, 16, 16, 231, 231};

std::string paint(const std::string& text, int step) {
  if (step == 0) return text;
  return fmt::format("\x1b[48;5;{}m\x1b[38;5;{}m{}\x1b[0m", kPaper[step], kInk[step], text);
}

// A cell of kNumberCell columns or more with its per cent.
std::string number_cell(double weight, int columns, bool colour) {
  const int step = step_of(weight);
  const std::string number = percent(weight) > 0 ? fmt::format("{}", percent(weight)) : "·";
  if (colour) return paint(pad_left(number, columns - 1) + " ", step);
  const std::string body = step ? fmt::format("{}{:>3}", kShade[step], number) : number;
  return pad_left(body, columns);
}

std::string narrow_cell(double weight, bool colour) {
  const int step = step_of(weight);
  if (colour) return step ? paint("  ", step) : "· ";
  return step ? repeat(kShade[step], kNarrowCell) : "· ";
}

std::string legend(bool colour) {
  std::string out;
  constexpr std::string_view kRange[] = {"<5%", "5-24", "25-49", "50-74", "75-100"};
  for (int k = 0; k < 5; ++k) {
    const std::string sample(k == 0 ? "·" : colour ? "  " : kShade[k]);
    out += fmt::format("{}{} {}", k ? "  " : "", colour ? paint(sample, k) : sample, kRange[k]);
  }
  return out + "\n";
}

struct Names {
  std::vector<std::string> source, target;
  int target_width = 0;
};

Names names_of(const AttentionMap& map) {
  Names names;
  for (const std::string& s : map.source)
    names.source.push_back(fit_columns(printable(s), kLongestName));
  for (const std::string& t : map.target) {
    names.target.push_back(fit_columns(printable(t), kLongestName));
    names.target_width = std::max(names.target_width, display_width(names.target.back()));
  }
  return names;
}

// Columns as wide as their tokens, shrunk together until the line fits; empty if it cannot.
std::vector<int> number_columns(const Names& names, int room) {
  for (int longest = kLongestName; longest >= kNumberCell; --longest) {
    std::vector<int> columns;
    int sum = 0;
    for (const std::string& name : names.source) {
      columns.push_back(std::clamp(display_width(name), kNumberCell, longest));
      sum += columns.back() + kGap;
    }
    if (sum <= room) return columns;
  }
  return {};
}

std::string with_numbers(const AttentionMap& map, const Names& names,
                         const std::vector<int>& columns, bool colour) {
  std::string out = repeat(" ", names.target_width);
  for (size_t s = 0; s < columns.size(); ++s)
    out += " " + pad_left(fit_columns(names.source[s], columns[s]), columns[s]);
  out += "\n";
  for (size_t t = 0; t < map.target.size(); ++t) {
    out += pad_left(names.target[t], names.target_width);
    const auto row = row_of(map, t);
    for (size_t s = 0; s < row.size(); ++s) out += " " + number_cell(row[s], columns[s], colour);
    end_line(out);
  }
  return out;
}

// The characters of a token from top to bottom, each with the marks that combine with it.
std::vector<std::string> downwards(const std::string& name) {
  std::vector<std::string> cells;
  for (size_t i = 0; i < name.size();) {
    const CodePoint c = decode_utf8(name, i);
    if (cells.empty() || display_width(c.value) > 0) cells.emplace_back();
    cells.back() += name.substr(i, c.bytes);
    i += c.bytes;
  }
  return cells;
}

std::string with_narrow_cells(const AttentionMap& map, const Names& names, bool colour) {
  std::vector<std::vector<std::string>> heads;
  size_t height = 0;
  for (const std::string& name : names.source) {
    heads.push_back(downwards(name));
    height = std::max(height, heads.back().size());
  }
  std::string out;
  for (size_t line = 0; line < height; ++line) {
    out += repeat(" ", names.target_width + kGap);
    for (const auto& head : heads) {
      const size_t above = height - head.size();  // names stand on the map
      out += pad_right(line >= above ? head[line - above] : "", kNarrowCell);
    }
    end_line(out);
  }
  for (size_t t = 0; t < map.target.size(); ++t) {
    out += pad_left(names.target[t], names.target_width) + " ";
    for (const double weight : row_of(map, t)) out += narrow_cell(weight, colour);
    end_line(out);
  }
  return out;
}

// Each target token with its strongest source tokens, as many as a line takes (at least one).
std::string as_list(const AttentionMap& map, const Names& names, int width) {
  std::string out = "(too narrow for a map: strongest source tokens, in per cent)\n";
  for (size_t t = 0; t < map.target.size(); ++t) {
    const auto row = row_of(map, t);
    std::vector<size_t> order(row.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return row[a] > row[b]; });
    std::string line = pad_left(names.target[t], names.target_width) + " <";
    for (size_t k = 0; k < std::min<size_t>(order.size(), 3); ++k) {
      const double weight = row[order[k]];
      const std::string item = fmt::format(" {} {}", names.source[order[k]], percent(weight));
      if (k > 0 && (percent(weight) == 0 || display_width(line + item) > width)) break;
      line += item;
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace

void check(const AttentionMap& map) {
  require(map.weights.size() == map.source.size() * map.target.size(),
          "attention: expected {} x {} weights (target x source tokens), got {}", map.target.size(),
          map.source.size(), map.weights.size());
  for (size_t t = 0; t < map.target.size(); ++t) {
    double sum = 0;
    for (const double w : row_of(map, t)) {
      require(std::isfinite(w) && w >= 0,
              "attention: expected finite weights >= 0, got {} for target token {}", w, t);
      sum += w;
    }
    // Local windows do not renormalise: their weights may sum to less.
    require(sum <= 1 + 1e-3,
            "attention: expected the weights of target token {} to sum to at most 1, got {}", t,
            sum);
  }
}

std::string attention_text(const AttentionMap& map, const TerminalOptions& options) {
  check(map);
  if (map.weights.empty()) return "(nothing to show: one side has no tokens)\n";
  const Names names = names_of(map);
  const int room = options.width - names.target_width;
  if (const std::vector<int> columns = number_columns(names, room); !columns.empty())
    return with_numbers(map, names, columns, options.colour);
  if (kGap + kNarrowCell * static_cast<int>(names.source.size()) <= room)
    return with_narrow_cells(map, names, options.colour) + legend(options.colour);
  return as_list(map, names, options.width);
}

std::string attention_json(const AttentionMap& map, const std::string& model) {
  check(map);
  nlohmann::ordered_json weights = nlohmann::ordered_json::array();
  for (size_t t = 0; t < map.target.size(); ++t) weights.push_back(row_of(map, t));
  const nlohmann::ordered_json out{{"schema", "heed.attention.1"},
                                   {"model", model},
                                   {"source", map.source},
                                   {"target", map.target},
                                   {"weights", std::move(weights)}};
  using Json = nlohmann::ordered_json;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace heed::translate
