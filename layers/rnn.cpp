#include "layers/rnn.h"

namespace heed {

RnnOutput Rnn::operator()(const Tensor& x, const Mask& lengths, const RnnState& initial,
                          Rng* rng) const {
  require_defined("Rnn", "x", x);
  RnnState state{detail::states_or_zeros("Rnn", stack, initial.h, x.rank() == 3 ? x.shape()[0] : 0,
                                         x.dtype())};
  const auto run = [&](const Tensor& in, size_t i, const SequenceOptions& o) {
    const RecurrentWeights& w = stack.weights[i];
    const Tensor gates = linear(in, w.weight_ih, w.bias_ih);
    const auto cell = [&](const Tensor& g, const Tensors& s) {
      return Tensors{tanh(g + linear(s[0], w.weight_hh, w.bias_hh))};
    };
    const Recurrence r = stack.options.fused
                             ? rnn_sequence(gates, state.h[i], w.weight_hh, w.bias_hh, o)
                             : detail::run_steps(gates, {state.h[i]}, o, cell);
    state.h[i] = r.h;
    return r.y;
  };
  Tensor y = detail::run_stack(stack, "Rnn", x, lengths, rng, std::cref(run));
  return {y, state};
}

RnnState Rnn::step(const Tensor& x, const RnnState& state) const {
  detail::check_step("Rnn::step", stack.options, x);
  return (*this)(reshape(x, {x.shape()[0], 1, x.shape()[1]}), {}, state).state;
}

}  // namespace heed
