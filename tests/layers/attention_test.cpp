// Attention: every score against its definition, step against sequence, masks, and errors.
#include "layers/attention.h"

#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

Attention make(const AttentionOptions& o, uint64_t seed = 4) {
  Rng rng(seed);
  Attention f(o, rng);
  to(f, f64);
  return f;
}

// One of every score, with sizes Q = K = 3.
std::vector<Attention> every_score() {
  std::vector<Attention> all;
  for (const Score s : {Score::additive, Score::dot, Score::scaled_dot, Score::general})
    all.push_back(make({.score = s, .query = 3, .key = 3, .width = 4}));
  all.push_back(make({.score = Score::additive, .query = 3, .key = 3, .width = 4, .fused = false}));
  return all;
}

std::string label(const Attention& f) {
  return std::string(name_of(f.options.score)) + (f.options.fused ? "" : " composed");
}

// ---- the definitions, on numbers that can be worked out in the head ----

// Keys (1, 0), (0, 2), (1, 1) and the query (2, 3).
Tensor the_keys() {
  return reshape(Tensor::of({1, 0, 0, 2, 1, 1}, f64), {1, 3, 2});
}
Tensor the_query() {
  return Tensor::of({{2, 3}}, f64);
}

TEST(AttentionByHand, Dot) {
  const Attention f = make({.score = Score::dot, .query = 2, .key = 2});
  EXPECT_EQ(f.scores(the_query(), f.memory(the_keys())).to_vector(), (Numbers{2, 6, 5}));
}

TEST(AttentionByHand, ScaledDotDividesByTheRootOfTheSize) {
  const Attention f = make({.score = Score::scaled_dot, .query = 2, .key = 2});
  const double r = std::sqrt(2.0);
  expect_close("scores", f.scores(the_query(), f.memory(the_keys())).to_vector(),
               {2 / r, 6 / r, 5 / r}, 1e-15);
}

TEST(AttentionByHand, GeneralPutsAMatrixBetweenQueryAndKey) {
  Attention f = make({.score = Score::general, .query = 2, .key = 2});
  f.weight = leaf(Tensor::of({{1, 2}, {3, 4}}, f64));
  // W k: (1, 3), (4, 8), (3, 7)
  EXPECT_EQ(f.scores(the_query(), f.memory(the_keys())).to_vector(),
            (Numbers{2 * 1 + 3 * 3, 2 * 4 + 3 * 8, 2 * 3 + 3 * 7}));
}

TEST(AttentionByHand, AdditiveScoresThroughATanh) {
  for (const bool fused : {true, false}) {
    Attention f =
        make({.score = Score::additive, .query = 2, .key = 2, .width = 2, .fused = fused});
    f.query.weight = leaf(Tensor::of({{1, 0}, {0.5, -1}}, f64));  // W_q q = (2, -2)
    f.key.weight = leaf(Tensor::of({{-1, 1}, {2, 0}}, f64));      // (-1, 2), (2, 0), (0, 2)
    f.key.bias = leaf(Tensor::of({0.5, 1}, f64));
    f.v = leaf(Tensor::of({3, -2}, f64));
    const auto e = [](double a, double b) { return 3 * std::tanh(a) - 2 * std::tanh(b); };
    expect_close("scores", f.scores(the_query(), f.memory(the_keys())).to_vector(),
                 {e(1.5, 1), e(4.5, -1), e(2.5, 1)}, 1e-15);
  }
}

