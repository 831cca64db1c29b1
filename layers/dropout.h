// Dropout that is visible at the call: it happens when a generator is passed, and only then. There
// is no training mode to forget.
#pragma once
#include <utility>

#include "autograd/ops.h"
#include "core/rng.h"

namespace heed {

/// Zeroes each element with probability `p` and scales the rest by 1 / (1 - p) (Srivastava et al.
/// 2014); the identity when `rng` is null or p is 0. Has no parameters.
struct Dropout {
  double p = 0;
  Tensor operator()(Tensor x, Rng* rng) const {
    return rng && p > 0 ? dropout(std::move(x), p, rng->next_key()) : x;
  }
};

}  // namespace heed
