// y = x W^T + b.
#pragma once
#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"

namespace heed {

struct LinearOptions {
  int64_t in, out;
  bool bias = true;
};

/// An affine map of the last axis: x [..., in] -> [..., out]. Weight [out, in], bias [out], both
/// uniform within 1 / sqrt(in) at first (PyTorch's nn.Linear).
///
///     Linear f({.in = 3, .out = 2}, rng);
///     Tensor y = f(x);    // [5, 3] -> [5, 2]
struct Linear {
  Tensor weight, bias;

  Linear() = default;
  Linear(const LinearOptions& o, Rng& rng)
      : weight(init::fan({o.out, o.in}, o.in, rng)),
        bias(o.bias ? init::fan({o.out}, o.in, rng) : Tensor{}) {}

  Tensor operator()(const Tensor& x) const { return linear(x, weight, bias); }
  void visit(Visitor& see) { see("weight", weight), see("bias", bias); }
};

}  // namespace heed
