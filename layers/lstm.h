// Long short-term memory.
//   i, f, o = sigmoid(W_i x + b_i + W_h h + b_h)      input, forget, output gates
//   g = tanh(W_ig x + b_ig + W_hg h + b_hg)           candidate
//   c' = f * c + i * g,  h' = o * tanh(c')
#pragma once
#include "layers/recurrent.h"

namespace heed {

struct LstmState {
  Tensors h, c;  // [layer * directions + direction], each [B, H]
};
struct LstmOutput {
  Tensor y;  // [B, T, directions * H]; 0 after a sentence's end
  LstmState state;
};

/// Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000;
/// PyTorch's nn.LSTM, gate order i, f, g, o). Lengths may come in any order, 0 and 1 included; the
/// reverse direction of each sentence starts at that sentence's own end.
///
///     Lstm lstm({.input = 32, .hidden = 64, .layers = 2, .bidirectional = true}, rng);
///     auto [y, state] = lstm(x, Mask::lengths({5, 4, 0}));  // x [3, 5, 32] -> y [3, 5, 128]
struct Lstm {
  RecurrentStack stack;

  Lstm() = default;
  Lstm(const RecurrentOptions& options, Rng& rng) : stack(options, 4, rng) {}

  /// x [B, T, input] over whole sequences. `rng` switches dropout on.
  LstmOutput operator()(const Tensor& x, const Mask& lengths = {}, const LstmState& initial = {},
                        Rng* rng = nullptr) const;
  /// One step, x [B, input]; not for bidirectional or residual stacks. The top layer's h is the
  /// output.
  LstmState step(const Tensor& x, const LstmState& state) const;
  void visit(Visitor& see) { stack.visit(see); }
};

/// One LSTM step from the input's share of the gates, x = W_ih x + b_ih [B, 4 H], and (h, c), made
/// of small ops. Returns {h', c'}.
Tensors lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c,
                  const RecurrentWeights& weights);

}  // namespace heed
