// Numeric checks by running the case again.
#include "examples/microscope/check.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/rng.h"
#include "examples/microscope/case.h"

namespace heed::microscope {
namespace {

// Adds `by` to one output of one op as it is computed: what follows is computed from the sum.
class Nudge final : public TapeWatcher {
 public:
  Nudge(int op, int output, const Numbers& by) : op_(op), output_(output), by_(by) {}

 private:
  void recorded(Tape& tape, const Node&, std::span<const Tensor* const>,
                std::span<Tensor> out) override {
    if (static_cast<int>(tape.nodes().size()) - 1 != op_) return;
    Tensor& y = out[static_cast<size_t>(output_)];
    Tensor changed = clone(y).with_ref(y.ref());
    double* to = changed.mutable_data<double>();
    for (size_t i = 0; i < by_.size(); ++i) to[i] += by_[i];
    y = changed;
  }
  int op_, output_;
  const Numbers& by_;
};

double value_of(const Outcome& end) {
  const Numbers y = end.y.to_vector(), g = end.cotangent.to_vector();
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) sum += y[i] * g[i];
  return sum;
}

struct Checker {
  const Trace& trace;
  CheckOptions options;
  Case example;  // f64

  // What is differentiated, with `by` added to this tensor.
  double with(const TraceTensor& t, int id, const Numbers& by) {
    Tape tape;
    if (t.producer >= 0) {
      const auto& outputs = trace.ops[static_cast<size_t>(t.producer)].out;
      const auto at = std::find(outputs.begin(), outputs.end(), id) - outputs.begin();
      Nudge nudge(t.producer, static_cast<int>(at), by);
      tape.watch(&nudge);
      const double value = value_of(example.forward());
      tape.watch(nullptr);
      return value;
    }
    Tensor& leaf = example.leaf_named(t.name);
    const Numbers before = leaf.to_vector();
    for (size_t i = 0; i < by.size(); ++i) leaf.mutable_data<double>()[i] = before[i] + by[i];
    const double value = value_of(example.forward());
    std::copy(before.begin(), before.end(), leaf.mutable_data<double>());
    return value;
  }

  double slope(const TraceTensor& t, int id, Numbers direction) {
    for (double& d : direction) d *= options.step;
    const double up = with(t, id, direction);
    for (double& d : direction) d = -d;
    return (up - with(t, id, direction)) / (2 * options.step);
  }

  void compare(CheckRow& row, size_t at, double analytic, double numeric, double scale) const {
    const double gap = std::abs(numeric - analytic);
    const double limit = options.tolerance * (0.01 * std::max(1.0, scale) + std::abs(analytic));
    if (!(gap <= limit)) row.pass = false;
    if (row.numbers++ > 0 && gap <= row.max_abs) return;
    row.max_abs = gap;
    row.worst = at;
    row.analytic = analytic;
    row.numeric = numeric;
  }

  CheckRow run(int id) {
    const TraceTensor& t = trace.tensors[static_cast<size_t>(id)];
    CheckRow row{.tensor = id, .pass = true, .numbers = 0, .again = true};
    double scale = 0;
    for (const double g : t.grad) scale = std::max(scale, std::abs(g));
    if (options.directional) {
      Rng rng(static_cast<uint64_t>(id));
      const Numbers d =
          Tensor::normal({static_cast<int64_t>(t.grad.size())}, 0, 1, rng, f64).to_vector();
      double along = 0, length = 0;
      for (size_t i = 0; i < d.size(); ++i) along += t.grad[i] * d[i], length += std::abs(d[i]);
      compare(row, 0, along, slope(t, id, d), scale * length);
      return row;
    }
    for (size_t i = 0; i < t.grad.size(); ++i) {
      Numbers unit(t.grad.size());
      unit[i] = 1;
      compare(row, i, t.grad[i], slope(t, id, unit), scale);
    }
    return row;
  }
};

bool same(const Numbers& a, const Numbers& b) {
  const auto equal = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
}

}  // namespace

std::vector<CheckRow> check(const Trace& trace, const CheckOptions& options) {
  require(trace.run.contains("case"),
          "check: this trace does not hold the case it was made from, so it cannot be run again");
  const Json& file = trace.run["case"];
  check_case(file, "run.case");
  const auto decompose = trace.run.value("decompose", std::set<std::string>{});
  Checker checker{trace, options, Case(file, decompose, f64)};
  if (options.tolerance <= 0)
    checker.options.tolerance = Case::dtype_of_file(file) == f64 ? 1e-6 : 1e-4;
  const Trace again = record_case(file, decompose);
  require(again.ops.size() == trace.ops.size() && again.tensors.size() == trace.tensors.size(),
          "check: run again, the case has {} ops and {} tensors, the trace {} and {}; it was made "
          "by another version",
          again.ops.size(), again.tensors.size(), trace.ops.size(), trace.tensors.size());
  std::vector<CheckRow> rows;
  for (size_t i = 0; i < trace.tensors.size(); ++i) {
    const TraceTensor& t = trace.tensors[i];
    if (!t.has_grad()) continue;
    CheckRow row = checker.run(static_cast<int>(i));
    row.again = same(t.value, again.tensors[i].value);
    row.pass = row.pass && row.again;
    rows.push_back(row);
  }
  return rows;
}

}  // namespace heed::microscope
