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

/// The elements that may be other than 0, in pieces.
struct Piece {
  size_t entry;
  int64_t begin, end;  // elements
};
List<Piece> pieces_of(Gradients& gradients) {
  List<Piece> all;
  all.reserve(2 * gradients.entries().size());
  for (size_t i = 0; i < gradients.entries().size(); ++i) {
    Gradients::Entry& e = gradients.entries()[i];
    e.value = dense(e.value);
    const auto add = [&](int64_t begin, int64_t end) { all.push_back({i, begin, end}); };
    if (!e.rows) {
      cut(0, e.value.numel(), add);
      continue;
    }
    const int64_t count = e.value.shape()[0], width = e.value.shape()[1];
    for (int64_t from = 0, to = 0; from < count; from = to + 1) {
      for (to = from; to < count && e.uses(to);) ++to;
      cut(from * width, to * width, add);
    }
  }
  return all;
}
Tensor elements(const Gradients& gradients, const Piece& p) {
  const Shape shape{p.end - p.begin};
  return gradients.entries()[p.entry].value.view(shape, dense_strides(shape), p.begin);
}

}  // namespace

double clip_global_norm(Gradients& gradients, double max, const ForEach& each) {
  require(max > 0, "clip_global_norm: expected max > 0, got {}", max);
  const List<Piece> pieces = pieces_of(gradients);
  List<double> squares(pieces.size());
  const auto square = [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    squares[at] = sum_of_squares(elements(gradients, pieces[at]));
  };
  each(std::ssize(pieces), std::cref(square));
  const double total = std::accumulate(squares.begin(), squares.end(), 0.0);
  const double norm = std::isfinite(total) ? std::sqrt(total) : careful_norm(gradients);
  if (norm <= max) return norm;
  for (Gradients::Entry& e : gradients.entries())
    if (!e.value.buffer().unique()) e.value = clone(e.value);  // the tape's, or another entry's
  const auto shorten = [&](int64_t i) {
    Tensor part = elements(gradients, pieces[static_cast<size_t>(i)]);
    scale_in_place(part, max / norm);
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
