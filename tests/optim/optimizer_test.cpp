// What all optimisers share: which parameters move, what is refused and in which words, saved
// state, and that they find a minimum.
#include "optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/kernels.h"
#include "optim/adam.h"
#include "optim/clip.h"
#include "optim/make_optimizer.h"
#include "optim/sgd.h"
#include "tests/optim/optim_checks.h"

namespace heed {
namespace {

using V = std::vector<double>;
using Text = std::string;

const char* const kNames[] = {"sgd", "adam", "adamw", "rmsprop"};

Tensor one(double x, DType dtype = f64) {
  return Tensor::of({x}, dtype);
}

// ---- which parameters move ----

TEST(Optimizer, MovesTheModelAndNotACopy) {
  const Tensor w = leaf(one(1));
  const Tensor handle = w;
  Sgd sgd({{"w", w}}, {.rate = 0.5});
  Tape tape;
  tape.backward(sum(square(w)));
  sgd.step(tape);
  EXPECT_EQ(handle.item(), 0);
}

TEST(Optimizer, NamesEveryParameterWithoutAGradientInTheFirstStep) {
  const Tensor a = leaf(one(1)), b = leaf(one(2)), c = leaf(one(3));
  Adam adam({{"a", a}, {"encoder.b", b}, {"c", c}});
  expect_error<std::logic_error>(
      [&] {
        adam.step(gradients_of({{a, one(1)}}));
      },
      "adam: the first step has no gradient for 'encoder.b', 'c'; the loss does not depend on "
      "them, or not through this tape (a detach, a forward pass before the tape). Use them, list "
      "them in `frozen`, or set `all_used = false` if only some steps use them");
  EXPECT_EQ(a.item(), 1) << "nothing may move in a step that is refused";
  EXPECT_EQ(adam.steps(), 0);
  EXPECT_THROW(adam.step(Gradients{}), std::logic_error);
}

TEST(Optimizer, LeavesFrozenParametersAlone) {
  const Tensor a = leaf(one(1)), b = leaf(one(2)), c = leaf(one(3));
  Sgd sgd({{"a", a}, {"b", b}, {"c", c}}, {.rate = 1, .frozen = {"b", "c"}});
  sgd.step(gradients_of({{a, one(1)}, {b, one(1)}}));
  EXPECT_EQ(a.item(), 0);
  EXPECT_EQ(b.item(), 2);
  EXPECT_EQ(c.item(), 3);
}

TEST(Optimizer, LaterStepsSkipWhatHasNoGradient) {
  // b is skipped once: it must stay, and afterwards behave as if that step had never been.
  const Tensor a = leaf(one(1)), b = leaf(one(1)), alone = leaf(one(1));
  Adam both({{"a", a}, {"b", b}}), single({{"b", alone}});
  both.step(gradients_of({{a, one(1)}, {b, one(1)}}));
  const double before = b.item();
  both.step(gradients_of({{a, one(1)}}));
  EXPECT_EQ(b.item(), before);
  both.step(gradients_of({{a, one(1)}, {b, one(-3)}}));
  single.step(gradients_of({{alone, one(1)}}));
  single.step(gradients_of({{alone, one(-3)}}));
  EXPECT_EQ(b.item(), alone.item());
  both.step(Gradients{});  // nothing at all, not an error any more
  EXPECT_EQ(b.item(), alone.item());
  EXPECT_EQ(both.steps(), 4);
}

TEST(Optimizer, MayBeToldThatSomeStepsUseOnlyAPart) {
  for (const char* name : kNames) {
    const Tensor a = leaf(one(1)), b = leaf(one(2));
    const auto optimizer = make_optimizer(name, {{"a", a}, {"b", b}}, {.all_used = false});
    optimizer->step(gradients_of({{a, one(1)}}));
    EXPECT_LT(a.item(), 1) << name;
    EXPECT_EQ(b.item(), 2) << name;
    optimizer->step(gradients_of({{b, one(1)}}));
    EXPECT_LT(b.item(), 2) << name;
  }
}

TEST(Optimizer, PassesOverGradientsOfOtherLeaves) {
  const Tensor a = leaf(one(1)), input = leaf(one(2));
  Sgd sgd({{"a", a}}, {.rate = 1});
  sgd.step(gradients_of({{input, one(1)}, {a, one(1)}}));
  EXPECT_EQ(a.item(), 0);
  EXPECT_EQ(input.item(), 2);
}

TEST(Optimizer, TakesAStridedGradient) {
  const Tensor w = leaf(Tensor::zeros({2, 2}, f64));
  const Tensor left = slice(Tensor::of({{1, 2, 9}, {3, 4, 9}}, f64), 1, 0, 2);
  ASSERT_FALSE(left.dense());
  Sgd sgd({{"w", w}}, {.rate = 1});
  sgd.step(gradients_of({{w, left}}));
  EXPECT_EQ(w.to_vector(), (V{-1, -2, -3, -4}));
}

TEST(Optimizer, StepInsideALiveTapeIsNoticed) {
  const Tensor w = leaf(one(3));
  for (const char* name : kNames) {
    const auto optimizer = make_optimizer(name, {{"w", w}});
    Tape tape;
    const Tensor loss = sum(square(w));  // saves w
    optimizer->step(gradients_of({{w, one(1)}}));
    expect_error<std::logic_error>(
        [&] { tape.backward(loss); },
        "backward of square: its saved tensor 'x' [1] was changed in place after the forward pass; "
        "change a clone(x), or change it after backward");
  }
}

// ---- what is refused ----

TEST(Optimizer, RefusesListsThatCannotBeTrained) {
  const Tensor w = leaf(one(1));
  const auto make = [](const Parameters& p, std::vector<Text> frozen = {}) {
    return [=] { Sgd(p, {.frozen = frozen}); };
  };
  using Bad = std::invalid_argument;
  expect_error<Bad>(make({}), "sgd: expected a list of parameters, got an empty one");
  expect_error<Bad>(make({{"w", w}, {"", leaf(one(1))}}),
                    "sgd: expected a name for every parameter, but number 1 has none");
  expect_error<Bad>(make({{"w", one(1)}}),
                    "sgd: expected leaves, but 'w' is not one; make it with leaf(x)");
  expect_error<Bad>(make({{"w", Tensor{}}}),
                    "sgd: expected leaves, but 'w' is not one; make it with leaf(x)");
  expect_error<Bad>(make({{"w", leaf(slice(Tensor::zeros({2, 3}), 1, 0, 2))}}),
                    "sgd: expected dense memory, but 'w' is a strided view; use clone(x)");
  expect_error<Bad>(make({{"w", w}, {"w", leaf(one(1))}}), "sgd: two parameters are named 'w'");
  expect_error<Bad>(make({{"w", w}, {"u", w}}),
                    "sgd: 'w' and 'u' are the same leaf; list weights that are shared once");
  expect_error<Bad>(make({{"w", w}}, {"v"}), "sgd: there is no parameter 'v' to freeze");
  expect_error<Bad>(make({{"w", w}}, {"w"}),
                    "sgd: every parameter is frozen; there is nothing to train");
}

TEST(Optimizer, RefusesOptionsOutOfRange) {
  const Parameters p{{"w", leaf(one(1))}};
  const auto refused = [&](const char* name, const OptimizerOptions& o, const Text& text) {
    expect_error<std::invalid_argument>([&] { make_optimizer(name, p, o); }, text);
  };
  refused("sgd", {.rate = -0.1}, "sgd: expected rate in [0, inf), got -0.1");
  refused("sgd", {.rate = NAN}, "sgd: expected rate in [0, inf), got nan");
  refused("sgd", {.rate = INFINITY}, "sgd: expected rate in [0, inf), got inf");
  refused("sgd", {.momentum = 1}, "sgd: expected momentum in [0, 1), got 1");
  refused("sgd", {.weight_decay = -1}, "sgd: expected weight_decay in [0, inf), got -1");
  refused("sgd", {.nesterov = true},
          "sgd: Nesterov's form needs momentum; set it, 0.9 for example");
  refused("adam", {.beta1 = 1}, "adam: expected beta1 in [0, 1), got 1");
  refused("adam", {.beta2 = -0.5}, "adam: expected beta2 in [0, 1), got -0.5");
  refused("adam", {.weight_decay = NAN}, "adam: expected weight_decay in [0, inf), got nan");
  refused("adamw", {.eps = 0}, "adamw: expected eps > 0, got 0");
  refused("rmsprop", {.alpha = 1.5}, "rmsprop: expected alpha in [0, 1), got 1.5");
  refused("rmsprop", {.momentum = -1}, "rmsprop: expected momentum in [0, 1), got -1");
  refused("rmsprop", {.eps = -1}, "rmsprop: expected eps > 0, got -1");
}

TEST(Optimizer, RefusesGradientsThatDoNotFit) {
  const Tensor w = leaf(Tensor::zeros({2, 3}));
  Sgd sgd({{"w", w}});
  expect_error<std::invalid_argument>(
      [&] {
        sgd.step(gradients_of({{w, Tensor::zeros({3, 2})}}));
      },
      "sgd: expected a gradient f32 [2, 3] for 'w', got f32 [3, 2]");
  expect_error<std::invalid_argument>(
      [&] {
        sgd.step(gradients_of({{w, Tensor::zeros({2, 3}, f64)}}));
      },
      "sgd: expected a gradient f32 [2, 3] for 'w', got f64 [2, 3]");
  sgd.rate = -1;
  expect_error<std::invalid_argument>(
      [&] {
        sgd.step(gradients_of({{w, w}}));
      },
      "sgd: expected rate in [0, inf), got -1");
}

// ---- by name ----

TEST(MakeOptimizer, KnowsEachByItsName) {
  const Parameters p{{"w", leaf(one(1))}};
  for (const char* name : kNames) EXPECT_EQ(make_optimizer(name, p)->name(), name);
  EXPECT_EQ(make_optimizer("adam", p)->rate, 1e-3);
  EXPECT_EQ(make_optimizer("rmsprop", p, {.rate = 0.5})->rate, 0.5);
  expect_error<std::invalid_argument>(
      [&] { make_optimizer("adagrad", p); },
      "expected an optimizer sgd, adam, adamw or rmsprop, got 'adagrad'");
}

TEST(MakeOptimizer, RefusesOptionsOfAnother) {
  const Parameters p{{"w", leaf(one(1))}};
  expect_error<std::invalid_argument>(
      [&] { make_optimizer("adam", p, {.momentum = 0.9}); },
      "adam has no option 'momentum'; it has rate, weight_decay, beta1, beta2, eps");
  const std::pair<const char*, OptimizerOptions> bad[] = {
      {"sgd", {.beta1 = 0.9}},        {"sgd", {.beta2 = 0.9}},       {"sgd", {.alpha = 0.9}},
      {"sgd", {.eps = 1e-8}},         {"sgd", {.centered = true}},   {"adam", {.nesterov = true}},
      {"adamw", {.alpha = 0.9}},      {"adamw", {.centered = true}}, {"rmsprop", {.beta1 = 0.9}},
      {"rmsprop", {.nesterov = true}}};
  for (const auto& [name, options] : bad)
    EXPECT_THROW(make_optimizer(name, p, options), std::invalid_argument) << name;
}

TEST(MakeOptimizer, PassesEveryOptionOn) {
  // Two steps from 1 with gradients 1 and 1; each expected number is the recurrence by hand.
  const auto after_two = [](const char* name, OptimizerOptions options) {
    const Tensor w = leaf(one(1)), frozen = leaf(one(1));
    options.frozen = {"frozen"};
    const auto optimizer = make_optimizer(name, {{"w", w}, {"frozen", frozen}}, options);
    for (int t = 0; t < 2; ++t) optimizer->step(gradients_of({{w, one(1)}}));
    return w.item();
  };
  // sgd: d1 = 1.5, u1 = 1.5, w1 = 0.85; d2 = 1.425, u2 = 2.175, w2 = w1 - 0.2175
  EXPECT_NEAR(after_two("sgd", {.rate = 0.1, .weight_decay = 0.5, .momentum = 0.5}), 0.6325, 1e-15);
  // Nesterov: w1 = 1 - 0.1 * 2.25 = 0.775; d2 = 1.3875, u2 = 2.1375, w2 = w1 - 0.1 * 2.45625
  EXPECT_NEAR(
      after_two("sgd", {.rate = 0.1, .weight_decay = 0.5, .momentum = 0.5, .nesterov = true}),
      0.529375, 1e-15);
  // Constant gradients make m_hat = 1 and v_hat = 1; eps = 1 halves the step.
  EXPECT_NEAR(after_two("adam", {.rate = 0.1, .beta1 = 0.5, .beta2 = 0.5, .eps = 1}), 0.9, 1e-15);
  // and AdamW takes 5 % off first: 1 -> 0.95 - 0.05 = 0.9 -> 0.855 - 0.05
  EXPECT_NEAR(after_two("adamw", {.rate = 0.1, .weight_decay = 0.5, .eps = 1}), 0.805, 1e-15);
  // rmsprop, alpha = 0: s = 1, change 1 / (1 + 1); with momentum 0.5: u = 0.5, then 0.75
  EXPECT_NEAR(after_two("rmsprop", {.rate = 0.1, .momentum = 0.5, .alpha = 0, .eps = 1}), 0.875,
              1e-15);
  // centered, alpha = 0: no variance, so the change is d / eps
  EXPECT_NEAR(after_two("rmsprop", {.rate = 0.1, .alpha = 0, .eps = 2, .centered = true}), 0.9,
              1e-15);
}

// ---- state ----

/// A small fit with two parameters, one of which is only used in every third step.
struct Fit {
  Tensor a, b;
  std::unique_ptr<Optimizer> optimizer;

