#include "layers/gru.h"

namespace heed {

Tensor gru_cell(const Tensor& x, const Tensor& h, const RecurrentWeights& w, GruReset reset) {
  const int64_t n = h.shape().back();
  const auto in = split(x, 1, 3);
  const auto bias = [&](int64_t from, int64_t to) {
    return w.bias_hh.defined() ? slice(w.bias_hh, 0, from, to) : Tensor{};
  };
  if (reset == GruReset::after) {
    const auto g = split(linear(h, w.weight_hh, w.bias_hh), 1, 3);
    const Tensor r = sigmoid(in[0] + g[0]), z = sigmoid(in[1] + g[1]);
    const Tensor c = tanh(in[2] + r * g[2]);
    return c + z * (h - c);
  }
  const auto g = split(linear(h, slice(w.weight_hh, 0, 0, 2 * n), bias(0, 2 * n)), 1, 2);
  const Tensor r = sigmoid(in[0] + g[0]), z = sigmoid(in[1] + g[1]);
  const Tensor c =
      tanh(in[2] + linear(r * h, slice(w.weight_hh, 0, 2 * n, 3 * n), bias(2 * n, 3 * n)));
  return c + z * (h - c);
}

GruOutput Gru::operator()(const Tensor& x, const Mask& lengths, const GruState& initial,
                          Rng* rng) const {
  require_defined("Gru", "x", x);
  GruState state{detail::states_or_zeros("Gru", stack, initial.h, x.rank() == 3 ? x.shape()[0] : 0,
                                         x.dtype())};
  const bool fused = stack.options.fused && reset == GruReset::after;
  const auto run = [&](const Tensor& in, size_t i, const SequenceOptions& o) {
    const RecurrentWeights& w = stack.weights[i];
    const Tensor gates = linear(in, w.weight_ih, w.bias_ih);
    const auto cell = [&](const Tensor& g, const Tensors& s) {
      return Tensors{gru_cell(g, s[0], w, reset)};
    };
    const Recurrence r = fused ? gru_sequence(gates, state.h[i], w.weight_hh, w.bias_hh, o)
                               : detail::run_steps(gates, {state.h[i]}, o, cell);
    state.h[i] = r.h;
    return r.y;
  };
  Tensor y = detail::run_stack(stack, "Gru", x, lengths, rng, std::cref(run));
  return {y, state};
}

GruState Gru::step(const Tensor& x, const GruState& state) const {
  detail::check_step("Gru::step", stack.options, x);
  return (*this)(reshape(x, {x.shape()[0], 1, x.shape()[1]}), {}, state).state;
}

}  // namespace heed
