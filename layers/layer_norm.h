// y = (x - mean x) / sqrt(var x + eps) * gain + bias over the last axis.
#pragma once
#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"

namespace heed {

struct LayerNormOptions {
  int64_t size;
  double eps = 1e-5;
};

/// Layer normalisation (Ba, Kiros & Hinton 2016, arXiv:1607.06450): x [..., size] -> [..., size],
/// with the biased variance of each row. Gain (named "weight", as in PyTorch) 1 and bias 0 at
/// first.
struct LayerNorm {
  Tensor weight, bias;
  double eps = 1e-5;

  LayerNorm() = default;
  explicit LayerNorm(const LayerNormOptions& o)
      : weight(init::constant({o.size}, 1)), bias(init::zeros({o.size})), eps(o.eps) {}

  Tensor operator()(const Tensor& x) const { return layer_norm(x, weight, bias, eps); }
  void visit(Visitor& see) { see("weight", weight), see("bias", bias); }
};

}  // namespace heed
