#include "layers/recurrent.h"

#include "core/scope.h"
#include "layers/dropout.h"

namespace heed {

RecurrentStack::RecurrentStack(const RecurrentOptions& o, int64_t gates, Rng& rng) : options(o) {
  require(o.input > 0 && o.hidden > 0 && o.layers > 0,
          "recurrent layer: expected input, hidden and layers >= 1, got {}, {}, {}", o.input,
          o.hidden, o.layers);
  require(o.dropout >= 0 && o.dropout < 1, "recurrent layer: expected dropout in [0, 1), got {}",
          o.dropout);
  const int64_t rows = gates * o.hidden;
  for (int64_t layer = 0; layer < o.layers; ++layer)
    for (int64_t d = 0; d < directions(); ++d) {
      const int64_t in = layer == 0 ? o.input : o.hidden * directions();
      RecurrentWeights w;
      w.weight_ih = init::fan({rows, in}, o.hidden, rng);
      w.weight_hh = init::fan({rows, o.hidden}, o.hidden, rng);
      if (o.bias) {
        w.bias_ih = init::fan({rows}, o.hidden, rng);
        w.bias_hh = init::fan({rows}, o.hidden, rng);
      }
      weights.push_back(std::move(w));
    }
}

void RecurrentStack::visit(Visitor& see) {
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto d = static_cast<size_t>(directions());
    const std::string end = fmt::format("_l{}{}", i / d, i % d == 1 ? "_reverse" : "");
    RecurrentWeights& w = weights[i];
    see("weight_ih" + end, w.weight_ih);
    see("weight_hh" + end, w.weight_hh);
    see("bias_ih" + end, w.bias_ih);
    see("bias_hh" + end, w.bias_hh);
  }
}

namespace detail {

Tensor run_stack(const RecurrentStack& stack, std::string_view name, const Tensor& x,
                 const Mask& mask, Rng* rng, const RunLayer& run) {
  const RecurrentOptions& o = stack.options;
  require_defined(name, "x", x);
  require(x.rank() == 3 && x.shape()[2] == o.input, "{}: expected x [B, T, {}], got {}", name,
          o.input, x.shape());
  const auto lengths = mask.lengths_of(name, x.shape()[0], x.shape()[1]);
  const Dropout between{o.dropout};
  Tensor y = x;
  for (int64_t layer = 0; layer < o.layers; ++layer) {
    const Scope scope("layer", layer);
    if (layer > 0) y = between(y, rng);
    const auto first = static_cast<size_t>(layer * stack.directions());
    Tensor above = run(y, first, {.lengths = lengths, .reverse = false});
    if (o.bidirectional) {
      const Scope back("reverse");
      const Tensor backward = run(y, first + 1, {.lengths = lengths, .reverse = true});
      above = concat({above, backward}, 2);
    }
    y = o.residual && layer > 0 ? above + y : above;
  }
  return y;
}

Recurrence run_steps(const Tensor& x, Tensors states, const SequenceOptions& options,
                     const CellStep& step) {
  const int64_t batch = x.shape()[0], steps = x.shape()[1], hidden = states[0].shape()[1];
  Tensors y(static_cast<size_t>(steps));
  const Tensor nothing = Tensor::zeros({batch, hidden}, x.dtype());
  for (int64_t s = 0; s < steps; ++s) {
    const int64_t t = options.reverse ? steps - 1 - s : s;
    const Scope scope("step", t);
    // A sentence that has ended (walking back: not begun) keeps its state and has output 0.
    std::vector<int64_t> active(static_cast<size_t>(batch), 1);
    for (size_t b = 0; b < options.lengths.size(); ++b) active[b] = t < options.lengths[b];
    const Tensor on = Tensor::ids(active, {batch, 1});
    const auto next = step(select(x, 1, t), states);
    for (size_t k = 0; k < states.size(); ++k) states[k] = where(on, next[k], states[k]);
    y[static_cast<size_t>(t)] = where(on, next[0], nothing);
  }
  const Tensor all = steps > 0 ? stack(y, 1) : Tensor::zeros({batch, 0, hidden}, x.dtype());
  return {all, states[0], states.size() > 1 ? states[1] : Tensor{}};
}

void check_step(std::string_view name, const RecurrentOptions& o, const Tensor& x) {
  require(!o.bidirectional, "{}: a bidirectional layer needs whole sequences", name);
  require(!o.residual || o.layers == 1,
          "{}: the output of a residual stack is not its state; give it whole sequences", name);
  require(x.defined() && x.rank() == 2, "{}: expected x [B, {}], got {}", name, o.input, x);
}

Tensors states_or_zeros(std::string_view name, const RecurrentStack& stack, const Tensors& given,
                        int64_t batch, DType dtype) {
  const Shape shape{batch, stack.options.hidden};
  if (given.empty()) return {stack.weights.size(), Tensor::zeros(shape, dtype)};
  require(given.size() == stack.weights.size(),
          "{}: expected {} states (layers x directions), got {}", name, stack.weights.size(),
          given.size());
  for (const Tensor& t : given) require_shape(name, "a state", t, shape);
  return given;
}

}  // namespace detail
}  // namespace heed
