#include "examples/microscope/step/numeric.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "examples/microscope/step/notes.h"
#include "examples/microscope/step/step_view.h"

namespace heed::microscope::stepper {

CheckRow measured_gradient(const Stepper& s, int tensor) {
  const std::vector<CheckRow> rows = check(s.line().trace(), {.only = tensor});
  require(rows.size() == 1, "{} has no gradient", s.line().label(tensor));
  return rows[0];
}

Text check_line(const Stepper& s, const CheckRow& row) {
  const std::string status =
      row.status == "pass" ? s.pick("PASS", "通过")
      : row.status == "nondiff" ? s.pick("NONDIFF: a kink within the step", "不可微：步长内有折点")
      : row.status == "biased" ? s.pick("BIASED: an estimator", "有偏：估计量")
                               : s.pick("FAIL", "失败");
  std::string text =
      s.pick(" check  ", " 检验   ") + s.line().label(row.tensor) +
      fmt::format("  {} ε=1e-6  {} {}  max|Δ| {:.1e}  {}", s.pick("central", "中心差分"),
                  row.numbers, s.pick(row.numbers == 1 ? "number" : "numbers", "个数"), row.max_abs,
                  status);
  if (row.status == "fail")
    text += s.pick(fmt::format("  at {}: recorded {}, measured {}", row.worst,
                               number_text(row.analytic, 9), number_text(row.numeric, 9)),
                   fmt::format("  位置 {}：记录 {}，测得 {}", row.worst,
                               number_text(row.analytic, 9), number_text(row.numeric, 9)));
  if (!row.again) text += s.pick("; computed again, its values differ", "；重算的值不同");
  return {.text = text, .tone = row.pass ? Tone::good : Tone::bad};
}

// Power iteration on J^T J from a vector that no symmetry of attention is orthogonal to.
double spectral_norm(const Numbers& matrix, size_t rows, size_t columns) {
  Numbers v(columns);
  for (size_t j = 0; j < columns; ++j)
    v[j] = 1 + 0.37 * std::sin(1.7 * static_cast<double>(j) + 0.3);
  double sigma = 0;
  for (int i = 0; i < 500; ++i) {
    const double length = euclidean_norm(v);
    if (length == 0 || !std::isfinite(length)) return length;
    for (double& x : v) x /= length;
    Numbers u(rows, 0.0), next(columns, 0.0);
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c) u[r] += matrix[r * columns + c] * v[c];
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c) next[c] += matrix[r * columns + c] * u[r];
    const double before = std::exchange(sigma, euclidean_norm(u));
    v = std::move(next);
    if (i > 3 && std::abs(sigma - before) <= 1e-15 * sigma) break;
  }
  return sigma;
}

void append_jacobian(const Stepper& s, int op, int slot, int row, Report& r) {
  constexpr size_t kMostNumbers = 4096;
  const Timeline& line = s.line();
  const TraceOp& o = line.op(op);
  const int x = o.in.at(static_cast<size_t>(slot));
  const size_t rows = line.tensor(o.out[0]).value.size(), columns = line.tensor(x).value.size();
  const std::string name = "∂" + line.label(o.out[0]) + "/∂" + line.label(x);
  if (row >= 0) {
    Row one{.label = s.pick(fmt::format("row {}", row), fmt::format("第 {} 行", row)),
            .name = name};
    one.values = s.session().jacobian_row(op, slot, static_cast<size_t>(row));
    one.shape = {static_cast<int64_t>(columns)};
    one.all = true;
    r.add(std::move(one));
    return;
  }
  if (rows * columns > kMostNumbers) {
    r.say(" " + name +
              s.pick(fmt::format(": {} x {} numbers; jac ROW shows a row", rows, columns),
                     fmt::format("：{} x {} 个数；用 jac 行号 看一行", rows, columns)),
          Tone::dim);
    return;
  }
  Row all{.label = "J", .name = name};
  all.values = s.session().jacobian(op, slot);
  all.shape = {static_cast<int64_t>(rows), static_cast<int64_t>(columns)};
  all.all = true;
  all.note = "‖J‖₂ " + number_text(spectral_norm(all.values, rows, columns), s.digits);
  const Numbers j = all.values;
  r.add(std::move(all));
  // J^T dy is what this output sent: the recorded contribution, where nothing else was sent there.
  const TraceTensor& y = line.tensor(o.out[0]);
  const std::vector<int> sent = line.sent_by(op);
  const auto it = std::find_if(sent.begin(), sent.end(),
                               [&](int c) { return line.contribution(c).slot == slot; });
  if (it == sent.end() || !y.has_grad() || o.out.size() != 1) return;
  const Numbers& recorded = line.contribution(*it).value;
  double gap = 0;
  for (size_t c = 0; c < columns; ++c) {
    double sum = 0;
    for (size_t k = 0; k < rows; ++k) sum += j[k * columns + c] * y.grad[k];
    gap = std::max(gap, std::abs(sum - recorded[c]));
  }
  if (s.line().event(s.at).backward && hides(s, s.at)) return;
  r.say(s.pick(" Jᵀ·dL/d", " Jᵀ·dL/d") + line.label(o.out[0]) +
            s.pick(fmt::format(" = what is sent, max|Δ| {:.1e}", gap),
                   fmt::format(" = 传出的梯度，max|Δ| {:.1e}", gap)),
        gap <= 1e-4 * std::max(1.0, euclidean_norm(recorded)) ? Tone::good : Tone::bad);
}

}  // namespace heed::microscope::stepper
