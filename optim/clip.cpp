#include "optim/clip.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "core/kernels.h"

namespace heed {
namespace {

/// The norm when the plain sum of squares left the range of the dtype: divides by the largest
/// element first. Throws NumericError when that is not a number.
double careful_norm(const Gradients& gradients) {
  double largest = 0, total = 0;
  for (const auto& [leaf, value, rows] : gradients.entries()) {
    if (const int64_t at = first_non_finite(value); at >= 0)
      throw NumericError(fmt::format(
          "clip_global_norm: the gradient {} of leaf {} holds {} at element {} of {}; nothing was "
          "changed. Compute this step again under `CheckNumerics check;` to see which op made it",
          to_text(value.shape()), leaf, value.to_vector()[static_cast<size_t>(at)], at,
          value.numel()));
    for (const double x : value.to_vector()) largest = std::max(largest, std::abs(x));
  }
  for (const auto& [leaf, value, rows] : gradients.entries())
    for (const double x : value.to_vector()) total += (x / largest) * (x / largest);
  return largest * std::sqrt(total);
}

/// The parts of an entry that may be other than 0: all of it, or each run of used rows.
template <class F>
void for_used(const Gradients::Entry& e, F f) {
  if (!e.rows) return f(e.value);
  const int64_t count = e.value.shape()[0], width = e.value.shape()[1];
  for (int64_t from = 0, to = 0; from < count; from = to + 1) {
    for (to = from; to < count && e.uses(to);) ++to;
    const Shape run{to - from, width};
    if (to > from) f(e.value.view(run, dense_strides(run), from * width));
  }
}

}  // namespace

double clip_global_norm(Gradients& gradients, double max) {
  require(max > 0, "clip_global_norm: expected max > 0, got {}", max);
  double total = 0;
  for (const Gradients::Entry& e : gradients.entries())
    for_used(e, [&](const Tensor& part) { total += sum_of_squares(part); });
  const double norm = std::isfinite(total) ? std::sqrt(total) : careful_norm(gradients);
  if (norm <= max) return norm;
  for (Gradients::Entry& e : gradients.entries()) {
    if (!e.value.buffer().unique()) e.value = clone(e.value);  // the tape's, or another entry's
    for_used(e, [&](Tensor part) { scale_in_place(part, max / norm); });
  }
  return norm;
}

void clip_value(Gradients& gradients, double max) {
  require(max > 0, "clip_value: expected max > 0, got {}", max);
  const NoTape quiet;
  for (Gradients::Entry& e : gradients.entries()) e.value = clamp(e.value, -max, max);
}

}  // namespace heed
