// Numeric checks by computing the trace again.
#include "examples/microscope/check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/rng.h"
#include "examples/microscope/session.h"

namespace heed::microscope {
namespace {

// The tensors that these are computed from, and these.
std::vector<bool> with_ancestors(const Trace& t, const std::vector<int>& of) {
  std::vector<bool> in(t.tensors.size());
  for (const int i : of) in[at(i)] = true;
  for (size_t k = t.ops.size(); k-- > 0;)
    if (std::any_of(t.ops[k].out.begin(), t.ops[k].out.end(), [&](int y) { return in[at(y)]; }))
      for (const int x : t.ops[k].in)
        if (x >= 0) in[at(x)] = true;
  return in;
}

std::vector<int> named(const Trace& t, std::initializer_list<const char*> names) {
  std::vector<int> all;
  for (size_t i = 0; i < t.tensors.size(); ++i)
    for (const char* name : names)
      if (t.tensors[i].name == name) all.push_back(static_cast<int>(i));
  return all;
}

// The middles of windows that stand on an edge: a step of theirs lets a position in or out, which
// the frozen mask of a trace computed again would not show.
std::vector<int> on_an_edge(const Trace& t, double step) {
  const auto field = [&](const char* source, const char* key) {
    const Json recipe = t.run.value(source, Json::object());
    return recipe.value(key, Json());
  };
  Json width;
  if (field("case", "mechanism") == "local_p" && field("case", "params").is_object())
    width = field("case", "params").value("D", Json());
  if (field("pair", "mech") == "local_p") width = field("pair", "reach");
  const double reach = width.is_number() ? width.get<double>() : 0;
  std::vector<int> edges;
  if (reach <= 0) return edges;
  for (const int i : named(t, {"p", "p_t"}))
    for (const double p : t.tensors[at(i)].value)
      for (const double edge : {p - reach, p + reach})
        if (std::abs(edge - std::round(edge)) <= step) edges.push_back(i);
  return edges;
}

// What an op with a kink chose: where two runs differ in it, there is a kink between them.
bool same_side(const TraceOp& op, const Tensors& one, const Tensors& other) {
  const auto side = [&](const Tensors& values) {
    const auto x = [&](size_t i) { return values[at(op.in[i])].to_vector(); };
    std::vector<int> sides;
    const auto sign = [](double v) { return (v > 0) - (v < 0); };
    if (op.op == "relu" || op.op == "abs") {
      for (const double v : x(0)) sides.push_back(sign(v));
    } else if (op.op == "clamp") {
      const auto bound = [&](const char* key) {
        const Json& j = op.attrs.at(key);
        return j.is_number() ? j.get<double>() : j == "-Infinity" ? -INFINITY : INFINITY;
      };
      const double low = bound("low"), high = bound("high");
      for (const double v : x(0)) sides.push_back(sign(v - low) + sign(v - high));
    } else if (op.op == "maximum") {
      const Numbers a = x(0), b = x(1);
      for (size_t i = 0; i < a.size() && i < b.size(); ++i) sides.push_back(sign(a[i] - b[i]));
    } else if (op.op == "max") {
      const Numbers all = x(0);
      for (const double y : values[at(op.out[0])].to_vector())
        sides.push_back(static_cast<int>(std::find(all.begin(), all.end(), y) - all.begin()));
    }
    return sides;
  };
  return side(one) == side(other);
}

struct Checker {
  const Trace& trace;
  CheckOptions options;
  Session session;  // f64
  std::vector<bool> estimated, edged;

  double slope(int id, Numbers direction, bool hold_detached) {
    for (double& d : direction) d *= options.step;
    const double up = session.outcome_with(id, direction, hold_detached);
    for (double& d : direction) d = -d;
    return (up - session.outcome_with(id, direction, hold_detached)) / (2 * options.step);
  }

  bool kink(int id, Numbers direction) {
    for (double& d : direction) d *= options.step;
    const auto up = session.values_with(id, direction, false);
    for (double& d : direction) d = -d;
    const auto down = session.values_with(id, direction, false);
    return !std::all_of(trace.ops.begin(), trace.ops.end(),
                        [&](const TraceOp& op) { return same_side(op, up, down); });
  }

  // One number, or one direction, of a row.
  void compare(CheckRow& row, size_t place, double analytic, const Numbers& direction,
               double scale) {
    const double limit = options.tolerance * (0.01 * std::max(1.0, scale) + std::abs(analytic));
    const double numeric = slope(row.tensor, direction, false);
    const double gap = std::abs(numeric - analytic);
    if (!(gap <= limit) && row.status != "fail") {
      const bool held = std::abs(slope(row.tensor, direction, true) - analytic) <= limit;
      row.status = kink(row.tensor, direction) ? "nondiff" : held ? "biased" : "fail";
    }
    if (row.numbers++ > 0 && gap <= row.max_abs) return;
    row.max_abs = gap;
    row.worst = place;
    row.analytic = analytic;
    row.numeric = numeric;
  }

