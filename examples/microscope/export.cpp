#include "examples/microscope/export.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "examples/microscope/png.h"
#include "examples/microscope/sample.h"
#include "examples/microscope/schema.h"
#include "examples/microscope/session.h"
#include "examples/microscope/tex.h"
#include "examples/microscope/trace.h"

namespace heed::microscope {
namespace {

std::string label(const Trace& t, int i) {
  const std::string& name = t.tensors[at(i)].name;
  return name.empty() ? fmt::format("#{}", i) : harmless(name);
}

// The trace's own digits.
std::string digits(double v, const std::string& dtype) {
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v < 0 ? "-Infinity" : "Infinity";
  return dtype == "f32" ? fmt::format("{}", static_cast<float>(v)) : fmt::format("{}", v);
}

// A tensor as matrices [rows, cols], one for each place of its outer axes.
struct Matrices {
  size_t rows, cols, count;
  explicit Matrices(const TraceTensor& x) : rows(1), cols(1), count(1) {
    const size_t rank = x.shape.size();
    if (rank > 0) cols = static_cast<size_t>(x.shape[rank - 1]);
    if (rank > 1) rows = static_cast<size_t>(x.shape[rank - 2]);
    if (rows * cols > 0) count = x.value.size() / (rows * cols);
  }
  // "[0,1]" of the outer axes; "" where there are none.
  static std::string place(const TraceTensor& x, size_t matrix) {
    TraceTensor outer;
    if (x.shape.size() < 3) return "";
    outer.shape.assign(x.shape.begin(), x.shape.end() - 2);
    return place_of(outer, matrix);
  }
};

// For XML ('x') or Graphviz ('d').
std::string escaped(const std::string& text, char format) {
  std::string out;
  for (const char c : harmless(text)) {
    const std::string_view xml = c == '<'   ? "&lt;"
                                 : c == '>' ? "&gt;"
                                 : c == '&' ? "&amp;"
                                 : c == '"' ? "&quot;"
                                            : "";
    if (format == 'x' && !xml.empty()) {
      out += xml;
    } else if (format == 'd' && (c == '"' || c == '\\')) {
      out += '\\', out += c;
    } else {
      out += c;
    }
  }
  return out;
}

const Numbers* part(const TraceTensor& x, bool grad) {
  return !grad ? &x.value : x.has_grad() ? &x.grad : nullptr;
}

std::string why_none(const TraceTensor& x) {
  return x.grad_state == "cut" ? "cut: " + harmless(x.cut) : x.grad_state;
}

// The words of the rows and columns, where this is a matrix of attention.
const Json* view_of(const Trace& t, int tensor) {
  const auto it = t.views.find("alignment");
  if (it == t.views.end()) return nullptr;
  for (const Json& v : *it)
    if (v["tensor"] == tensor || v["scores"] == tensor) return &v;
  return nullptr;
}

// Blue below 0, white, orange above; both ends are told apart without colour by the number's sign.
Rgb colour(double v, double most) {
  constexpr Rgb kBlue{33, 102, 172}, kOrange{230, 97, 1};
  if (!std::isfinite(v)) return {136, 136, 136};
  const double s = most > 0 ? std::clamp(v / most, -1.0, 1.0) : 0;
  Rgb mixed{};
  for (size_t i = 0; i < 3; ++i) {
    const double end = s < 0 ? kBlue[i] : kOrange[i];
    mixed[i] = static_cast<uint8_t>(std::lround(255 + std::abs(s) * (end - 255)));
  }
  return mixed;
}

double largest(const Numbers& all) {
  double most = 0;
  for (const double v : all)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  return most;
}

// " (a sample: 256 of 8192 numbers)"; "" where all are there.
std::string sample_note(const TraceTensor& x) {
  return x.sampled() ? fmt::format(" (a sample: {})", size_of_sample(x)) : "";
}

void require_small(const TraceTensor& x) {
  require(x.value.size() <= 10'000, "export: expected at most 10000 numbers for a picture, got {}",
          x.value.size());
}

// {"node", "shape", "dtype", "value", "grad_state", "grad"}, and where it applies "cut". Of a
// sample also "places" (row-major) and "sample", which says so, with the statistics of all numbers.
Json json_of(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  const auto numbers = [](const Numbers& all) {
    Json list = Json::array();
    for (const double v : all) list.push_back(json_number(v));
    return list;
  };
  Json j = {{"node", label(t, tensor)},   {"shape", x.whole_shape()},
            {"dtype", x.dtype},           {"value", numbers(x.value)},
            {"grad_state", x.grad_state}, {"grad", x.has_grad() ? numbers(x.grad) : Json(nullptr)}};
  if (!x.cut.empty()) j["cut"] = x.cut;
  if (!x.sampled()) return j;
  j["places"] = x.places;
  j["sample"] = size_of_sample(x);
  j["stats"] = x.stats;
  if (x.has_grad()) j["grad_stats"] = x.grad_stats;
  return j;
}

// One row per number: its index on every axis, value, gradient (empty where there is none). Of a
// sample a last column says in every row what it is.
std::string csv_of(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  std::string text;
  for (size_t a = 0; a < x.whole_shape().size(); ++a) text += fmt::format("i{},", a);
  text += x.sampled() ? "value,grad,sample\n" : "value,grad\n";
  for (size_t i = 0; i < x.value.size(); ++i) {
    const std::string place = place_of(x, i);  // "[0,1]"
    if (!x.shape.empty()) text += place.substr(1, place.size() - 2) + ",";
    text += digits(x.value[i], x.dtype) + "," + (x.has_grad() ? digits(x.grad[i], x.dtype) : "");
    text += (x.sampled() ? "," + size_of_sample(x) : "") + "\n";
  }
  return text;
}

// A sample has no rows and columns: a list of places.
std::string markdown_of_sample(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  std::string text = fmt::format("## {}{}\n\n| place | value | gradient |\n|---|---:|---:|\n",
                                 label(t, tensor), sample_note(x));
  for (size_t i = 0; i < x.value.size(); ++i)
    text += fmt::format("| {} | {} | {} |\n", place_of(x, i), digits(x.value[i], x.dtype),
                        x.has_grad() ? digits(x.grad[i], x.dtype) : why_none(x));
  return text;
}

// Two tables, value and gradient; the last two axes are columns and rows, the others titles.
std::string markdown_of(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  if (x.sampled()) return markdown_of_sample(t, tensor);
  const Matrices m(x);
  std::string text = fmt::format("## {}\n", label(t, tensor));
  for (const bool grad : {false, true}) {
    const Numbers* all = part(x, grad);
    if (!all) {
      text += fmt::format("\nNo gradient: {}.\n", why_none(x));
      continue;
    }
    for (size_t k = 0; k < m.count; ++k) {
      text += fmt::format("\n{}{}\n\n|", grad ? "gradient" : "value", Matrices::place(x, k));
      for (size_t c = 0; c < m.cols; ++c) text += fmt::format(" {} |", c);
      text += "\n|";
      for (size_t c = 0; c < m.cols; ++c) text += "---:|";
      for (size_t r = 0; r < m.rows; ++r) {
        text += "\n|";
        for (size_t c = 0; c < m.cols; ++c)
          text += " " + digits((*all)[(k * m.rows + r) * m.cols + c], x.dtype) + " |";
      }
      text += "\n";
    }
  }
  return text;
}

// The op that makes it, its formulas, and value and gradient as bmatrix.
std::string latex_of(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  const Matrices m(x);
  std::string text = "% needs amsmath\n";
  if (x.producer >= 0) {
    const TraceOp& op = t.ops[at(x.producer)];
    for (const TraceFormula& f : t.formulas) {
      if (f.op != op.op) continue;
      text +=
          fmt::format("% op {} ({})\n\\[ {} \\]\n", x.producer, harmless(op.op), tex_of(f.forward));
      for (const std::string& b : f.backward) text += "\\[ " + tex_of(b) + " \\]\n";
    }
  }
  const auto number = [&](double v) {
    if (std::isnan(v)) return std::string("\\mathrm{NaN}");
    if (std::isinf(v)) return std::string(v < 0 ? "-\\infty" : "\\infty");
    return digits(v, x.dtype);
  };
  for (const bool grad : {false, true}) {
    const Numbers* all = part(x, grad);
    if (!all) {
      text += fmt::format("% no gradient: {}\n", why_none(x));
      continue;
    }
    for (size_t k = 0; k < m.count; ++k) {
      const std::string name =
          "\\texttt{" + tex_escaped(label(t, tensor)) + "}" + Matrices::place(x, k);
      if (x.sampled()) text += fmt::format("% {}, at equal distances\n", size_of_sample(x));
      text += fmt::format("\\[ {}{} = \\begin{{bmatrix}}\n",
                          grad ? "\\frac{\\partial L}{\\partial " + name + "}" : name,
                          x.sampled() ? "\\text{" + sample_note(x) + "}" : "");
      for (size_t r = 0; r < m.rows; ++r) {
        for (size_t c = 0; c < m.cols; ++c)
          text += (c == 0 ? "  " : " & ") + number((*all)[(k * m.rows + r) * m.cols + c]);
        text += r + 1 < m.rows ? " \\\\\n" : "\n";
      }
      text += "\\end{bmatrix} \\]\n";
    }
  }
  return text;
}

// Heat maps of value and gradient, blue below 0 and orange above, with the words of an alignment
// view where it is one's.
std::string svg_of(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  const Matrices m(x);
  require_small(x);
  const Json* view = view_of(t, tensor);
  const auto word = [&](const char* side, size_t i) {
    const bool known = view && i < (*view)[side].size();
    if (x.sampled()) return *side == 'c' ? place_of(x, i) : std::string();
    return known ? escaped((*view)[side][i].get<std::string>(), 'x') : std::to_string(i);
  };
  constexpr size_t kCell = 48, kLeft = 96, kTop = 56, kGap = 40;
  const size_t height = m.rows * kCell + kTop + 16, width = m.cols * kCell + kLeft;
  const size_t parts = x.has_grad() ? 2 : 1;
  std::string body;
  for (size_t p = 0; p < parts; ++p) {
    const Numbers& all = *part(x, p == 1);
    const double most = largest(all);
    for (size_t k = 0; k < m.count; ++k) {
      const size_t left = p * (width + kGap), top = k * height;
      body +=
          fmt::format("<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}{}</text>\n", left + kLeft,
                      top + 18, (p == 1 ? "dL/d" : "") + escaped(label(t, tensor), 'x'),
                      Matrices::place(x, k) + sample_note(x));
      for (size_t c = 0; c < m.cols; ++c)
        body += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                            left + kLeft + c * kCell + kCell / 2, top + kTop - 8, word("cols", c));
      for (size_t r = 0; r < m.rows; ++r) {
        body +=
            fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", left + kLeft - 8,
                        top + kTop + r * kCell + kCell / 2 + 4, word("rows", r));
        for (size_t c = 0; c < m.cols; ++c) {
          const double v = all[(k * m.rows + r) * m.cols + c];
          const size_t cx = left + kLeft + c * kCell, cy = top + kTop + r * kCell;
          const auto [red, green, blue] = colour(v, most);
          body += fmt::format(
              "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"rgb({},{},{})\" "
              "stroke=\"#cccccc\">"
              "<title>{}</title></rect><text x=\"{}\" y=\"{}\" text-anchor=\"middle\" "
              "font-size=\"10\">{:.3g}</text>\n",
              cx, cy, kCell, kCell, red, green, blue, digits(v, x.dtype), cx + kCell / 2,
              cy + kCell / 2 + 4, v);
        }
      }
    }
  }
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
      parts * width + (parts - 1) * kGap + 16, m.count * height, body);
}