TEST(AttentionByHand, WeightsAreTheSoftmaxAndTheContextTheirSumOfValues) {
  const Attention f = make({.score = Score::dot, .query = 1, .key = 1});
  // Scores 0, ln 2, ln 5: weights 1/8, 2/8, 5/8.
  const Tensor keys = reshape(Tensor::of({0, std::log(2.0), std::log(5.0)}, f64), {1, 3, 1});
  const Tensor values = reshape(Tensor::of({8, 80, 16, 160, 24, 240}, f64), {1, 3, 2});
  const Tensor query = Tensor::full({1, 1}, 1, f64);
  const Attended a = f(query, f.memory(keys, {}, values));
  expect_close("weights", a.weights.to_vector(), {0.125, 0.25, 0.625}, 1e-15);
  expect_close("context", a.context.to_vector(), {20, 200}, 1e-15);
  const Attended masked = f(query, f.memory(keys, Mask::lengths({2}), values));
  expect_close("weights", masked.weights.to_vector(), {1.0 / 3, 2.0 / 3, 0}, 1e-15);
  expect_close("context", masked.context.to_vector(), {40.0 / 3, 400.0 / 3}, 1e-15);
}

// ---- all scores ----

TEST(Attention, StepsMakeTheSequence) {
  for (const Attention& f : every_score()) {
    const Tensor queries = noise({2, 5, 3}, 10);
    const Memory m = f.memory(noise({2, 4, 3}, 11), Mask::lengths({4, 2}), noise({2, 4, 6}, 12));
    const Attended whole = f(queries, m);
    ASSERT_EQ(whole.context.shape(), (Shape{2, 5, 6}));
    ASSERT_EQ(whole.weights.shape(), (Shape{2, 5, 4}));
    for (int64_t t = 0; t < 5; ++t) {
      const Attended one = f(select(queries, 1, t), m);
      ASSERT_EQ(one.context.shape(), (Shape{2, 6}));
      ASSERT_EQ(one.weights.shape(), (Shape{2, 4}));
      expect_close(label(f), one.context.to_vector(), select(whole.context, 1, t).to_vector(),
                   1e-14);
      expect_close(label(f), one.weights.to_vector(), select(whole.weights, 1, t).to_vector(),
                   1e-14);
    }
  }
}

TEST(Attention, WeightsSumToOneOverTheKeptPositions) {
  for (const Attention& f : every_score()) {
    const Attended a =
        f(noise({2, 5, 3}, 10), f.memory(noise({2, 4, 3}, 11), Mask::lengths({4, 2})));
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t t = 0; t < 5; ++t) {
        double total = 0;
        for (int64_t s = 0; s < 4; ++s) {
          const double w = a.weights.at({b, t, s});
          EXPECT_EQ(w > 0, b == 0 || s < 2) << label(f);
          total += w;
        }
        EXPECT_NEAR(total, 1, 1e-14) << label(f);
      }
  }
}

TEST(Attention, PermutingTheKeysPermutesTheWeights) {
  const int64_t order[] = {2, 0, 3, 1};
  for (const Attention& f : every_score()) {
    const Tensor keys = noise({2, 4, 3}, 13), query = noise({2, 3}, 14);
    Tensors rows;
    for (const int64_t s : order) rows.push_back(select(keys, 1, s));
    const Attended a = f(query, f.memory(keys)), p = f(query, f.memory(stack(rows, 1)));
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t s = 0; s < 4; ++s)
        EXPECT_NEAR(p.weights.at({b, s}), a.weights.at({b, order[s]}), 1e-15) << label(f);
    expect_close(label(f), p.context.to_vector(), a.context.to_vector(), 1e-14);
  }
}

TEST(Attention, DifferentQueriesLookElsewhere) {
  for (const Attention& f : every_score()) {
    const Memory m = f.memory(noise({1, 4, 3}, 15));
    const Numbers a = f(noise({1, 3}, 16), m).weights.to_vector(),
                  b = f(noise({1, 3}, 17), m).weights.to_vector();
    double most = 0;
    for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    EXPECT_GT(most, 1e-3) << label(f);
  }
}

