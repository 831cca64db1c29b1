// What Rnn, Gru and Lstm share: stacking, directions, lengths, dropout between layers. The
// equations are in rnn.h, gru.h and lstm.h; the loops over time in autograd/ops_rnn.cpp.
#pragma once
#include <vector>

#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/layer.h"

namespace heed {

struct RecurrentOptions {
  int64_t input, hidden;
  int64_t layers = 1;
  bool bidirectional = false;
  double dropout = 0;  // on the output of every layer but the last, when a generator is passed
  bool bias = true;
  bool fused = true;      // false: the same equations composed from small ops, one node each
  bool residual = false;  // the output of every layer but the first is added to its input
};

/// The weights of one direction of one layer: n = 1, 3 or 4 gates of H units.
struct RecurrentWeights {
  Tensor weight_ih;         // [n H, input]
  Tensor weight_hh;         // [n H, H]
  Tensor bias_ih, bias_hh;  // [n H], or undefined
};

/// A stack of recurrent layers. Parameters are named as in PyTorch: weight_ih_l0, weight_hh_l0,
/// bias_ih_l0, bias_hh_l0, and ..._l0_reverse; all uniform within 1 / sqrt(H) at first.
struct RecurrentStack {
  RecurrentOptions options;
  std::vector<RecurrentWeights> weights;  // [layer * directions + direction]

  RecurrentStack() = default;
  RecurrentStack(const RecurrentOptions& o, int64_t gates, Rng& rng);
  int64_t directions() const { return options.bidirectional ? 2 : 1; }
  void visit(Visitor& see);
};

namespace detail {

/// Runs one direction of one layer: x [B, T, in], index into weights and states, reverse. Pass a
/// std::cref of a lambda that captures much: a copy of it would take memory in every step.
using RunLayer =
    std::function<Tensor(const Tensor& x, size_t index, const SequenceOptions& options)>;

/// The stack over x [B, T, input]: y [B, T, directions * H].
Tensor run_stack(const RecurrentStack& stack, std::string_view name, const Tensor& x,
                 const Mask& mask, Rng* rng, const RunLayer& run);

/// One step of a cell made of small ops: (input share of the gates at t, states) -> new states.
using CellStep = std::function<Tensors(const Tensor& x, const Tensors&)>;

/// A whole sequence step by step: the composed twin of the fused ops. states[0] is the output.
Recurrence run_steps(const Tensor& x, Tensors states, const SequenceOptions& options,
                     const CellStep& step);

/// Throws std::invalid_argument unless this stack can take x [B, input] as one step.
void check_step(std::string_view name, const RecurrentOptions& options, const Tensor& x);

/// `given` as states [B, H], one per layer and direction; zeros where it is empty.
Tensors states_or_zeros(std::string_view name, const RecurrentStack& stack, const Tensors& given,
                        int64_t batch, DType dtype);

}  // namespace detail
}  // namespace heed