// The same heat maps without words: value, and to its right the gradient; outer axes go down.
std::string png_of(const Trace& t, int tensor) {
  const TraceTensor& x = t.tensors[at(tensor)];
  const Matrices m(x);
  require(!x.sampled(), "export: {} is a sample, {}, and a PNG has no words to say so; take svg",
          label(t, tensor), size_of_sample(x));
  require_small(x);
  const size_t cell = x.value.size() <= 400 ? 24 : 8, gap = 8;
  const size_t width = m.cols * cell + gap, height = m.rows * cell + gap;
  const size_t parts = x.has_grad() ? 2 : 1;
  Picture picture(parts * width + gap, m.count * height + gap, {255, 255, 255});
  for (size_t p = 0; p < parts; ++p) {
    const Numbers& all = *part(x, p == 1);
    const double most = largest(all);
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t c = i % m.cols, r = i / m.cols % m.rows, k = i / (m.cols * m.rows);
      const size_t left = p * width + gap + c * cell, top = k * height + gap + r * cell;
      picture.fill(left, top, cell, cell, {204, 204, 204});  // the line between cells
      picture.fill(left, top, cell - 1, cell - 1, colour(all[i], most));
    }
  }
  return png(picture);
}

// The ops between what it is computed from and what it is used for, in Graphviz's language; widths
// by the size of what flows back. -1: the whole trace.
std::string dot_of(const Trace& t, int tensor) {
  std::set<int> ops;
  for (int k = 0; k < static_cast<int>(t.ops.size()); ++k) {
    const TraceOp& op = t.ops[at(k)];
    const bool touches = std::find(op.in.begin(), op.in.end(), tensor) != op.in.end() ||
                         std::find(op.out.begin(), op.out.end(), tensor) != op.out.end();
    if (tensor < 0 || touches) ops.insert(k);
  }
  const auto norm = [](const Numbers& all) {
    double squares = 0;
    for (const double v : all) squares += v * v;
    return std::sqrt(squares);
  };
  double most = 0;
  for (const TraceContribution& c : t.contribs) most = std::max(most, norm(c.value));
  std::set<int> tensors;
  std::string edges;
  for (const int k : ops) {
    const TraceOp& op = t.ops[at(k)];
    edges += fmt::format("  op{} [shape=box, label=\"{}: {}\"];\n", k, k, escaped(op.op, 'd'));
    for (size_t slot = 0; slot < op.in.size(); ++slot) {
      const int x = op.in[slot];
      if (x < 0) continue;
      tensors.insert(x);
      double flow = -1;
      for (const TraceContribution& c : t.contribs)
        if (c.op == k && c.slot == static_cast<int>(slot)) flow = norm(c.value);
      const bool cut = t.tensors[at(x)].grad_state == "cut";
      edges += fmt::format("  t{} -> op{} [{}];\n", x, k,
                           flow < 0 ? fmt::format("style={}", cut ? "dashed" : "dotted")
                                    : fmt::format("penwidth={:.2f}, label=\"{:.3g}\"",
                                                  0.5 + (most > 0 ? 4 * flow / most : 0), flow));
    }
    for (const int y : op.out) {
      tensors.insert(y);
      edges += fmt::format("  op{} -> t{};\n", k, y);
    }
  }
  std::string nodes;
  for (const int i : tensors) {
    const TraceTensor& x = t.tensors[at(i)];
    std::string shape;
    for (const int64_t n : x.whole_shape())
      shape += (shape.empty() ? "" : ", ") + std::to_string(n);
    nodes += fmt::format("  t{} [label=\"{} [{}]{}\"{}];\n", i, escaped(label(t, i), 'd'), shape,
                         sample_note(x), i == tensor ? ", penwidth=2" : "");
  }
  return "digraph trace {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n" + nodes + edges +
         "}\n";
}

}  // namespace

std::string exported(const Trace& t, int tensor, const std::string& format) {
  return format == "json"  ? json_of(t, tensor).dump() + "\n"
         : format == "csv" ? csv_of(t, tensor)
         : format == "md"  ? markdown_of(t, tensor)
         : format == "tex" ? latex_of(t, tensor)
         : format == "svg" ? svg_of(t, tensor)
         : format == "png" ? png_of(t, tensor)
                           : dot_of(t, tensor);
}

}  // namespace heed::microscope
