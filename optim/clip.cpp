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
  for (const auto& [leaf, value] : gradients.entries()) {
    if (const int64_t at = first_non_finite(value); at >= 0)
      throw NumericError(fmt::format(
          "clip_global_norm: the gradient {} of leaf {} holds {} at element {} of {}; nothing was "
          "changed. Compute this step again under `CheckNumerics check;` to see which op made it",
          to_text(value.shape()), leaf, value.to_vector()[static_cast<size_t>(at)], at,
          value.numel()));
    for (const double x : value.to_vector()) largest = std::max(largest, std::abs(x));
  }
  for (const auto& [leaf, value] : gradients.entries())
    for (const double x : value.to_vector()) total += (x / largest) * (x / largest);
  return largest * std::sqrt(total);
}

/// Replaces, never writes in place: entries may share memory with each other and with the tape.
template <class F>
void replace_all(Gradients& gradients, F f) {
  const NoTape quiet;
  for (Gradients::Entry& entry : gradients.entries()) entry.value = f(entry.value);
}

}  // namespace

double clip_global_norm(Gradients& gradients, double max) {
  require(max > 0, "clip_global_norm: expected max > 0, got {}", max);
  double total = 0;
  for (const auto& [leaf, value] : gradients.entries()) total += sum_of_squares(value);
  const double norm = std::isfinite(total) ? std::sqrt(total) : careful_norm(gradients);
  if (norm > max) replace_all(gradients, [&](const Tensor& g) { return scale(g, max / norm); });
  return norm;
}

void clip_value(Gradients& gradients, double max) {
  require(max > 0, "clip_value: expected max > 0, got {}", max);
  replace_all(gradients, [&](const Tensor& g) { return clamp(g, -max, max); });
}

}  // namespace heed
