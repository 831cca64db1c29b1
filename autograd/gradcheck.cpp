#include "autograd/gradcheck.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/rng.h"

namespace heed {
namespace {

// Which entries of a leaf are checked: all, or one chosen at random from each of `most` stretches.
std::vector<int64_t> entries_of(int64_t count, int64_t most, Rng rng) {
  std::vector<int64_t> at;
  if (most == 0 || count <= most) {
    for (int64_t i = 0; i < count; ++i) at.push_back(i);
    return at;
  }
  for (int64_t k = 0; k < most; ++k) {
    const int64_t begin = k * count / most, end = (k + 1) * count / most;
    at.push_back(begin + static_cast<int64_t>(rng.below(static_cast<uint64_t>(end - begin))));
  }
  return at;
}

std::vector<int64_t> unravel(int64_t flat, const Shape& shape) {
  std::vector<int64_t> index(static_cast<size_t>(shape.rank()));
  for (int a = shape.rank() - 1; a >= 0; --a) {
    index[static_cast<size_t>(a)] = flat % shape[a];
    flat /= shape[a];
  }
  return index;
}

// dL/dx at one entry of `x`, by changing it there and back.
double difference(const std::function<Tensor()>& f, Tensor x, const std::vector<int64_t>& index,
                  double eps, const std::vector<double>& cotangent) {
  int64_t at = 0;
  for (size_t a = 0; a < index.size(); ++a) at += index[a] * x.strides()[a];
  const double before = x.data<double>()[at];
  const double step = eps * std::max(1.0, std::abs(before));
  const double up = before + step, down = before - step;
  x.mutable_data<double>()[at] = up;
  const std::vector<double> above = f().to_vector();
  x.mutable_data<double>()[at] = down;
  const std::vector<double> below = f().to_vector();
  x.mutable_data<double>()[at] = before;
  // Differences before the sum: what does not depend on this entry cancels exactly.
  double change = 0;
  for (size_t i = 0; i < cotangent.size(); ++i) change += cotangent[i] * (above[i] - below[i]);
  return change / (up - down);  // up - down, not 2 step: what was really added
}

}  // namespace

GradCheckReport gradcheck(const std::function<Tensor()>& f, std::span<const NamedLeaf> leaves,
                          const GradCheckOptions& options) {
  require(!leaves.empty(), "gradcheck: expected at least one leaf");
  for (const auto& [name, x] : leaves) {
    require_defined("gradcheck", name, x);
    require(is_leaf(x), "gradcheck: expected {} to be a leaf; make it one with leaf(x)", name);
    require(x.dtype() == f64, "gradcheck: expected {} in f64, got {}; differences in {} are noise",
            name, name_of(x.dtype()), name_of(x.dtype()));
  }

  const Rng rng(options.seed);
  Rng weights = rng.fork("cotangent");
  std::vector<std::vector<double>> analytic;
  std::vector<double> cotangent;
  {
    Tape tape;
    const Tensor y = f();
    require(y.defined() && y.dtype() == f64, "gradcheck: expected an f64 output, got {}", y);
    const Tensor c = Tensor::normal(y.shape(), 0, 1, weights, f64);
    cotangent = c.to_vector();
    if (requires_grad(y)) tape.backward(y, c);
    const Gradients got = requires_grad(y) ? tape.gradients() : Gradients{};
    for (const auto& [name, x] : leaves) {
      const Tensor* g = got.find(x);
      analytic.push_back(g ? g->to_vector()
                           : std::vector<double>(static_cast<size_t>(x.numel()), 0.0));
    }
  }

  GradCheckReport report;
  report.error = -1;
  const NoTape quiet;
  for (size_t k = 0; k < leaves.size(); ++k) {
    const auto& [name, x] = leaves[k];
    double largest = 1;
    for (const double g : analytic[k]) largest = std::max(largest, std::abs(g));
    for (const int64_t at : entries_of(x.numel(), options.most, rng.fork(k))) {
      const double a = analytic[k][static_cast<size_t>(at)];
      const std::vector<int64_t> index = unravel(at, x.shape());
      const double n = difference(f, x, index, options.eps, cotangent);
      const double allowed = options.absolute * largest + options.relative * std::abs(a);
      double error = std::abs(a - n) / allowed;
      if (std::isnan(error)) error = INFINITY;
      ++report.checked;
      if (error <= report.error) continue;
      report.error = error;
      report.input = name;
      report.index = index;
      report.analytic = a;
      report.numeric = n;
    }
  }
  report.ok = report.error <= 1;
  if (report.checked == 0) {
    report.error = 0;
    report.text = "no entries to check: every leaf is empty";
  } else {
    report.text = fmt::format(
        "{} entries checked, {}: d{}[{}] expected {:.12g} (differences), got {:.12g} (backward), "
        "{:.3g} times what is allowed",
        report.checked, report.ok ? "the worst is fine" : "wrong", report.input,
        fmt::join(report.index, ", "), report.numeric, report.analytic, report.error);
  }
  return report;
}

}  // namespace heed
