// The simple recurrent layer: h[t] = tanh(W_ih x[t] + b_ih + W_hh h[t-1] + b_hh).
#pragma once
#include "layers/recurrent.h"

namespace heed {

/// The state of every layer and direction, each [B, H].
struct RnnState {
  Tensors h;  // [layer * directions + direction]
};
struct RnnOutput {
  Tensor y;  // [B, T, directions * H]; 0 after a sentence's end
  RnnState state;
};

/// Elman's recurrence with tanh (Elman 1990; PyTorch's nn.RNN). Lengths may come in any order, 0
/// and 1 included; the reverse direction of each sentence starts at that sentence's own end.
struct Rnn {
  RecurrentStack stack;

  Rnn() = default;
  Rnn(const RecurrentOptions& options, Rng& rng) : stack(options, 1, rng) {}

  /// x [B, T, input] over whole sequences. `rng` switches dropout on.
  RnnOutput operator()(const Tensor& x, const Mask& lengths = {}, const RnnState& initial = {},
                       Rng* rng = nullptr) const;
  /// One step, x [B, input]; not for bidirectional or residual stacks. The top layer's h is the
  /// output.
  RnnState step(const Tensor& x, const RnnState& state) const;
  void visit(Visitor& see) { stack.visit(see); }
};

}  // namespace heed
