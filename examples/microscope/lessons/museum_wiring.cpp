// Decoder steps as the articles wire them: what is missing shows in the ledger.
#include "core/rng.h"
#include "examples/microscope/lessons/museum.h"
#include "examples/microscope/lessons/numbers.h"

namespace heed::microscope {
namespace {

constexpr int64_t kWidth = 3;

// Weights of the step, the same for every wiring.
struct Step {
  Tensor word, state, context;  // [3, 3] each
};
const Step& step_weights() {
  static const Step all = [] {
    Rng rng(30);
    const auto draw = [&] { return Tensor::normal({kWidth, kWidth}, 0, 1, rng, f64); };
    const Tensor a = draw(), b = draw(), c = draw();
    return Step{a, b, c};
  }();
  return all;
}

Tensor of_word(const Tensor& x) {
  return linear(x, step_weights().word, {});
}
Tensor of_state(const Tensor& x) {
  return linear(x, step_weights().state, {});
}
Tensor of_context(const Tensor& x) {
  return linear(x, step_weights().context, {});
}

}  // namespace

const std::vector<Wiring>& wirings() {
  using T = const Tensor&;
  static const std::vector<Wiring> all{
      {"right-step",
       "-",
       {"s' = f(s, [y; c])", "s' = f(s, [y; c])"},
       [](T y, T s, T c) { return tanh(of_word(y) + of_state(s) + of_context(c)); },
       false,
       "done",
       "done",
       2},
      {"no-word",
       "000:144",
       {"the previous word is never fed", "从不喂入前一个词"},
       [](T, T s, T c) { return tanh(of_state(s) + of_context(c)); },
       false,
       "not reached",
       "done",
       2},
      {"c-for-q",
       "003:40",
       {"c in place of the state", "用 c 代替状态"},
       [](T y, T, T c) { return tanh(of_word(y) + of_context(c)); },
       false,
       "done",
       "done",
       1},
      {"softmax-state",
       "004:128",
       {"s' = softmax(W c)", "s' = softmax(W c)"},
       [](T, T, T c) { return softmax(of_context(c)); },
       false,
       "not reached",
       "done",
       1},
      {"detached",
       "-",
       {"weights taken off the tape", "权重脱离了计算图"},
       [](T y, T s, T c) { return tanh(of_word(y) + of_state(s) + of_context(c)); },
       true,
       "done",
       "cut: detach",
       1}};
  return all;
}

Trace trace_of_wiring(const Wiring& wiring) {
  Rng rng(31);
  const Tensor word = normal_leaf({1, kWidth}, rng), state = normal_leaf({1, kWidth}, rng);
  const Tensor h = normal_leaf({4, kWidth}, rng);
  const Tensor goal = Tensor::normal({1, kWidth}, 0, 1, rng, f64);
  return record_run(wiring.name, [&](Recording& recording) {
    for (const auto& [x, name] :
         {std::pair(&word, "word"), std::pair(&state, "s"), std::pair(&h, "H")}) {
      recording.input(*x);
      Tape::active()->name(*x, name);
    }
    const Tensor a = named(softmax(named(matmul_nt(state, h), "e")), "a");
    const Tensor c = named(matmul(wiring.detached ? detach(a) : a, h), "c");
    return named(heed::sum(mul(named(wiring.next(word, state, c), "next"), goal)), "L");
  });
}

}  // namespace heed::microscope
