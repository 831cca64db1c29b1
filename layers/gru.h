// The gated recurrent unit.
//   r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)        reset gate
//   z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)        update gate
//   n = tanh(W_in x + b_in + r * (W_hn h + b_hn))     candidate, reset after the product
//   n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)     candidate, reset before the product
//   h' = (1 - z) * n + z * h
#pragma once
#include "layers/recurrent.h"

namespace heed {

/// Where the reset gate acts: `after` the recurrent product (PyTorch, and the default) or `before`
/// it (Cho et al. 2014, arXiv:1406.1078, eq. 8). The two have different gradients; weights trained
/// with one do not serve the other.
enum class GruReset { after, before };

struct GruState {
  Tensors h;  // [layer * directions + direction], each [B, H]
};
struct GruOutput {
  Tensor y;  // [B, T, directions * H]; 0 after a sentence's end
  GruState state;
};

/// Gated recurrent units (PyTorch's nn.GRU, gate order r, z, n). Lengths may come in any order, 0
/// and 1 included; the reverse direction of each sentence starts at that sentence's own end.
///
///     Gru gru({.input = 8, .hidden = 16, .bidirectional = true}, rng);
///     auto [y, state] = gru(x, Mask::lengths({5, 3}));   // x [2, 5, 8] -> y [2, 5, 32]
struct Gru {
  RecurrentStack stack;
  GruReset reset = GruReset::after;

  Gru() = default;
  Gru(const RecurrentOptions& options, Rng& rng, GruReset where = GruReset::after)
      : stack(options, 3, rng), reset(where) {}

  /// x [B, T, input] over whole sequences. `rng` switches dropout on.
  GruOutput operator()(const Tensor& x, const Mask& lengths = {}, const GruState& initial = {},
                       Rng* rng = nullptr) const;
  /// One step, x [B, input]; not for bidirectional or residual stacks. The top layer's h is the
  /// output.
  GruState step(const Tensor& x, const GruState& state) const;
  void visit(Visitor& see) { stack.visit(see); }
};

/// One GRU step from the input's share of the gates, x = W_ih x + b_ih [B, 3 H], and h [B, H], made
/// of small ops.
Tensor gru_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& weights,
                GruReset reset = GruReset::after);

}  // namespace heed
