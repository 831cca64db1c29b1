#include "examples/microscope/path.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <map>

#include "core/error.h"
#include "examples/microscope/schema.h"

namespace heed::microscope {
namespace {

int last_named(const Trace& t, const std::string& name) {
  for (size_t i = t.tensors.size(); i-- > 0;)
    if (t.tensors[i].name == name) return static_cast<int>(i);
  return -1;
}

std::string shape_text(const TraceTensor& x) {
  std::string all;
  for (const int64_t n : x.shape) all += (all.empty() ? "" : ", ") + std::to_string(n);
  return "[" + all + "]";
}

// All numbers under some indices; axes of size 1 in front may be left out.
Place under(const Trace& t, int tensor, const std::vector<int64_t>& indices,
            const std::string& text) {
  const TraceTensor& x = t.tensors[at(tensor)];
  size_t skipped = 0;
  while (skipped + indices.size() < x.shape.size() && x.shape[skipped] == 1) ++skipped;
  bool fits = indices.size() + skipped <= x.shape.size();
  size_t first = 0, count = x.value.size();
  for (size_t i = 0; fits && i < indices.size(); ++i) {
    const int64_t n = x.shape[i + skipped];
    fits = 0 <= indices[i] && indices[i] < n;
    if (!fits) break;
    count /= static_cast<size_t>(n);
    first += static_cast<size_t>(indices[i]) * count;
  }
  require(fits, "{}: expected a place in {}", harmless(text), shape_text(x));
  Place p{tensor, {}};
  for (size_t i = first; i < first + count; ++i) p.numbers.push_back(i);
  return p;
}

int64_t number_after(const std::string& text, size_t from, size_t to) {
  int64_t n = -1;
  const auto [end, error] = std::from_chars(text.data() + from, text.data() + to, n);
  require(error == std::errc() && end == text.data() + to && from < to,
          "expected a place such as loss.t2, src.1, h[1] or e[0,3], got '{}'", harmless(text));
  return n;
}

// The id of a word that the target says, from the ids that its loss was computed with.
int64_t id_of(const Trace& t, const std::string& word) {
  const Json words = t.run.value("tgt", Json::array());
  for (const TraceOp& op : t.ops) {
    if (op.op != "cross_entropy") continue;
    for (const TraceSaved& s : op.saved) {
      if (s.name != "targets") continue;
      const Numbers& ids = t.tensors[at(s.tensor)].value;
      for (size_t i = 0; i < words.size() && i < ids.size(); ++i)
        if (words[i] == word) return static_cast<int64_t>(ids[i]);
    }
  }
  require(false, "logit: expected a word that the target says, got '{}'", harmless(word));
  return -1;
}

// ---- the graph ----

// What was computed after a word of the target had been read, or from the decoder's first state.
std::vector<bool> target_side(const Trace& t) {
  std::vector<bool> tensor(t.tensors.size()), op(t.ops.size());
  const auto begins = [&](int i) {
    return i >= 0 && (t.tensors[at(i)].name == "y" || t.tensors[at(i)].name == "s0");
  };
  for (size_t k = 0; k < t.ops.size(); ++k) {
    for (const int i : t.ops[k].in) op[k] = op[k] || (i >= 0 && tensor[at(i)]) || begins(i);
    for (const int y : t.ops[k].out) tensor[at(y)] = op[k];
  }
  return op;
}

// The first of these names that is met on the way from an op to the end.
std::string first_met(const Trace& t, int op, const std::map<std::string, std::string>& names) {
  std::deque<int> left{op};
  std::vector<bool> seen(t.ops.size());
  while (!left.empty()) {
    const int k = left.front();
    left.pop_front();
    if (seen[at(k)]) continue;
    seen[at(k)] = true;
    for (const int y : t.ops[at(k)].out) {
      if (const auto it = names.find(t.tensors[at(y)].name); it != names.end()) return it->second;
      for (int next = k + 1; next < static_cast<int>(t.ops.size()); ++next) {
        const auto& in = t.ops[at(next)].in;
        if (std::find(in.begin(), in.end(), y) != in.end()) left.push_back(next);
      }
    }
  }
  return t.ops[at(op)].op;
}

std::string kind_of(const Trace& t, const TraceContribution& c) {
  const std::string& name = t.tensors[at(c.tensor)].name;
  if (name == "s0") return "initial state";
  if (name == "summary") return "summary";
  return first_met(t, c.op,
                   {{"e", "score"}, {"c", "value"}, {"q", "query"}, {"k", "key"}, {"v", "value"}});
}

int64_t scope_index(const Trace& t, int scope, const char* name) {
  for (; scope != 0; scope = t.scopes[at(scope)].parent)
    if (t.scopes[at(scope)].name == name) return t.scopes[at(scope)].index;
  return -1;
}

struct Crossing {
  Edge edge;
  std::string kind;  // value, score, ...
  int tensor;
};

// Where ways to `to` leave the target's side; without one (a case), where they arrive.
std::vector<Crossing> crossings(const Trace& t, int to) {
  const std::vector<bool> target = target_side(t);
  std::vector<bool> leads(t.tensors.size());  // to is it, or is computed into it
  leads[at(to)] = true;
  for (const TraceOp& op : t.ops)
    if (std::any_of(op.in.begin(), op.in.end(), [&](int i) { return i >= 0 && leads[at(i)]; }))
      for (const int y : op.out) leads[at(y)] = true;
  const auto made_by_target = [&](int i) {
    const int p = t.tensors[at(i)].producer;
    return p >= 0 && target[at(p)];
  };
  const bool sides = std::find(target.begin(), target.end(), true) != target.end() &&
                     !made_by_target(to) && t.tensors[at(to)].producer >= 0;
  std::vector<Crossing> all;
  for (const TraceContribution& c : t.contribs) {
    const bool crosses = sides
                             ? target[at(c.op)] && !made_by_target(c.tensor) && leads[at(c.tensor)]
                             : c.tensor == to;
    if (crosses) all.push_back({{c.op, c.slot}, kind_of(t, c), c.tensor});
  }
  return all;
}

std::vector<int> shortest_way(const Trace& t, int from, int to) {
  std::vector<int> by(t.tensors.size(), -1);  // the op through which it was reached
  std::deque<int> left{from};
  std::vector<bool> seen(t.tensors.size());
  seen[at(from)] = true;
  while (!left.empty() && !seen[at(to)]) {
    const int y = left.front();
    left.pop_front();
    const int k = t.tensors[at(y)].producer;
    if (k < 0) continue;
    for (const TraceContribution& c : t.contribs) {
      const auto zero = [](double v) { return v == 0; };
      if (c.op != k || seen[at(c.tensor)] || std::all_of(c.value.begin(), c.value.end(), zero))
        continue;
      seen[at(c.tensor)] = true;
      by[at(c.tensor)] = y;
      left.push_back(c.tensor);
    }
  }
  std::vector<int> ops;
  if (!seen[at(to)]) return ops;
  for (int x = to; x != from; x = by[at(x)]) ops.push_back(t.tensors[at(by[at(x)])].producer);
  std::reverse(ops.begin(), ops.end());
  return ops;
}

// The numbers of one head of [B, N, S, d].
std::vector<uint8_t> head_of(const TraceTensor& x, int64_t head) {
  std::vector<uint8_t> keep(x.value.size());
  const auto inner = static_cast<size_t>(x.shape[2] * x.shape[3]);
  const auto heads = static_cast<size_t>(x.shape[1]);
  for (size_t i = 0; i < keep.size(); ++i)
    keep[i] = i / inner % heads == static_cast<size_t>(head) ? 1 : 0;
  return keep;
}

// The routes of a crossing edge, as the label and what of the edge belongs to it (empty: all).
std::vector<std::pair<std::string, std::vector<uint8_t>>> labels_of(const Trace& t,
                                                                    const Crossing& c, RouteBy by) {
  const int scope = t.ops[at(c.edge.op)].scope;
  if (by == RouteBy::route) return {{c.kind, {}}};
  if (by == RouteBy::time) {
    const int64_t step = scope_index(t, scope, "step");
    return {{step < 0 ? "all steps at once" : fmt::format("t={}", step), {}}};
  }
  const TraceTensor& x = t.tensors[at(c.tensor)];
  if (x.shape.size() != 4) return {{c.kind, {}}};
  const int64_t layer = scope_index(t, scope, "layer");
  std::vector<std::pair<std::string, std::vector<uint8_t>>> all;
  for (int64_t n = 0; n < x.shape[1]; ++n)
    all.emplace_back(
        layer < 0 ? fmt::format("head {}", n) : fmt::format("layer {}, head {}", layer, n),
        head_of(x, n));
  return all;
}

}  // namespace

Place place_named(const Trace& t, const std::string& text) {
  const auto has = [&](const char* name) { return last_named(t, name) >= 0; };
  const auto one = [&](const char* tensor, std::initializer_list<int64_t> place) {
    require(has(tensor), "{}: this trace has no tensor {}", harmless(text), tensor);
    return under(t, last_named(t, tensor), place, text);
  };
  if (text.starts_with("loss.t")) return one("L_t", {number_after(text, 6, text.size())});
  if (text.starts_with("src.")) return one("x", {number_after(text, 4, text.size())});
  if (text.starts_with("tgt.")) return one("y", {number_after(text, 4, text.size())});
  if (text.starts_with("logit.t")) {
    const size_t dot = std::min(text.find('.', 7), text.size());
    require(dot < text.size(), "expected a place such as logit.t2.chat, got '{}'", harmless(text));
    return one("z", {number_after(text, 7, dot), id_of(t, text.substr(dot + 1))});
  }
  const size_t open = !text.empty() && text.back() == ']' ? text.rfind('[') : std::string::npos;
  std::vector<int64_t> place;
  // "step[2]/e": the bracket belongs to a scope there.
  if (open != std::string::npos && text.find('/', open) == std::string::npos) {
    for (size_t i = open + 1; i < text.size(); ++i) {
      const size_t end = std::min(text.find(',', i), text.size() - 1);
      place.push_back(number_after(text, i, end));
      i = end;
    }
  }
  const std::string name = place.empty() ? text : text.substr(0, open);
  return under(t, t.find(name), place, text);
}

PathReport path(const Trace& trace, const Place& from, const Place& to, RouteBy by,
                const std::string& closed) {
  Session session(trace);
  Numbers one(trace.tensors.at(at(from.tensor)).value.size());
  for (const size_t i : from.numbers) one.at(i) = 1;
  session.differentiate(from.tensor, one);
  const Trace t = session.trace();
  const TraceTensor& goal = t.tensors.at(at(to.tensor));
  require(goal.has_grad(), "path: {} does not depend on {} ({})",
          harmless(t.tensors[at(from.tensor)].name), harmless(goal.name), goal.grad_state);
  const auto part = [&](const std::vector<Edge>& edges) {
    const Numbers all = session.gradients_without(edges).at(at(to.tensor));
    Numbers some;
    for (const size_t i : to.numbers) some.push_back(all.empty() ? 0 : all.at(i));
    return some;
  };
  const std::vector<Crossing> all = crossings(t, to.tensor);
  std::vector<Edge> shut;  // by the caller
  for (const Crossing& c : all)
    if (c.kind == closed || (closed == "attention" && (c.kind == "value" || c.kind == "score")))
      shut.push_back(c.edge);
  require(closed.empty() || !shut.empty(), "path: no route is called '{}' here", harmless(closed));
  const auto is_shut = [&](const Edge& e) {
    return std::find(shut.begin(), shut.end(), e) != shut.end();
  };

  std::vector<std::string> order;
  std::map<std::string, std::vector<Edge>> without;  // per route: everything else is closed
  for (const Crossing& c : all)
    for (const auto& [label, keep] : labels_of(t, c, by))
      if (!is_shut(c.edge) && !without.contains(label)) without[label], order.push_back(label);
  for (const std::string& route : order)
    for (const Crossing& c : all) {
      Edge edge = c.edge;
      bool open = false;
      for (const auto& [label, keep] : labels_of(t, c, by))
        if (label == route) edge.keep = keep, open = keep.empty();
      if (is_shut(c.edge)) edge.keep.clear(), open = false;
      if (!open) without[route].push_back(edge);
    }

  PathReport report{.shortest = shortest_way(t, from.tensor, to.tensor),
                    .total = part(shut),
                    .routes = {},
                    .error = 0};
  Numbers sum(to.numbers.size());
  for (const std::string& route : order) {
    report.routes.push_back({route, part(without[route])});
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += report.routes.back().gradient[i];
  }
  for (size_t i = 0; i < sum.size() && !order.empty(); ++i)
    report.error = std::max(report.error, std::abs(sum[i] - report.total[i]));
  return report;
}

}  // namespace heed::microscope