TEST(Attention, FusedAdditiveEqualsComposed) {
  const Attention fused = make({.query = 5, .key = 7, .width = 9});
  Attention composed = fused;  // the same leaves
  composed.options.fused = false;
  const Tensor keys = leaf(noise({3, 6, 7}, 18)), values = leaf(noise({3, 6, 2}, 19));
  for (const Shape& shape : {Shape{3, 5}, Shape{3, 4, 5}}) {
    const Tensor query = leaf(noise(shape, 20));
    Attention walked = fused;
    Leaves leaves = leaves_of(parameters(walked));
    leaves.insert(leaves.end(), {{"keys", keys}, {"values", values}, {"query", query}});
    const auto side = [&](const Attention& f) {
      return pass(leaves, [&] {
        const Attended a = f(query, f.memory(keys, Mask::lengths({6, 0, 3}), values));
        return Tensors{a.context, a.weights};
      });
    };
    expect_same(to_text(shape), leaves, side(fused), side(composed), 1e-12);
  }
}

// ---- masks ----

TEST(Attention, AFullyMaskedRowIsZeroAndGetsNoGradient) {
  for (Attention& f : every_score())
    for (const Shape& shape : {Shape{2, 3}, Shape{2, 5, 3}})
      for (const Mask& mask :
           {Mask::lengths({4, 0}), Mask::keep({1, 1, 1, 1, 0, 0, 0, 0}, {2, 4})}) {
        const Tensor q = leaf(noise(shape, 21)), k = leaf(noise({2, 4, 3}, 22)),
                     v = leaf(noise({2, 4, 6}, 23));
        const Pass p = pass({{"q", q}, {"k", k}, {"v", v}}, [&] {
          const Attended a = f(q, f.memory(k, mask, v));
          return Tensors{a.context, a.weights};
        });
        std::vector<Numbers> halves = p.outputs;
        halves.insert(halves.end(), p.gradients.begin(), p.gradients.end());
        for (size_t i = 0; i < halves.size(); ++i) {
          const size_t middle = halves[i].size() / 2;
          double kept = 0;
          for (size_t j = 0; j < middle; ++j) kept = std::max(kept, std::abs(halves[i][j]));
          EXPECT_GT(kept, 0) << label(f) << ", tensor " << i;
          for (size_t j = middle; j < halves[i].size(); ++j)
            ASSERT_EQ(halves[i][j], 0) << label(f) << ", tensor " << i << ", element " << j;
        }
      }
}

TEST(Attention, NothingKeptAnywhereLeavesEveryParameterWithGradientZero) {
  for (Attention& f : every_score()) {
    const Leaves leaves = leaves_of(parameters(f));
    const Tensor q = noise({2, 3}, 24), k = noise({2, 4, 3}, 25);
    const Pass p = pass(leaves, [&] {
      return Tensors{f(q, f.memory(k, Mask::lengths({0, 0}))).context};
    });
    for (const Numbers& g : p.gradients)
      for (const double v : g) EXPECT_EQ(v, 0) << label(f);
  }
}

TEST(Attention, WhatStandsInThePaddingDoesNotMatter) {
  for (Attention& f : every_score()) {
    const auto with = [&](double garbage) {
      const Tensor q = leaf(noise({2, 5, 3}, 26));
      const Tensor k = leaf(pad({noise({4, 3}, 27), noise({2, 3}, 28)}, 4, garbage));
      Leaves leaves = leaves_of(parameters(f));
      leaves.insert(leaves.end(), {{"q", q}, {"k", k}});
      return pass(leaves, [&] {
        return Tensors{f(q, f.memory(k, Mask::lengths({4, 2}))).context};
      });
    };
    const Pass clean = with(0), dirty = with(1e30);
    EXPECT_EQ(clean.outputs, dirty.outputs) << label(f);
    EXPECT_EQ(clean.gradients, dirty.gradients) << label(f);
  }
}

TEST(Attention, ACausalMaskGoesWithManyQueries) {
  for (const Attention& f : every_score()) {
    const Attended a = f(noise({2, 4, 3}, 29), f.memory(noise({2, 4, 3}, 30), Mask::causal()));
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t s = 0; s < 4; ++s) EXPECT_EQ(a.weights.at({1, t, s}) > 0, s <= t) << label(f);
  }
}

