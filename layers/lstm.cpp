#include "layers/lstm.h"

namespace heed {

Tensors lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const RecurrentWeights& w) {
  const auto a = split(x + linear(h, w.weight_hh, w.bias_hh), 1, 4);
  const Tensor i = sigmoid(a[0]), f = sigmoid(a[1]), g = tanh(a[2]), o = sigmoid(a[3]);
  const Tensor next = f * c + i * g;
  return {o * tanh(next), next};
}

LstmOutput Lstm::operator()(const Tensor& x, const Mask& lengths, const LstmState& initial,
                            Rng* rng) const {
  require_defined("Lstm", "x", x);
  const int64_t batch = x.rank() == 3 ? x.shape()[0] : 0;
  LstmState state{detail::states_or_zeros("Lstm", stack, initial.h, batch, x.dtype()),
                  detail::states_or_zeros("Lstm", stack, initial.c, batch, x.dtype())};
  const auto run = [&](const Tensor& in, size_t i, const SequenceOptions& o) {
    const RecurrentWeights& w = stack.weights[i];
    const Tensor gates = linear(in, w.weight_ih, w.bias_ih);
    const auto cell = [&](const Tensor& g, const Tensors& s) {
      return lstm_cell(g, s[0], s[1], w);
    };
    const Recurrence r =
        stack.options.fused
            ? lstm_sequence(gates, state.h[i], state.c[i], w.weight_hh, w.bias_hh, o)
            : detail::run_steps(gates, {state.h[i], state.c[i]}, o, cell);
    state.h[i] = r.h;
    state.c[i] = r.c;
    return r.y;
  };
  Tensor y = detail::run_stack(stack, "Lstm", x, lengths, rng, std::cref(run));
  return {y, state};
}

LstmState Lstm::step(const Tensor& x, const LstmState& state) const {
  detail::check_step("Lstm::step", stack.options, x);
  return (*this)(reshape(x, {x.shape()[0], 1, x.shape()[1]}), {}, state).state;
}

}  // namespace heed
