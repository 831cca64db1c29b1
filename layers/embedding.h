// A table of vectors, one per id.
#pragma once
#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"

namespace heed {

struct EmbeddingOptions {
  int64_t count, size;   // V ids, vectors of E numbers
  double deviation = 1;  // of the first values (PyTorch: 1)
};

/// ids i64 [...] -> vectors [..., size]. Weight [count, size], normal at first (PyTorch's
/// nn.Embedding). Throws std::invalid_argument with id, position and count when an id is not in
/// [0, count).
struct Embedding {
  Tensor weight;

  Embedding() = default;
  Embedding(const EmbeddingOptions& o, Rng& rng)
      : weight(init::normal({o.count, o.size}, o.deviation, rng)) {}

  Tensor operator()(const Tensor& ids) const { return embedding(weight, ids); }
  void visit(Visitor& see) { see("weight", weight); }
};

}  // namespace heed
