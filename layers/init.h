// First values of parameters. Each returns a new tensor that is a leaf.
#pragma once
#include "autograd/leaf.h"
#include "core/rng.h"

namespace heed::init {

Tensor zeros(const Shape& shape);
Tensor constant(const Shape& shape, double value);
/// Uniform in [-bound, bound).
Tensor uniform(const Shape& shape, double bound, Rng& rng);
Tensor normal(const Shape& shape, double deviation, Rng& rng);
/// PyTorch's default of linear and recurrent layers: uniform within 1 / sqrt(fan).
Tensor fan(const Shape& shape, int64_t fan, Rng& rng);
/// Uniform within sqrt(6 / (in + out)) for a weight [out, in] (Glorot & Bengio 2010, eq. 16).
Tensor xavier_uniform(const Shape& shape, Rng& rng);
/// Normal with variance 2 / in for a weight [out, in] (He et al. 2015, eq. 10).
Tensor kaiming_normal(const Shape& shape, Rng& rng);
/// A weight [out, in] with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014).
Tensor orthogonal(const Shape& shape, Rng& rng);

}  // namespace heed::init
