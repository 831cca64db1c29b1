// Lesson 3: a network of two layers learns what one layer cannot: exclusive or.
//
//   run             build/bin/03_two_layers          (seed 1; less than 1 s)
//   last line       4 of 4 right
//
// Everything a training program has is here: layers that own their weights, a loss, a tape, an
// optimiser. Outside the tape the same network just computes.
#include <fmt/format.h>

#include "autograd/ops.h"
#include "layers/linear.h"
#include "optim/adam.h"

using namespace heed;

struct TwoLayers {
  Linear first, second;
  explicit TwoLayers(Rng& rng)
      : first({.in = 2, .out = 8}, rng), second({.in = 8, .out = 2}, rng) {}
  Tensor operator()(const Tensor& x) const { return second(tanh(first(x))); }
  void visit(Visitor& see) { see("first", first), see("second", second); }
};

int main() {
  Rng rng(1);
  TwoLayers network(rng);
  const Tensor x = Tensor::of({{0, 0}, {0, 1}, {1, 0}, {1, 1}});
  const Tensor y = cast(Tensor::of({0, 1, 1, 0}), i64);

  for (const auto& p : parameters(network)) fmt::print("{:<14} {}\n", p.name, p.value.shape());
  Adam adam(parameters(network), {.rate = 0.05});
  for (int step = 1; step <= 100; ++step) {
    Tape tape;
    const Tensor loss = cross_entropy(network(x), y);
    tape.backward(loss);
    adam.step(tape);
    if (step % 20 == 0) fmt::print("step {:3}  loss {:.4f}\n", step, loss.item());
  }

  int right = 0;
  const Tensor p = softmax(network(x));  // no tape: nothing is recorded
  for (int64_t i = 0; i < 4; ++i) {
    const bool says_one = p.at({i, 1}) > 0.5;
    right += says_one == (y.at({i}) == 1);
    fmt::print("{} xor {} = {}   (probability of 1: {:.3f})\n", x.at({i, 0}), x.at({i, 1}),
               says_one ? 1 : 0, p.at({i, 1}));
  }
  fmt::print("{} of 4 right\n", right);
  return right == 4 ? 0 : 1;
}
