// Local attention: Luong's equations on numbers worked out elsewhere, both ends of a sentence, and
// what is refused.
#include "layers/local_attention.h"

#include "tests/autograd/texts.h"
#include "tests/layers/attention_mechanisms.h"

namespace heed::test {
namespace {

// Scores all 0: inside the window every weight is the same.
Attention flat(Window window, int64_t reach) {
  Attention f =
      make({.score = Score::general, .query = 2, .key = 2, .window = window, .reach = reach});
  f.weight = leaf(Tensor::zeros({2, 2}, f64));
  return f;
}

// ---- local-m ----

TEST(LocalM, LooksRoundTheTargetPosition) {
  const Attention f = flat(Window::local_m, 1);
  const Memory m = f.memory(noise({1, 5, 2}, 1));
  const Attended a = f(noise({1, 2}, 2), m, {.step = 2});
  expect_close("weights", a.weights.to_vector(), {0, 1.0 / 3, 1.0 / 3, 1.0 / 3, 0}, 1e-15);
  EXPECT_EQ(a.position.to_vector(), Numbers{2});
}

TEST(LocalM, AtTheBeginningTheRestOfTheWindowSharesTheWeight) {
  const Attention f = flat(Window::local_m, 2);
  const Attended a = f(noise({1, 2}, 2), f.memory(noise({1, 6, 2}, 1)), {.step = 0});
  expect_close("weights", a.weights.to_vector(), {1.0 / 3, 1.0 / 3, 1.0 / 3, 0, 0, 0}, 1e-15);
}

TEST(LocalM, AtTheEndTheWindowRunsOutOfEachSentenceAndThenThereIsNothing) {
  const Attention f = flat(Window::local_m, 1);
  const Tensor keys = leaf(noise({2, 4, 2}, 1)), query = leaf(noise({2, 8, 2}, 2));
  const Attended a = f(query, f.memory(keys, Mask::lengths({4, 2})));
  const auto row = [&](int64_t b, int64_t t) {
    return select(select(a.weights, 0, b), 0, t).to_vector();
  };
  EXPECT_EQ(row(0, 3), (Numbers{0, 0, 0.5, 0.5}));
  EXPECT_EQ(row(0, 4), (Numbers{0, 0, 0, 1}));  // t = S: its last position
  EXPECT_EQ(row(0, 5), (Numbers{0, 0, 0, 0}));  // t = S + D: nothing is left
  EXPECT_EQ(row(1, 1), (Numbers{0.5, 0.5, 0, 0}));
  EXPECT_EQ(row(1, 2), (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(row(1, 3), (Numbers{0, 0, 0, 0}));
  EXPECT_EQ(select(a.context, 1, 7).to_vector(), Numbers(4, 0.0));
  const Pass p = pass({{"k", keys}, {"q", query}}, [&] {
    return Tensors{
        f(select(query, 1, 7), f.memory(keys, Mask::lengths({4, 2})), {.step = 7}).context};
  });
  EXPECT_EQ(p.gradients[0], Numbers(16, 0.0));
  EXPECT_EQ(p.gradients[1], Numbers(32, 0.0));
}

TEST(LocalM, AWindowAsWideAsTheSentenceIsGlobal) {
  const Attention local = make({.query = 3, .key = 3, .window = Window::local_m, .reach = 5}),
                  global = make({.query = 3, .key = 3});
  const Tensor keys = noise({2, 4, 3}, 1), query = noise({2, 3, 3}, 2);
  EXPECT_EQ(local(query, local.memory(keys)).weights.to_vector(),
            global(query, global.memory(keys)).weights.to_vector());
}

TEST(LocalM, KeysOutsideTheWindowGetExactlyNoGradient) {
  for (const Window w : {Window::local_m, Window::local_p}) {
    const Attention f = make({.query = 3, .key = 3, .window = w, .reach = 1});
    const Tensor keys = leaf(noise({1, 9, 3}, 1)), query = noise({1, 3}, 2);
    double p = 0;
    const Pass got = pass({{"k", keys}}, [&] {
      const Attended a = f(query, f.memory(keys), {.step = 4});
      p = a.position.item();
      return Tensors{a.context, a.weights};
    });
    for (size_t s = 0; s < 9; ++s) {
      const bool inside = std::abs(static_cast<double>(s) - p) <= 1;
      for (size_t j = 3 * s; j < 3 * s + 3; ++j)
        EXPECT_EQ(got.gradients[0][j] != 0, inside) << name_of(w) << ", position " << s;
      EXPECT_EQ(got.outputs[1][s] > 0, inside) << name_of(w) << ", position " << s;
    }
  }
}

// ---- local-p ----

// Three positions with scores (1, 0.5, -0.5), values H, a classifier U whose target is class 1; p =
// 1.25, D = 2. The numbers were worked out outside of this program.
TEST(LocalP, WeightsLossAndTheGradientOfThePlace) {
  const Tensor e = Tensor::of({{1, 0.5, -0.5}}, f64), p = leaf(Tensor::of({1.25}, f64));
  const Tensor h = Tensor::of({{1, 0}, {0, 1}, {-1, 1}}, f64);
  const Tensor u = Tensor::of({{1, 0}, {0, 1}, {-1, 0.5}}, f64);
  Tape tape;
  const Tensor a = softmax(e, in_window({}, e.shape(), p, 2));
  const Tensor w = a * gaussian(p, 3, 1);
  const Tensor loss = neg(select(select(log_softmax(matmul_nt(matmul(w, h), u)), 0, 0), 0, 1));
  expect_close("w", w.to_vector(), {0.250228543346, 0.321299809637, 0.092053936691}, 1e-12);
  EXPECT_NEAR(sum(w).item(), 0.663582289675, 1e-12);
  EXPECT_NEAR(loss.item(), 0.903844580002, 1e-12);
  tape.backward(loss);
  EXPECT_NEAR(tape.grad(p).item(), -0.007317788119, 1e-12);
}

TEST(LocalP, ThePlaceIsAShareOfEachSentencesOwnLength) {
  Attention f = flat(Window::local_p, 2);
  f.position.weight = leaf(Tensor::of({{1, 0}, {0, 2}}, f64));
  f.position.v = leaf(Tensor::of({3, -1}, f64));
  const Tensor query = Tensor::of({{0.5, 0.25}, {0.5, 0.25}, {0.5, 0.25}}, f64);
  const double share = 1 / (1 + std::exp(-(3 * std::tanh(0.5) - std::tanh(0.5))));
  const Attended a = f(query, f.memory(noise({3, 8, 2}, 1), Mask::lengths({8, 5, 0})));
  expect_close("p", a.position.to_vector(), {8 * share, 5 * share, 0}, 1e-14);
  const Attended all = f(query, f.memory(noise({3, 8, 2}, 1)));
  expect_close("without a mask", all.position.to_vector(), Numbers(3, 8 * share), 1e-14);
  // Sentence 1: scores equal, so a = 1 / (positions inside), times the Gaussian with sigma = 1.
  const double p = 5 * share;
  double inside = 0;
  for (int s = 0; s < 5; ++s) inside += std::abs(s - p) <= 2;
  for (int64_t s = 0; s < 8; ++s) {
    const double d = static_cast<double>(s) - p;
    EXPECT_NEAR(a.weights.at({1, s}), s < 5 && std::abs(d) <= 2 ? std::exp(-d * d / 2) / inside : 0,
                1e-15);
  }
}

TEST(LocalP, AtBothEndsAPositionRemains) {
  Attention f = flat(Window::local_p, 1);
  f.position.weight = leaf(Tensor::of({{100, 0}, {0, 100}}, f64));
  for (const double sign : {-1.0, 1.0}) {
    f.position.v = leaf(Tensor::of({1000 * sign, 0}, f64));  // sigmoid saturates: p is 0 or S
    const Attended a =
        f(Tensor::of({{1, 1}}, f64), f.memory(noise({1, 4, 2}, 1), Mask::lengths({3})));
    EXPECT_EQ(a.position.item(), sign < 0 ? 0 : 3);
    // p = 0: positions 0 and 1. p = S = 3: position 2 alone, at distance 1 = 2 sigma.
    const double far = std::exp(-2.0);
    expect_close("weights", a.weights.to_vector(),
                 sign < 0 ? Numbers{0.5, 0.5 * far, 0, 0} : Numbers{0, 0, far, 0}, 1e-15);
  }
}

TEST(LocalP, ThePlaceLearnsThroughTheGaussian) {
  Attention f = flat(Window::local_p, 2);
  const Tensor query = noise({1, 2}, 3), keys = noise({1, 6, 2}, 4);
  Leaves leaves{{"W_p", f.position.weight}, {"v_p", f.position.v}};
  const Pass p = pass(leaves, [&] { return Tensors{f(query, f.memory(keys)).context}; });
  for (const Numbers& g : p.gradients) EXPECT_NE(g[0], 0);
}

// ---- what is refused ----

TEST(LocalAttention, SaysWhatDoesNotFit) {
  const auto built = [](const AttentionOptions& o) { return argument_error([&] { make(o); }); };
  EXPECT_EQ(built({.query = 2, .key = 3, .window = Window::local_m}),
            "attention: the window local_m needs a `reach` D >= 1 (it is [p - D, p + D]), got 0");
  EXPECT_NE(built({.query = 2, .key = 3, .window = Window::local_p, .reach = -1}).find("got -1"),
            std::string::npos);
  for (const Hard h : {Hard::argmax, Hard::reinforce, Hard::straight_through, Hard::gumbel})
    EXPECT_EQ(built({.query = 2, .key = 3, .window = Window::local_p, .reach = 2, .hard = h}),
              "attention: local_p and a hard choice (" + std::string(name_of(h)) +
                  ") do not go together: the weights of local_p do not sum to 1, so they are no "
                  "distribution to choose from; use local_m or global");

  const Attention m = flat(Window::local_m, 2), p = flat(Window::local_p, 2);
  const Tensor keys = noise({2, 4, 2}, 1), query = noise({2, 2}, 2);
  EXPECT_EQ(argument_error([&] { m(query, m.memory(keys)); }),
            "attention: local_m looks round the target position; say which one a single query "
            "stands at (AttentionCall::step) (in attention)");
  EXPECT_EQ(argument_error([&] { m(query, m.memory(keys), {.step = -1}); }),
            "attention: expected a step >= 0, got -1 (in attention)");
  for (const Mask& mask : {Mask::keep({1, 0, 1, 1}), Mask::causal()})
    EXPECT_EQ(argument_error([&] { p.memory(keys, mask); }),
              "attention: local_p needs the length of each sentence: expected a mask made by "
              "Mask::lengths (only whole prefixes have a length) (in attention)");
  EXPECT_NE(argument_error([&] { p.memory(keys, Mask::lengths({1})); }).find("expected 2 lengths"),
            std::string::npos);
}

TEST(LocalAttention, WindowsHaveNames) {
  for (const Window w : {Window::global, Window::local_m, Window::local_p})
    EXPECT_EQ(window_named(name_of(w)), w);
  EXPECT_EQ(name_of(Window::local_p), "local_p");
  EXPECT_EQ(window_named("local"), std::nullopt);
}

}  // namespace
}  // namespace heed::test
