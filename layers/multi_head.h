// Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2.2): N scaled dot products
// side by side, each on its own projection of queries, keys and values.
//   head[n] = softmax(q[n] k[n]^T / sqrt(d)) v[n],   q[n] = W_q[n] x + b_q[n], k and v likewise
//   y = W_o [head[0]; ...; head[N-1]] + b_o,         d = E / N
// Names and shapes are those of PyTorch's nn.MultiheadAttention, always batch first. Other scores
// than the scaled dot are in attention.h.
#pragma once
#include "autograd/ops.h"
#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

struct MultiHeadOptions {
  int64_t query;       // E, size of the queries and of the result; N divides it
  int64_t key = 0;     // K, size of the keys; 0: as the query
  int64_t value = 0;   // V, size of the values; 0: as the query
  int64_t heads = 1;   // N
  double dropout = 0;  // on the weights
  bool bias = true;    // of all four projections
};

/// What is attended to, projected once: per sentence for another sequence, and step by step for a
/// sequence that grows (see MultiHead::self). Heads are views of it.
struct HeadMemory {
  Tensor keys, values;  // [B, S, N, d]
  Mask mask;            // over S
};

/// y [B, T, E], and every head's weights [B, N, T, S] before dropout. Rows of the weights sum to 1;
/// a row whose positions are all masked is 0, and its y is the output bias alone.
struct MultiHeadOutput {
  Tensor y, weights;
};

/// The same, and the keys and values that were attended to: hand them to the next step.
struct SelfAttended {
  Tensor y, weights;
  HeadMemory memory;
};

///     MultiHead f({.query = 8, .heads = 2}, rng);
///     auto [y, weights] = f(x, f.memory(keys, Mask::lengths({5, 3})));   // cross
///     auto own = f.self(x, Mask::causal());                              // self
struct MultiHead {
  MultiHeadOptions options;
  Tensor in_proj_weight;                               // [3 E, E]: W_q, W_k, W_v, when K = V = E
  Tensor q_proj_weight, k_proj_weight, v_proj_weight;  // [E, E], [E, K], [E, V] otherwise
  Tensor in_proj_bias;                                 // [3 E], zero at first
  Linear out_proj;                                     // W_o [E, E], b_o zero at first

  MultiHead() = default;
  /// Projections are uniform by Glorot & Bengio's bound, W_o within 1 / sqrt(E) (as PyTorch).
  /// Throws std::invalid_argument when N does not divide E.
  MultiHead(const MultiHeadOptions& options, Rng& rng);

  /// Projects keys [B, S, K] and values [B, S, V] (the keys unless given), with a mask over S.
  HeadMemory memory(const Tensor& keys, const Mask& mask = {}, const Tensor& values = {}) const;
  /// Queries [B, T, E] over a memory. `mask` adds to the memory's: it is over [B, N, T, S], so
  /// Mask::causal, Mask::lengths, Mask::keep of shape [S], [B, S] or all four. Dropout only with a
  /// generator.
  MultiHeadOutput operator()(const Tensor& query, const HeadMemory& memory, const Mask& mask = {},
                             Rng* rng = nullptr) const;
  /// Self-attention of x [B, T, E] with one product for all three projections (K = V = E). With
  /// `past` of S positions, x stands at positions S ... S + T - 1 and attends to these as well; the
  /// mask is over all S + T: Mask::causal(S) for step-by-step decoding.
  SelfAttended self(const Tensor& x, const Mask& mask = {}, Rng* rng = nullptr,
                    const HeadMemory& past = {}) const;
  void visit(Visitor& see);
};

}  // namespace heed
