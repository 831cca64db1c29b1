// Stochastic gradient descent. No dampening, no averaging.
#pragma once
#include "optim/optimizer.h"

namespace heed {

struct SgdOptions {
  double rate = 1e-2;
  double momentum = 0;                   // mu in [0, 1)
  bool nesterov = false;                 // needs momentum
  double weight_decay = 0;               // lambda: L2, added to the gradient
  std::vector<std::string> frozen = {};  // see Optimizer
  bool all_used = true;
};

/// With gradient g, weight w and velocity u (0 at first):
///   d = g + lambda w
///   u = mu u + d
///   w -= rate * u             momentum 0: w -= rate * d
///   w -= rate * (d + mu u)    Nesterov
/// Momentum: Polyak 1964; Nesterov's form as Sutskever et al. 2013 (ICML) use it. The rate stands
/// outside of the velocity, as in PyTorch's SGD. State: "velocity", with momentum only.
class Sgd final : public Optimizer {
 public:
  explicit Sgd(const Parameters& parameters, const SgdOptions& options = {});

 private:
  void update(Item& item, const Tensor& gradient, Range range) override;
  SgdOptions options_;
};

}  // namespace heed
