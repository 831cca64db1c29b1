#include "optim/clip.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

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

}  // namespace

double clip_global_norm(Gradients& gradients, double max, const ForEach& each) {
  require(max > 0, "clip_global_norm: expected max > 0, got {}", max);
  for (Gradients::Entry& e : gradients.entries()) e.value = dense(e.value);
  const List<Gradients::Piece> pieces = gradients.pieces();
  List<double> squares(pieces.size());
  const auto square = [&](int64_t i) {
    const auto& [at, begin, end] = pieces[static_cast<size_t>(i)];
    const Gradients::Entry& e = gradients.entries()[at];
    e.each_used(begin, end, [&](int64_t from, int64_t to) {
      squares[static_cast<size_t>(i)] += sum_of_squares(e.elements(from, to));
    });
  };
  each(std::ssize(pieces), std::cref(square));
  const double total = std::accumulate(squares.begin(), squares.end(), 0.0);
  const double norm = std::isfinite(total) ? std::sqrt(total) : careful_norm(gradients);
  if (norm <= max) return norm;
  for (Gradients::Entry& e : gradients.entries())
    if (!e.value.buffer().unique()) e.value = clone(e.value);  // the tape's, or another entry's
  const auto shorten = [&](int64_t i) {
    const auto& [at, begin, end] = pieces[static_cast<size_t>(i)];
    const Gradients::Entry& e = gradients.entries()[at];
    e.each_used(begin, end, [&](int64_t from, int64_t to) {
      Tensor part = e.elements(from, to);
      scale_in_place(part, max / norm);
    });
  };
  each(std::ssize(pieces), std::cref(shorten));
  return norm;
}

void clip_value(Gradients& gradients, double max) {
  require(max > 0, "clip_value: expected max > 0, got {}", max);
  const NoTape quiet;
  for (Gradients::Entry& e : gradients.entries()) e.value = clamp(e.value, -max, max);
}

}  // namespace heed
