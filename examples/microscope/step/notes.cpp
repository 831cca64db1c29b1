#include "examples/microscope/step/notes.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "examples/microscope/step/report.h"

namespace heed::microscope::stepper {
namespace {

size_t row_size(const TraceTensor& t) {
  return t.shape.empty() ? 1 : static_cast<size_t>(t.shape.back());
}
bool one_row(const TraceTensor& t) {
  return !t.value.empty() && row_size(t) == t.value.size();
}

std::string joined(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() ? a + b : a + "  " + b;
}

}  // namespace

double euclidean_norm(const Numbers& v) {
  double largest = 0, sum = 0;
  for (const double x : v) largest = std::max(largest, std::abs(x));
  if (largest == 0 || !std::isfinite(largest)) return largest;
  for (const double x : v) sum += x / largest * (x / largest);
  return largest * std::sqrt(sum);
}

std::string sample_note(const Stepper& s, const TraceTensor& t, bool gradient) {
  if (!t.sampled()) return "";
  const double norm = number_from((gradient ? t.grad_stats : t.stats)["l2"]);
  return s.pick(fmt::format("a sample of [{}]; ‖all‖₂ ", fmt::join(t.whole, ",")),
                fmt::format("[{}] 的样本；全部数的 ‖·‖₂ ", fmt::join(t.whole, ","))) +
         number_text(norm, s.digits);
}

std::string output_note(const Stepper& s, int op, int tensor) {
  const TraceTensor& t = s.line().tensor(tensor);
  if (t.sampled()) return sample_note(s, t, false);
  const std::string& name = s.line().op(op).op;
  std::string note;
  const auto odd = static_cast<size_t>(
      std::count_if(t.value.begin(), t.value.end(), [](double v) { return !std::isfinite(v); }));
  if (odd > 0) note = s.pick(fmt::format("{} not finite", odd), fmt::format("{} 个非有限数", odd));
  if (name == "softmax" && one_row(t) && odd == 0) {
    double entropy = 0;
    for (const double a : t.value)
      if (a > 0) entropy -= a * std::log(a);
    note = joined(note, s.pick("entropy ", "熵 ") + number_text(entropy, s.digits));
  }
  return note;
}

std::string incoming_note(const Stepper& s, int op, int tensor) {
  const TraceTensor& t = s.line().tensor(tensor);
  if (s.line().op(op).op != "softmax" || !one_row(t) || !t.has_grad() || t.sampled()) return "";
  double mean = 0;
  for (size_t i = 0; i < t.value.size(); ++i) mean += t.value[i] * t.grad[i];
  const std::string y = s.line().label(tensor);
  return "Σ " + y + "·d" + y + " = " + number_text(mean, s.digits);
}

std::string sent_note(const Stepper& s, int op, int contribution) {
  const Timeline& line = s.line();
  if (line.op(op).op != "softmax") return "";
  const TraceContribution& k = line.contribution(contribution);
  const TraceTensor& y = line.tensor(line.op(op).out[0]);
  if (k.value.size() != y.value.size() || !y.has_grad() || y.sampled()) return "";
  const size_t n = row_size(y);
  const double unit = y.dtype == "f32" ? 0x1p-24 : 0x1p-53;
  double worst = 0, excess = 0;
  for (size_t row = 0; row + n <= y.value.size(); row += n) {
    double sum = 0, scale = 0;
    for (size_t i = row; i < row + n; ++i) {
      sum += k.value[i];
      scale += std::abs(y.value[i] * y.grad[i]);
    }
    if (std::abs(sum) > std::abs(worst) || row == 0) worst = sum;
    excess = std::max(excess, std::abs(sum) - static_cast<double>(n + 4) * unit * scale);
  }
  const bool rows = n < y.value.size();
  const std::string what = rows ? s.pick("largest row sum ", "行和最大 ") : "Σ = ";
  const std::string text = worst == 0 ? "0" : fmt::format("{:.1e}", worst);
  return what + text +
         (excess > 0 ? s.pick(" (NOT 0 by more than rounding)", "（不为 0，超出舍入误差）")
                     : s.pick(" (must be 0)", "（必须为 0）"));
}

}  // namespace heed::microscope::stepper