  Fit(const char* name, DType dtype, const OptimizerOptions& options)
      : a(leaf(Tensor::of({0.5, -1, 2}, dtype))), b(leaf(Tensor::of({1, 1, 1}, dtype))) {
    optimizer = make_optimizer(name, {{"a", a}, {"b", b}}, options);
  }
  void run(int from, int to) {
    for (int t = from; t < to; ++t) {
      const Tensor x =
          cast(Tensor::from<double>(noise(3, static_cast<uint32_t>(t)), {3}), a.dtype());
      optimizer->rate = 0.05 / (1 + t);
      Tape tape;
      tape.backward(sum(square(t % 3 ? a * x + x : a * x + b)));
      optimizer->step(tape);
    }
  }
};

TEST(OptimizerState, GoesOnBitForBit) {
  const std::pair<const char*, OptimizerOptions> cases[] = {
      {"sgd", {}},
      {"sgd", {.weight_decay = 0.1, .momentum = 0.9, .nesterov = true}},
      {"adam", {}},
      {"adamw", {}},
      {"rmsprop", {.momentum = 0.9, .centered = true}}};
  for (const auto& [name, options] : cases)
    for (const DType dtype : {f32, f64}) {
      SCOPED_TRACE(testing::Message() << name << " " << name_of(dtype));
      Fit straight(name, dtype, options), first(name, dtype, options), second(name, dtype, options);
      straight.run(0, 100);
      first.run(0, 50);
      // Through the bytes of a file, weights and state together.
      auto saved = first.optimizer->state();
      saved.emplace_back("a", first.a);
      saved.emplace_back("b", first.b);
      const auto loaded = parse_safetensors(safetensors_bytes(saved), "checkpoint");
      second.optimizer->load_state(loaded);
      for (const auto& [label, value] : loaded) {
        if (label == "a") copy_into(second.a, value);
        if (label == "b") copy_into(second.b, value);
      }
      EXPECT_EQ(second.optimizer->steps(), 50);
      EXPECT_EQ(second.optimizer->rate, first.optimizer->rate);
      second.run(50, 100);
      EXPECT_EQ(second.a.to_vector(), straight.a.to_vector());
      EXPECT_EQ(second.b.to_vector(), straight.b.to_vector());
      EXPECT_EQ(safetensors_bytes(second.optimizer->state()),
                safetensors_bytes(straight.optimizer->state()));
    }
}

TEST(OptimizerState, HasReadableNamesAndIsACopy) {
  const Tensor w = leaf(Tensor::zeros({2}));
  Adam adam({{"out.weight", w}});
  const auto names = [](const Optimizer& o) {
    Text all;
    for (const auto& [label, value] : o.state())
      all += label + " " + std::string(name_of(value.dtype())) + to_text(value.shape()) + "\n";
    return all;
  };
  EXPECT_EQ(names(adam),
            "adam.step i64[]\nadam.rate f64[]\nadam.step.out.weight i64[]\n"
            "adam.m.out.weight f32[2]\nadam.v.out.weight f32[2]\n");
  EXPECT_EQ(names(Sgd({{"w", w}})), "sgd.step i64[]\nsgd.rate f64[]\nsgd.step.w i64[]\n");
  const auto before = adam.state();
  adam.step(gradients_of({{w, Tensor::of({1, 1})}}));
  EXPECT_EQ(before[3].second.to_vector(), (V{0, 0}));
  EXPECT_EQ(before[0].second.to_ids()[0], 0);
}

TEST(OptimizerState, ARestoredOneDoesNotAskForEveryGradientAgain) {
  const Tensor a = leaf(one(1)), b = leaf(one(1));
  Sgd first({{"a", a}, {"b", b}}), second({{"a", a}, {"b", b}});
  first.step(gradients_of({{a, one(1)}, {b, one(1)}}));
  second.load_state(first.state());
  EXPECT_NO_THROW(second.step(gradients_of({{a, one(1)}})));
}

TEST(OptimizerState, ListsEverythingThatDoesNotFit) {
  const Tensor a = leaf(Tensor::zeros({2})), b = leaf(Tensor::zeros({3}));
  Sgd sgd({{"a", a}, {"b", b}}, {.momentum = 0.9});
  sgd.step(gradients_of({{a, Tensor::of({1, 1})}, {b, Tensor::of({1, 1, 1})}}));
  const std::vector<NamedTensor> bad{{"a", Tensor::zeros({2})},  // a weight: not looked at
                                     {"sgd.step", Tensor::zeros({}, i64)},
                                     {"sgd.rate", Tensor::scalar(1, f32)},
                                     {"sgd.step.a", Tensor::zeros({}, i64)},
                                     {"sgd.velocity.a", Tensor::zeros({3})},
                                     {"sgd.velocity.b", Tensor::zeros({3})},
                                     {"sgd.velocity.b", Tensor::zeros({3})},
                                     {"sgd.velocity.c", Tensor::zeros({3})}};
  expect_error<std::invalid_argument>([&] { sgd.load_state(bad); },
                                      "sgd: the state does not fit these parameters:\n"
                                      "  sgd.velocity.b: given twice\n"
                                      "  sgd.rate: expected f64 [], got f32 []\n"
                                      "  sgd.velocity.a: expected f32 [2], got f32 [3]\n"
                                      "  sgd.step.b: missing\n"
                                      "  sgd.velocity.c: unknown");
  EXPECT_EQ(sgd.steps(), 1) << "nothing may change when a state is refused";
  EXPECT_EQ(sgd.state()[3].second.to_vector(), (V{1, 1}));
}

// ---- they find a minimum ----

TEST(Optimizers, MinimiseAQuadratic) {
  // sum of c (x - 3)^2 with curvatures 1, 10 and 100.
  const std::pair<const char*, OptimizerOptions> cases[] = {
      {"sgd", {.rate = 0.005, .momentum = 0.9}},
      {"sgd", {.rate = 0.005, .momentum = 0.9, .nesterov = true}},
      {"adam", {.rate = 0.1}},
      {"adamw", {.rate = 0.1, .weight_decay = 0}},
      {"rmsprop", {.rate = 0.01}}};
  for (const DType dtype : {f32, f64})
    for (const auto& [name, options] : cases) {
      const Tensor x = leaf(Tensor::zeros({3}, dtype));
      const Tensor c = Tensor::of({1, 10, 100}, dtype), goal = Tensor::full({3}, 3, dtype);
      const auto optimizer = make_optimizer(name, {{"x", x}}, options);
      const double rate = optimizer->rate;
      for (int t = 0; t < 1500; ++t) {
        optimizer->rate =
            rate * (1 - t / 1500.0);  // those that divide by |g| need it to come to rest
        Tape tape;
        tape.backward(sum(c * square(x - goal)));
        optimizer->step(tape);
      }
      for (const double v : x.to_vector()) EXPECT_NEAR(v, 3, 1e-3) << name << name_of(dtype);
    }
}

TEST(Optimizers, FollowABentValley) {
  // Rosenbrock's function (1 - x)^2 + 100 (y - x^2)^2 from (-1.2, 1); the minimum is at (1, 1).
  const std::pair<const char*, OptimizerOptions> cases[] = {
      {"sgd", {.rate = 5e-4, .momentum = 0.9}},
      {"adam", {.rate = 0.02}},
      {"adamw", {.rate = 0.02, .weight_decay = 0}},
      {"rmsprop", {.rate = 2e-3}}};
  for (const auto& [name, options] : cases) {
    const Tensor x = leaf(one(-1.2)), y = leaf(one(1));
    const auto optimizer = make_optimizer(name, {{"x", x}, {"y", y}}, options);
    for (int t = 0; t < 8000; ++t) {
      Tape tape;
      tape.backward(sum(square(one(1) - x) + scale(square(y - square(x)), 100)));
      Gradients gradients = tape.gradients();
      clip_global_norm(gradients, 100);
      optimizer->step(gradients);
    }
    EXPECT_NEAR(x.item(), 1, 0.05) << name;
    EXPECT_NEAR(y.item(), 1, 0.1) << name;
  }
}

}  // namespace
}  // namespace heed