  CheckRow run(int id) {
    const TraceTensor& t = trace.tensors[at(id)];
    CheckRow row{.tensor = id, .status = "pass", .pass = true};
    double scale = 0;
    for (const double g : t.grad) scale = std::max(scale, std::abs(g));
    if (options.directional) {
      Rng rng(static_cast<uint64_t>(id));
      const Numbers d =
          Tensor::normal({static_cast<int64_t>(t.grad.size())}, 0, 1, rng, f64).to_vector();
      double along = 0, length = 0;
      for (size_t i = 0; i < d.size(); ++i) along += t.grad[i] * d[i], length += std::abs(d[i]);
      compare(row, 0, along, d, scale * length);
    } else {
      for (size_t i = 0; i < t.grad.size(); ++i) {
        Numbers unit(t.grad.size());
        unit[i] = 1;
        compare(row, i, t.grad[i], unit, scale);
      }
    }
    if (row.status == "pass" && estimated[at(id)]) row.status = "biased";
    if (row.status != "fail" && edged[at(id)]) row.status = "nondiff";
    return row;
  }
};

double largest(const Numbers& all) {
  double most = 0;
  for (const double v : all) most = std::max(most, std::abs(v));
  return most;
}

InvariantRow jacobian_row(const Trace& t, const Session& session, const TraceContribution& c) {
  const TraceOp& op = t.ops[at(c.op)];
  Numbers sum(c.value.size()), size(c.value.size());
  for (size_t k = 0; k < op.out.size(); ++k) {
    const TraceTensor& y = t.tensors[at(op.out[k])];
    if (!y.has_grad()) continue;
    const Numbers j = session.jacobian(c.op, c.slot, static_cast<int>(k));
    for (size_t r = 0; r < y.grad.size(); ++r)
      for (size_t i = 0; i < sum.size(); ++i)
        if (const double term = j[r * sum.size() + i] * y.grad[r]; j[r * sum.size() + i] != 0)
          sum[i] += term, size[i] += std::abs(term);
  }
  double error = 0;
  for (size_t i = 0; i < sum.size(); ++i) error = std::max(error, std::abs(sum[i] - c.value[i]));
  const double unit = t.meta.value("dtype", "f64") == "f32" ? 1e-5 : 1e-12;
  const double limit = unit * std::max(largest(size), std::numeric_limits<double>::min());
  return {"jacobian", c.op, c.slot, error <= limit, error, limit};
}

// The worst row of a softmax: how far its scores' gradients are from cancelling.
InvariantRow softmax_row(const Trace& t, const TraceContribution& c) {
  const TraceOp& op = t.ops[at(c.op)];
  const TraceTensor& a = t.tensors[at(op.out[0])];
  const auto n = static_cast<size_t>(a.shape.empty() ? 1 : a.shape.back());
  const double u = a.dtype == "f32" ? 0x1p-24 : 0x1p-53;
  InvariantRow worst{"softmax", c.op, c.slot, true, 0, 0};
  for (size_t row = 0; n > 0 && row * n < a.value.size(); ++row) {
    double sum = 0, scale = 0;
    bool zeros = true;
    for (size_t i = row * n; i < row * n + n; ++i) {
      sum += c.value[i];
      if (a.value[i] != 0) scale += std::abs(a.value[i] * a.grad[i]);
      const bool masked = op.attrs.contains("mask") && op.attrs["mask"][i] == 0;
      zeros = zeros && (!masked || (a.value[i] == 0 && c.value[i] == 0));
    }
    const double limit = static_cast<double>(n + 4) * u * scale;
    const bool pass = zeros && std::abs(sum) <= limit;
    if (worst.pass && (!pass || std::abs(sum) > worst.error))
      worst = {"softmax", c.op, c.slot, pass, std::abs(sum), limit};
  }
  return worst;
}

bool same(const Numbers& a, const Numbers& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
}

}  // namespace

std::vector<CheckRow> check(const Trace& trace, const CheckOptions& options) {
  Checker checker{trace, options, Session(trace, f64), {}, {}};
  const bool narrow = trace.tensors.at(at(trace.seed)).dtype == "f32";
  if (options.tolerance <= 0) checker.options.tolerance = narrow ? 1e-4 : 1e-6;
  const bool drawn =
      trace.run.contains("estimator") && trace.run["estimator"].value("kind", "") == "reinforce";
  checker.estimated = with_ancestors(trace, drawn ? named(trace, {"e"}) : std::vector<int>{});
  checker.edged = with_ancestors(trace, on_an_edge(trace, 2 * options.step));
  const Session again(trace);
  std::vector<CheckRow> rows;
  for (size_t i = 0; i < trace.tensors.size(); ++i) {
    const TraceTensor& t = trace.tensors[i];
    if (!t.has_grad() || (options.only >= 0 && options.only != static_cast<int>(i))) continue;
    CheckRow row = checker.run(static_cast<int>(i));
    row.again = same(t.value, again.value(row.tensor).to_vector());
    row.pass = row.status != "fail" && row.again;
    rows.push_back(row);
  }
  return rows;
}

std::vector<InvariantRow> check_invariants(const Trace& trace) {
  const Session session(trace);
  std::vector<InvariantRow> rows;
  for (const TraceContribution& c : trace.contribs) {
    const TraceOp& op = trace.ops[at(c.op)];
    if (op.op == "softmax") rows.push_back(softmax_row(trace, c));
    size_t height = 0;
    for (const int y : op.out) height += trace.tensors[at(y)].value.size();
    if (height <= 64 && c.value.size() <= 4096) rows.push_back(jacobian_row(trace, session, c));
  }
  return rows;
}

Json to_json(const std::vector<CheckRow>& rows, const CheckOptions& options) {
  Json list = Json::array();
  for (const CheckRow& r : rows)
    list.push_back(
        {{"tensor", r.tensor},
         {"method", options.directional ? "directional" : "central"},
         {"eps", options.step},
         {"n", r.numbers},
         {"max_abs", json_number(r.max_abs)},
         {"worst",
          {{"idx", r.worst}, {"ana", json_number(r.analytic)}, {"num", json_number(r.numeric)}}},
         {"status", r.status}});
  return list;
}

}  // namespace heed::microscope
