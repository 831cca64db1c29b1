// RMSprop: the gradient divided by a running estimate of its size.
#pragma once
#include "optim/optimizer.h"

namespace heed {

struct RmspropOptions {
  double rate = 1e-2;
  double alpha = 0.99;                   // in [0, 1): how much of the estimate stays
  double eps = 1e-8;                     // > 0
  double momentum = 0;                   // mu in [0, 1)
  bool centered = false;                 // divide by the deviation instead of the root mean square
  double weight_decay = 0;               // lambda: L2, added to the gradient
  std::vector<std::string> frozen = {};  // see Optimizer
  bool all_used = true;
};

/// With gradient g, weight w, and s, a, u all 0 at first:
///   d = g + lambda w
///   s = alpha s + (1 - alpha) d^2
///   a = alpha a + (1 - alpha) d                   centered only, else a stays 0
///   u = mu u + d / (sqrt(s - a^2) + eps)
///   w -= rate * u
/// Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5; centered after Graves
/// 2013 (arXiv:1308.0850), eq. 38-45; eps outside of the root and no bias correction, as PyTorch's
/// RMSprop. State: "square", and "mean" and "velocity" where they are used.
class Rmsprop final : public Optimizer {
 public:
  explicit Rmsprop(const Parameters& parameters, const RmspropOptions& options = {});

 private:
  void update(Item& item, const Tensor& gradient, Range range) override;
  RmspropOptions options_;
};

}  // namespace heed
