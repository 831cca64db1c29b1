#include "layers/init.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace heed::init {
namespace {

void require_matrix(std::string_view name, const Shape& s) {
  require(s.rank() == 2, "init::{}: expected a shape [out, in], got {}", name, s);
}

}  // namespace

Tensor zeros(const Shape& shape) {
  return leaf(Tensor::zeros(shape));
}
Tensor constant(const Shape& shape, double value) {
  return leaf(Tensor::full(shape, value));
}

Tensor uniform(const Shape& shape, double bound, Rng& rng) {
  return leaf(Tensor::uniform(shape, -bound, bound, rng));
}
Tensor normal(const Shape& shape, double deviation, Rng& rng) {
  return leaf(Tensor::normal(shape, 0, deviation, rng));
}

Tensor fan(const Shape& shape, int64_t fan, Rng& rng) {
  require(fan > 0, "init::fan: expected a fan >= 1, got {}", fan);
  return uniform(shape, 1 / std::sqrt(static_cast<double>(fan)), rng);
}

Tensor xavier_uniform(const Shape& shape, Rng& rng) {
  require_matrix("xavier_uniform", shape);
  return uniform(shape, std::sqrt(6.0 / static_cast<double>(shape[0] + shape[1])), rng);
}

Tensor kaiming_normal(const Shape& shape, Rng& rng) {
  require_matrix("kaiming_normal", shape);
  return normal(shape, std::sqrt(2.0 / static_cast<double>(std::max<int64_t>(1, shape[1]))), rng);
}

Tensor orthogonal(const Shape& shape, Rng& rng) {
  require_matrix("orthogonal", shape);
  const int64_t vectors = std::min(shape[0], shape[1]), length = std::max(shape[0], shape[1]);
  std::vector<double> q(static_cast<size_t>(vectors * length));
  for (double& v : q) v = rng.normal();
  const auto row = [&](int64_t i) { return q.data() + i * length; };
  for (int64_t i = 0; i < vectors; ++i) {  // Gram-Schmidt, twice for accuracy
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t j = 0; j < i; ++j) {
        double dot = 0;
        for (int64_t k = 0; k < length; ++k) dot += row(i)[k] * row(j)[k];
        for (int64_t k = 0; k < length; ++k) row(i)[k] -= dot * row(j)[k];
      }
    double norm = 0;
    for (int64_t k = 0; k < length; ++k) norm += row(i)[k] * row(i)[k];
    for (int64_t k = 0; k < length; ++k) row(i)[k] /= std::sqrt(norm);
  }
  std::vector<double> w(q.size());
  for (int64_t o = 0; o < shape[0]; ++o)
    for (int64_t i = 0; i < shape[1]; ++i)
      w[static_cast<size_t>(o * shape[1] + i)] = shape[0] <= shape[1] ? row(o)[i] : row(i)[o];
  return leaf(cast(Tensor::from<double>(w, shape), f32));
}

}  // namespace heed::init
