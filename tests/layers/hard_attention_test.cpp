// Hard attention: what is chosen, what a training loop gets, names and errors. Which gradients are
// exact, unbiased or biased is in hard_gradients_test.cpp.
#include "layers/hard_attention.h"

#include "tests/autograd/texts.h"
#include "tests/layers/attention_mechanisms.h"

namespace heed::test {
namespace {

// Three scores and their softmax to 12 digits.
const Tensor kScores = Tensor::of({{1, 0.5, -0.5}}, f64);
const Numbers kWeights{0.546549387266, 0.331498960424, 0.121951652310};

// ---- REINFORCE ----

TEST(Reinforce, TheLayerGivesWhatATrainingLoopNeeds) {
  const Attention f = make({.score = Score::dot, .query = 3, .key = 3, .hard = Hard::reinforce});
  const Tensor q = noise({2, 5, 3}, 1), k = noise({2, 4, 3}, 2);
  const Memory m = f.memory(k, Mask::lengths({4, 2}));
  const Attended a = attend(f, q, m);
  const Tensor soft = softmax(f.scores(q, m), m.mask);
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < 5; ++t) {
      const int64_t j = select(select(a.chosen, 0, b), 0, t).to_ids()[0];
      EXPECT_EQ(a.weights.at({b, t, j}), 1);
      EXPECT_NEAR(a.log_probability.at({b, t}), std::log(soft.at({b, t, j})), 1e-14);
      double h = 0;
      for (int64_t s = 0; s < (b == 0 ? 4 : 2); ++s)
        h -= soft.at({b, t, s}) * std::log(soft.at({b, t, s}));
      EXPECT_NEAR(a.entropy.at({b, t}), h, 1e-14);
      for (int64_t d = 0; d < 3; ++d) EXPECT_EQ(a.context.at({b, t, d}), k.at({b, j, d}));
    }
  const Attended used = f(q, m);
  EXPECT_FALSE(used.log_probability.defined() || used.entropy.defined());
  EXPECT_EQ(used.chosen.to_ids(), best_positions(soft).to_ids());
}

TEST(Reinforce, TheTermIsTheRewardTimesTheLogarithmLessTheEntropy) {
  const Tensor losses = leaf(Tensor::of({2, 5}, f64)), log_p = leaf(Tensor::of({-1, -3}, f64)),
               h = leaf(Tensor::of({0.5, 0.25}, f64));
  const Pass p = pass({{"L", losses}, {"log p", log_p}, {"H", h}},
                      [&] { return Tensors{reinforce_terms(losses, log_p, h, 1.5, 0.1)}; },
                      {Tensor::of({1, 1}, f64)});
  expect_close("value", p.outputs[0], {-0.5 - 0.05, -10.5 - 0.025}, 1e-15);
  EXPECT_EQ(p.gradients[0], (Numbers{0, 0})) << "the loss is a number here";
  EXPECT_EQ(p.gradients[1], (Numbers{0.5, 3.5}));
  EXPECT_EQ(p.gradients[2], (Numbers{-0.1, -0.1}));
}

TEST(Reinforce, TheBaselineIsARunningMean) {
  RunningBaseline b{.decay = 0.75};
  b.observe(Tensor::of({2, 4}));
  EXPECT_EQ(b.value, 3);
  b.observe(Tensor::of({7}));
  EXPECT_EQ(b.value, 0.75 * 3 + 0.25 * 7);
  Tape tape;
  b.observe(leaf(Tensor::of({1})));
  EXPECT_TRUE(tape.nodes().empty()) << "it is no part of the loss";
}

// The loop of the header: a query that says which of three keys to choose learns to choose it, from
// the loss of its choices alone.
TEST(Reinforce, ATrainingLoopLearnsToChoose) {
  Attention f = make({.score = Score::general, .query = 3, .key = 3, .hard = Hard::reinforce});
  const Tensor keys = reshape(Tensor::of({1, 0, 0, 0, 1, 0, 0, 0, 1}, f64), {1, 3, 3});
  const Tensor queries = keys;                                              // [1, 3, 3]
  const Tensor right = Tensor::of({{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}, f64);  // loss of each choice
  Rng rng(8);
  RunningBaseline baseline;
  for (int step = 0; step < 300; ++step) {
    Tape tape;
    const Attended a = f(queries, f.memory(keys), {.rng = &rng});
    const Tensor losses = sum(a.weights * reshape(right, {1, 3, 3}), {1, 2});  // [1]
    const Tensor mine = sum(masked_fill(a.log_probability, Mask::lengths({3}), 0), {1});
    const Tensor entropies = sum(masked_fill(a.entropy, Mask::lengths({3}), 0), {1});
    tape.backward(mean(losses + reinforce_terms(losses, mine, entropies, baseline.value, 0.01)));
    baseline.observe(losses);
    f.weight = leaf(detach(f.weight - scale(tape.grad(f.weight), 0.5)));
  }
  EXPECT_LT(baseline.value, 0.1);
  EXPECT_EQ(f(queries, f.memory(keys)).chosen.to_ids(), (std::vector<int64_t>{0, 1, 2}));
}

// ---- straight-through ----

TEST(StraightThrough, TheLayerLearnsThroughItsWeightsAlsoWithoutNoise) {
  const Attention f =
      make({.score = Score::dot, .query = 3, .key = 3, .hard = Hard::straight_through});
  const Attention soft = make({.score = Score::dot, .query = 3, .key = 3});
  const Tensor q = leaf(noise({2, 3}, 1)), k = noise({2, 4, 3}, 2), v = noise({2, 4, 2}, 3);
  const auto run = [&](const Attention& g) {
    return pass({{"q", q}}, [&] { return Tensors{g(q, g.memory(k, {}, v)).context}; });
  };
  // With a loss linear in the context both send the same back.
  expect_close("dq", run(f).gradients[0], run(soft).gradients[0], 1e-15);
  EXPECT_NE(run(f).outputs, run(soft).outputs);
}

// ---- Gumbel-softmax ----

TEST(Gumbel, ItsLargestWeightIsADrawFromTheScores) {
  const Tensor e = concat(Tensors(20000, kScores), 0);
  Numbers counts(3, 0.0);
  for (const int64_t j : best_positions(gumbel_softmax(e, {}, 0.5, 9)).to_ids())
    counts[static_cast<size_t>(j)] += 1.0 / 20000;
  expect_close("frequencies", counts, kWeights, 0.012);
}

TEST(Gumbel, TheTemperatureDecidesHowHardItIs) {
  const Tensor e = noise({50, 4}, 1);
  const Tensor top = max(gumbel_softmax(e, {}, 1e-4, 3), {1});
  for (const double w : top.to_vector()) EXPECT_GT(w, 0.99);
  EXPECT_NEAR(max(gumbel_softmax(e, {}, 1e4, 3)).item(), 0.25, 1e-3);
}

TEST(Gumbel, TheTemperatureFallsToItsLeast) {
  const GumbelTemperature tau{.start = 2, .rate = 0.1, .least = 0.5};
  EXPECT_EQ(tau.at(0), 2);
  EXPECT_NEAR(tau.at(5), 2 * std::exp(-0.5), 1e-15);
  EXPECT_EQ(tau.at(1000), 0.5);
}

TEST(Gumbel, ACallMaySayTheTemperature) {
  const Attention f = make({.score = Score::dot, .query = 3, .key = 3, .hard = Hard::gumbel});
  const Memory m = f.memory(noise({2, 4, 3}, 1));
  const auto at = [&](std::optional<double> t) {
    Rng rng(5);
    return f(noise({2, 3}, 2), m, {.rng = &rng, .temperature = t}).weights.to_vector();
  };
  EXPECT_EQ(at(1), at(std::nullopt));
  EXPECT_NE(at(0.3), at(1));
}

// ---- choices ----

TEST(HardAttention, WithoutNoiseEveryKindTakesTheBest) {
  for (const Attention& f : every_mechanism()) {
    if (f.options.hard == Hard::none) continue;
    const Memory m = f.memory(noise({2, 4, 3}, 1), Mask::lengths({4, 3}));
    const Tensor q = noise({2, 5, 3}, 2);
    Attention soft = f;
    soft.options.hard = Hard::none;
    const Attended a = f(q, m);
    const Tensor best = best_positions(soft(q, m).weights);
    EXPECT_EQ(a.chosen.to_ids(), best.to_ids()) << label(f);
    EXPECT_EQ(a.weights.to_vector(), one_hot(best, 4, f64).to_vector()) << label(f);
  }
}

TEST(HardAttention, ArgmaxDrawsNothingAndSendsNothingToTheScores) {
  const Attention f = make({.query = 3, .key = 3, .hard = Hard::argmax});
  const Memory m = f.memory(noise({9, 4, 3}, 1));
  const Tensor q = noise({9, 3}, 2);
  Tape tape;
  const Attended a = attend(f, q, m);
  EXPECT_FALSE(requires_grad(a.context));
  EXPECT_EQ(a.chosen.to_ids(), f(q, m).chosen.to_ids());
}

TEST(HardAttention, EverySentenceStepAndPositionHasNoiseOfItsOwn) {
  const Tensor even = Tensor::full({4, 5, 1000}, 1e-3, f64);
  std::vector<int64_t> drawn = drawn_positions(even, 3).to_ids();
  std::sort(drawn.begin(), drawn.end());
  // 20 draws out of 1000: a pair of equals by chance, not rows that repeat.
  EXPECT_GE(std::unique(drawn.begin(), drawn.end()) - drawn.begin(), 18);
  Numbers w = gumbel_softmax(even, {}, 1, 3).to_vector();
  std::sort(w.begin(), w.end());
  EXPECT_EQ(std::unique(w.begin(), w.end()), w.end());
  EXPECT_NE(drawn_positions(even, 3).to_ids(), drawn_positions(even, 4).to_ids());
}

TEST(HardAttention, DrawsHaveTheFrequenciesOfTheWeightsAndNeverTakeAWeightOfZero) {
  const Tensor row = Tensor::of({{0, 0.5, 0, 0.3, 0.2, 0}}, f64);
  const Tensor w = concat(Tensors(20000, row), 0);
  Numbers counts(6, 0.0);
  for (const int64_t j : drawn_positions(w, 3).to_ids())
    counts[static_cast<size_t>(j)] += 1.0 / 20000;
  expect_close("frequencies", counts, row.to_vector(), 0.012);
  for (const size_t j : {0u, 2u, 5u}) EXPECT_EQ(counts[j], 0);
  // A sum that rounding left below 1 ends at the last weight there is.
  const Tensor less = concat(Tensors(2000, Tensor::of({{0.1, 0.1, 0}}, f64)), 0);
  for (const int64_t j : drawn_positions(less, 3).to_ids()) EXPECT_TRUE(j == 0 || j == 1);
}

TEST(HardAttention, NothingToChooseIsMinusOne) {
  const Tensor none = Tensor::zeros({2, 3}, f64);
  EXPECT_EQ(best_positions(none).to_ids(), (std::vector<int64_t>{-1, -1}));
  EXPECT_EQ(drawn_positions(none, 1).to_ids(), (std::vector<int64_t>{-1, -1}));
  EXPECT_EQ(one_hot(best_positions(none), 3, f64).to_vector(), Numbers(6, 0.0));
  EXPECT_EQ(best_positions(Tensor::of({{0.25, 0.375, 0.375}})).to_ids()[0], 1) << "the first";
}

TEST(HardAttention, EntropyIsThatOfTheDistribution) {
  EXPECT_NEAR(entropy(kScores, {}).item(), 0.952807564013, 1e-12);
  EXPECT_NEAR(entropy(Tensor::zeros({1, 8}, f64), Mask::lengths({4})).item(), std::log(4.0), 1e-15);
  EXPECT_EQ(entropy(Tensor::of({{2000, 0}}, f64), {}).item(), 0);  // 0 ln 0 is 0
}

// ---- names and errors ----

TEST(HardAttention, KindsHaveNames) {
  for (const Hard h :
       {Hard::none, Hard::argmax, Hard::reinforce, Hard::straight_through, Hard::gumbel})
    EXPECT_EQ(hard_named(name_of(h)), h);
  EXPECT_EQ(name_of(Hard::straight_through), "straight_through");
  EXPECT_EQ(hard_named("soft"), std::nullopt);
}

TEST(HardAttention, SaysWhatDoesNotFit) {
  const Tensor e = noise({2, 3}, 1);
  for (const double t : {0.0, -1.0, std::nan("")}) {
    EXPECT_NE(argument_error([&] { gumbel_softmax(e, {}, t, 1); }).find("a temperature > 0, got"),
              std::string::npos);
    EXPECT_NE(argument_error([&] {
                make({.query = 2, .key = 2, .hard = Hard::gumbel, .temperature = t});
              }).find("attention: expected a temperature > 0, got"),
              std::string::npos);
  }
  EXPECT_EQ(argument_error([&] { gumbel_softmax(e, Mask::lengths({1}), 1, 1); }),
            "softmax: expected 2 lengths, one per sentence of the batch, got 1");
  EXPECT_EQ(argument_error([&] { drawn_positions(noise({3}, 1), 1); }),
            "drawn_positions: expected [B, S] or [B, T, S], got [3]");
  EXPECT_EQ(argument_error([&] { one_hot(Tensor::ids(std::vector<int64_t>{3}, {1}), 3, f64); }),
            "one_hot: expected positions in [-1, 3), got 3");
  EXPECT_NE(argument_error([&] {
              log_probability(e, {}, Tensor::ids(std::vector<int64_t>{0}, {1}));
            }).find("expected positions of shape [2], got [1]"),
            std::string::npos);
  EXPECT_EQ(argument_error([&] {
              reinforce_terms(noise({2}, 1), noise({2, 3}, 1), noise({2, 3}, 1), 0);
            }),
            "reinforce_terms: expected losses, log_probability and entropy of one shape, got [2], "
            "[2, 3], [2, 3]");
  EXPECT_NE(argument_error([] { GumbelTemperature{.least = 0}.at(1); }).find("0 < least <= start"),
            std::string::npos);
  EXPECT_NE(argument_error([] { GumbelTemperature{}.at(-1); }).find("a step >= 0"),
            std::string::npos);
  RunningBaseline b{.decay = 1};
  EXPECT_NE(argument_error([&] { b.observe(noise({1}, 1)); }).find("a decay in [0, 1)"),
            std::string::npos);
  EXPECT_NE(argument_error([] { RunningBaseline().observe(Tensor::zeros({0})); }), "accepted");
}

}  // namespace
}  // namespace heed::test
