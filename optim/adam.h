// Adam, and AdamW with the weight decay outside of the moments. No AMSGrad.
#pragma once
#include "optim/optimizer.h"

namespace heed {
namespace detail {

/// What Adam and AdamW share: the moments, and tables whose rows may rest.
class AdamUpdates : public Optimizer {
 public:
  struct Numbers {
    double beta1, beta2, eps;
    double l2 = 0, decay = 0;  // weight decay inside of the moments (Adam), outside (AdamW)
  };

 protected:
  AdamUpdates(const char* name, const Parameters& parameters, double first_rate,
              const std::vector<std::string>& frozen, bool all_used, const Numbers& numbers);

 private:
  void begin_update(Item& item, const Gradients::Entry& gradient,
                    std::vector<Range>& ranges) override;
  void update(Item& item, const Tensor& gradient, Range range) override;
  Numbers numbers_;
};

}  // namespace detail

struct AdamOptions {
  double rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;     // in [0, 1)
  double eps = 1e-8;                     // > 0
  double weight_decay = 0;               // lambda: L2, added to the gradient
  std::vector<std::string> frozen = {};  // see Optimizer
  bool all_used = true;
};

/// With gradient g, weight w, and t the number of updates of this parameter, this one included:
///   d = g + lambda w
///   m = beta1 m + (1 - beta1) d
///   v = beta2 v + (1 - beta2) d^2
///   w -= rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
/// Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1; the L2 term as PyTorch's Adam. State: "m", "v".
///
/// The rows of a table that were not looked up (Gradients::Entry::rows) go on moving by their m, as
/// the formula says, until what is left of that movement, all of it together, is below 1e-6 of the
/// rate (154 updates with the usual betas). Then they rest at no cost, with m = 0, and v catches up
/// when they are looked up again. With weight decay every row moves in every update.
class Adam final : public detail::AdamUpdates {
 public:
  explicit Adam(const Parameters& parameters, const AdamOptions& options = {});
};

struct AdamWOptions {
  double rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;  // lambda: the share rate * lambda of every weight is taken off
  std::vector<std::string> frozen = {};  // see Optimizer
  bool all_used = true;
};

/// Adam with decoupled weight decay: d = g, and the last line is
///   w -= rate * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + rate * lambda w
/// Loshchilov & Hutter 2019 (arXiv:1711.05101), algorithm 2, with the rate in the decay too, as
/// PyTorch's AdamW. State: "m", "v".
class AdamW final : public detail::AdamUpdates {
 public:
  explicit AdamW(const Parameters& parameters, const AdamWOptions& options = {});
};

}  // namespace heed
