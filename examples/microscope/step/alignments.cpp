#include "examples/microscope/step/alignments.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {
namespace {

size_t width_of(const TraceTensor& t) {
  return t.shape.empty() ? 0 : static_cast<size_t>(t.shape.back());
}
size_t height_of(const TraceTensor& t) {
  return t.shape.size() < 2 ? 1 : static_cast<size_t>(t.shape[t.shape.size() - 2]);
}
int64_t heads_of(const TraceTensor& t) {
  return t.shape.size() == 4 ? std::max<int64_t>(t.shape[1], 1) : 1;
}

void add_part(const Timeline& line, Alignment& to, const AlignmentPart& part) {
  const TraceTensor& a = line.tensor(part.weights);
  to.parts.push_back(part);
  to.height += height_of(a);
}

// Only parts of equal width and heads stand in one matrix.
Alignment& entry(const Timeline& line, std::vector<Alignment>& all, const std::string& title,
                 int tensor) {
  const TraceTensor& a = line.tensor(tensor);
  for (Alignment& one : all)
    if (one.title == title && one.width == width_of(a) && one.heads == heads_of(a)) return one;
  Alignment fresh{.title = title, .heads = heads_of(a)};
  fresh.width = width_of(a);
  all.push_back(std::move(fresh));
  return all.back();
}

bool usable(const Timeline& line, int tensor) {
  const TraceTensor& a = line.tensor(tensor);
  return !a.value.empty() && !a.shape.empty() && a.dtype != "i64";
}

int scores_of(const Timeline& line, int weights) {
  const int producer = line.tensor(weights).producer;
  if (producer < 0) return -1;
  const TraceOp& op = line.op(producer);
  const int x = op.in.empty() ? -1 : op.in[0];
  if (op.op == "softmax") return x;
  return x >= 0 && x != weights && line.tensor(x).name == "a" ? scores_of(line, x) : -1;
}

std::vector<Alignment> from_views(const Timeline& line) {
  std::vector<Alignment> all;
  const Json list = line.trace().views.value("alignment", Json::array());
  for (const Json& v : list) {
    const auto count = static_cast<int64_t>(line.trace().tensors.size());
    const int64_t tensor = v.at("tensor").get<int64_t>();
    if (tensor < 0 || tensor >= count || !usable(line, static_cast<int>(tensor))) continue;
    std::string title = v.at("kind").get<std::string>();
    if (v.at("layer").is_number()) title += fmt::format(" layer {}", v["layer"].get<int64_t>());
    const auto at = static_cast<int>(tensor);
    Alignment& to = entry(line, all, title, at);
    int scores = -1;
    if (v.at("scores").is_number() && v["scores"].get<int64_t>() < count)
      scores = v["scores"].get<int>();
    if (scores >= 0 && line.tensor(scores).shape != line.tensor(at).shape) scores = -1;
    const auto rows = v.at("rows").get<std::vector<std::string>>();
    to.rows.resize(to.height);
    to.rows.insert(to.rows.end(), rows.begin(), rows.end());
    to.cols = v.at("cols").get<std::vector<std::string>>();
    add_part(line, to, {at, scores});
    to.rows.resize(to.height);
  }
  return all;
}

// The tensors called w, else a, else the softmax at hand or the last one.
std::vector<Alignment> by_name(const Stepper& s) {
  const Timeline& line = s.line();
  std::vector<Alignment> all;
  for (const char* name : {"w", "a"}) {
    for (int i = 0; i < static_cast<int>(line.trace().tensors.size()); ++i)
      if (line.tensor(i).name == name && line.tensor(i).producer >= 0 && usable(line, i))
        add_part(line, entry(line, all, name, i), {i, scores_of(line, i)});
    if (!all.empty()) return all;
  }
  int softmax = -1;
  for (int i = 0; i < line.forward(); ++i)
    if (line.op(i).op == "softmax" && (softmax < 0 || (s.at > 0 && line.event(s.at).op == i)))
      softmax = i;
  if (softmax >= 0 && usable(line, line.op(softmax).out[0])) {
    const int y = line.op(softmax).out[0];
    add_part(line, entry(line, all, line.label(y), y), {y, scores_of(line, y)});
  }
  return all;
}

// dL/dx now, unless a prediction hides it.
std::optional<Numbers> gradient_now(const Stepper& s, int tensor) {
  GradientAt g = s.line().gradient(tensor, s.at);
  if (g.known != Known::done) return {};
  if (s.at > 0 && hides(s, s.at))
    for (const int c : s.line().ledger(tensor))
      if (s.line().contribution(c).op == s.line().event(s.at).op) return {};
  return std::move(g.sum);
}

// For every element of a part: its number, or none.
std::vector<std::optional<double>> numbers_of(const Stepper& s, const AlignmentPart& part,
                                              Heat what) {
  const Timeline& line = s.line();
  const TraceTensor& a = line.tensor(part.weights);
  std::vector<std::optional<double>> all(a.value.size());
  if (!line.has_value(part.weights, s.at)) return all;
  if (what == Heat::weight) {
    for (size_t i = 0; i < all.size(); ++i) all[i] = a.value[i];
  } else if (what == Heat::erase) {
    const Session& session = s.session();
    const double before = session.outcome();
    const size_t n = width_of(a);
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t row = i / n * n;
      double sum = 0;
      for (size_t k = row; k < row + n; ++k) sum += a.value[k];
      const double rest = sum - a.value[i];
      Numbers by(a.value.size(), 0.0);
      by[i] = -a.value[i];
      for (size_t k = row; k < row + n; ++k)
        if (k != i && rest > 0) by[k] = a.value[k] * a.value[i] / rest;
      all[i] = session.outcome_with(part.weights, by) - before;
    }
  } else {
    const int of = what == Heat::score_gradient ? part.scores : part.weights;
    const auto g = of < 0 ? std::nullopt : gradient_now(s, of);
    for (size_t i = 0; g && i < std::min(all.size(), g->size()); ++i)
      all[i] = what == Heat::product ? a.value[i] * (*g)[i] : (*g)[i];
  }
  return all;
}

}  // namespace

std::vector<Alignment> alignments_of(const Stepper& s) {
  std::vector<Alignment> all = from_views(s.line());
  return all.empty() ? by_name(s) : all;
}

HeatMap heat_map(const Stepper& s, const Alignment& all, Heat what, int64_t head) {
  HeatMap map{Numbers(all.height * all.width), std::vector<bool>(all.height * all.width)};
  size_t first = 0;
  for (const AlignmentPart& part : all.parts) {
    const TraceTensor& a = s.line().tensor(part.weights);
    const size_t cells = height_of(a) * width_of(a);
    const auto numbers = numbers_of(s, part, what);
    for (size_t i = 0; i < cells; ++i) {
      double sum = 0;
      size_t count = 0;
      for (int64_t h = 0; h < all.heads; ++h) {
        if (head >= 0 && h != head) continue;
        const auto& v = numbers.at(static_cast<size_t>(h) * cells + i);
        if (!v) continue;
        sum += *v;
        ++count;
      }
      map.absent[first + i] = count == 0;
      map.values[first + i] = count == 0 ? 0 : sum / static_cast<double>(count);
    }
    first += cells;
  }
  return map;
}

}  // namespace heed::microscope::stepper