TEST(Attention, NoPositionsGiveAContextOfZeros) {
  for (const Attention& f : every_score()) {
    const Attended a = f(noise({2, 3}, 31), f.memory(Tensor::zeros({2, 0, 3}, f64)));
    EXPECT_EQ(a.weights.shape(), (Shape{2, 0}));
    EXPECT_EQ(a.context.to_vector(), Numbers(6, 0.0)) << label(f);
  }
}

TEST(Attention, HugeScoresStayFinite) {
  const Attention f = make({.score = Score::dot, .query = 1, .key = 1});
  const Tensor keys = reshape(Tensor::of({1e4, -1e4, 0}, f64), {1, 3, 1});
  EXPECT_EQ(f(Tensor::full({1, 1}, 1, f64), f.memory(keys)).weights.to_vector(),
            (Numbers{1, 0, 0}));
}

// ---- names and errors ----

TEST(Attention, ScoresHaveNames) {
  for (const Score s : {Score::additive, Score::dot, Score::scaled_dot, Score::general})
    EXPECT_EQ(score_named(name_of(s)), s);
  EXPECT_EQ(name_of(Score::scaled_dot), "scaled_dot");
  EXPECT_EQ(score_named("cosine"), std::nullopt);
}

TEST(Attention, SaysWhatDoesNotFit) {
  const auto built = [](const AttentionOptions& o) { return argument_error([&] { make(o); }); };
  EXPECT_EQ(built({.score = Score::dot, .query = 2, .key = 3}),
            "attention: the dot score needs queries and keys of one size, got 2 and 3; use the "
            "general score for different sizes");
  EXPECT_NE(built({.score = Score::scaled_dot, .query = 2, .key = 3}).find("the scaled_dot score"),
            std::string::npos);
  EXPECT_EQ(built({.query = 0, .key = 3}),
            "attention: expected query and key sizes >= 1, got 0 and 3");
  EXPECT_EQ(built({.query = 2, .key = 3, .width = -1}), "attention: expected a width >= 0, got -1");

  const Attention f = make({.score = Score::general, .query = 2, .key = 3});
  const Tensor keys = noise({4, 5, 3}, 1);
  const auto held = [&](const Tensor& k, const Mask& m = {}, const Tensor& v = {}) {
    return argument_error([&] { f.memory(k, m, v); });
  };
  EXPECT_EQ(held(noise({4, 5, 2}, 1)),
            "attention: expected keys [B, S, 3], got tensor f64 [4, 5, 2]");
  EXPECT_NE(held({}).find("attention: expected keys [B, S, 3]"), std::string::npos);
  EXPECT_EQ(held(keys, {}, noise({4, 6, 3}, 1)),
            "attention: expected values [4, 5, V] for keys [4, 5, 3], got [4, 6, 3]");
  EXPECT_EQ(held(keys, Mask::lengths({1, 2})),
            "attention: expected 4 lengths, one per sentence of the batch, got 2");
  EXPECT_EQ(held(keys, Mask::lengths({1, 2, 3, 6})),
            "attention: expected lengths <= 5 (the padded length), got 6");
  EXPECT_NE(held(keys, Mask::keep({1, 1, 0})).find("got [3]"), std::string::npos);

  const Memory m = f.memory(keys);
  EXPECT_EQ(
      argument_error([&] {
        f(noise({4, 3}, 1), m);
      }),
      "attention: expected a query [B, 2] or [B, T, 2], got tensor f64 [4, 3] (in attention)");
  EXPECT_EQ(argument_error([&] {
              f(noise({3, 2}, 1), m);
            }),
            "attention: expected a query for each of the 4 memories, got [3, 2] (in attention)");
}

}  // namespace
}  // namespace heed::test
