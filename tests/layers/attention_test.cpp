// Attention: every score against its definition, names and errors. What holds for all of them is in
// attention_invariance_test.cpp.
#include "tests/autograd/texts.h"
#include "tests/layers/attention_mechanisms.h"

namespace heed::test {
namespace {

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

TEST(AttentionByHand, ConcatScoresQueryAndKeyInOneVector) {
  Attention f = make({.score = Score::concat, .query = 2, .key = 2, .width = 2});
  // W [q; k] for q = (2, 3): rows give 2 + k0 and 1.5 + k1 / 2.
  f.weight = leaf(Tensor::of({{1, 0, 1, 0}, {0, 0.5, 0, 0.5}}, f64));
  f.v = leaf(Tensor::of({3, -2}, f64));
  const auto e = [](double a, double b) { return 3 * std::tanh(a) - 2 * std::tanh(b); };
  expect_close("scores", f.scores(the_query(), f.memory(the_keys())).to_vector(),
               {e(3, 1.5), e(2, 2.5), e(3, 2)}, 1e-15);
}

TEST(AttentionByHand, CosineIsTheAngleTimesBeta) {
  Attention f = make({.score = Score::cosine, .query = 2, .key = 2});
  expect_close("beta", f.beta.to_vector(), {std::sqrt(2.0)}, 1e-7);
  f.beta = leaf(Tensor::of({10}, f64));
  const double q = std::sqrt(13.0);
  expect_close("scores", f.scores(the_query(), f.memory(the_keys())).to_vector(),
               {10 * 2 / q, 10 * 3 / q, 10 * 5 / (q * std::sqrt(2.0))}, 1e-15);
}

TEST(AttentionByHand, LocationKnowsOnlyTheQuery) {
  Attention f = make({.score = Score::location, .query = 2, .key = 2, .longest = 4});
  f.weight = leaf(Tensor::of({{1, 0}, {0, 1}, {1, 1}, {7, 7}}, f64));
  EXPECT_EQ(f.scores(the_query(), f.memory(the_keys())).to_vector(), (Numbers{2, 3, 5}));
  EXPECT_EQ(f.scores(the_query(), f.memory(noise({1, 3, 2}, 1))).to_vector(), (Numbers{2, 3, 5}));
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

// ---- relations between scores, and their edges ----

TEST(Attention, ConcatIsAdditiveWithItsMatrixInBlocks) {
  Attention additive = make({.score = Score::additive, .query = 3, .key = 2, .width = 4});
  additive.key.bias = leaf(Tensor::zeros({4}, f64));
  Attention joined = make({.score = Score::concat, .query = 3, .key = 2, .width = 4}, 5);
  joined.weight = leaf(heed::concat({additive.query.weight, additive.key.weight}, 1));
  joined.v = additive.v;
  const Tensor q = leaf(noise({2, 5, 3}, 1)), k = leaf(noise({2, 4, 2}, 2));
  const auto run = [&](const Attention& f, Leaves leaves) {
    leaves.insert(leaves.end(), {{"q", q}, {"k", k}, {"v", f.v}});
    return pass(leaves, [&] { return outputs_of(f(q, f.memory(k, Mask::lengths({4, 2})))); });
  };
  const Pass a = run(additive, {{"W_q", additive.query.weight}, {"W_k", additive.key.weight}}),
             b = run(joined, {{"W", joined.weight}});
  EXPECT_EQ(a.outputs, b.outputs);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(a.gradients[2 + i], b.gradients[1 + i]);
  const Tensor blocks = heed::concat({reshape(Tensor::from<double>(a.gradients[0], {12}), {4, 3}),
                                      reshape(Tensor::from<double>(a.gradients[1], {8}), {4, 2})},
                                     1);
  expect_close("dW", b.gradients[0], blocks.to_vector(), 1e-15);
}

TEST(Attention, CosineIsBlindToLengths) {
  const Attention f = make({.score = Score::cosine, .query = 3, .key = 3});
  const Tensor keys = noise({2, 4, 3}, 1), query = leaf(noise({2, 3}, 2));
  const Numbers w = f(query, f.memory(keys)).weights.to_vector();
  for (const double length : {1e-200, 1e-3, 7.0, 1e200}) {
    const Tensor q = scale(query, length), k = scale(keys, length);
    expect_close("query", f(q, f.memory(keys)).weights.to_vector(), w, 1e-15);
    expect_close("keys", f(query, f.memory(k)).weights.to_vector(), w, 1e-15);
  }
  // So the gradient has no part along the query.
  const Pass p = pass({{"q", query}}, [&] { return outputs_of(f(query, f.memory(keys))); });
  const Numbers q = query.to_vector();
  for (size_t b = 0; b < 2; ++b) {
    double along = 0;
    for (size_t j = 3 * b; j < 3 * b + 3; ++j) along += q[j] * p.gradients[0][j];
    EXPECT_NEAR(along, 0, 1e-15);
  }
}

TEST(Attention, CosineOfAZeroVectorIsZeroAndSoIsItsGradient) {
  for (const DType dtype : {f32, f64}) {
    Rng rng(1);
    Attention f({.score = Score::cosine, .query = 2, .key = 2}, rng);
    to(f, dtype);
    const Tensor keys = leaf(cast(the_keys(), dtype)), none = leaf(Tensor::zeros({1, 2}, dtype));
    EXPECT_EQ(f.scores(none, f.memory(keys)).to_vector(), Numbers(3, 0.0));
    const Tensor some = leaf(Tensor::of({{2, 3}}, dtype));
    const Tensor gap = leaf(reshape(Tensor::of({1, 0, 0, 0, 1, 1}, dtype), {1, 3, 2}));
    const CheckNumerics check;
    const Pass q =
        pass({{"q", none}, {"k", keys}}, [&] { return outputs_of(f(none, f.memory(keys))); });
    EXPECT_EQ(q.gradients[0], Numbers(2, 0.0));
    const Pass k = pass({{"k", gap}}, [&] { return Tensors{f.scores(some, f.memory(gap))}; });
    EXPECT_EQ(k.outputs[0][1], 0);
    EXPECT_EQ((Numbers{k.gradients[0][2], k.gradients[0][3]}), Numbers(2, 0.0));
    EXPECT_NE(k.gradients[0][1], 0);
  }
}

TEST(Attention, LocationRefusesLongerSentencesButNotLongerPadding) {
  const Attention f = make({.score = Score::location, .query = 2, .key = 2, .longest = 3});
  const Tensor keys = noise({2, 5, 2}, 1), query = noise({2, 2}, 2);
  const Attended a = f(query, f.memory(keys, Mask::lengths({3, 1})));
  EXPECT_EQ(a.weights.shape(), (Shape{2, 5}));
  const std::string text = " (in attention)";
  for (const Tensor& q : {query, noise({2, 4, 2}, 3)})
    EXPECT_EQ(argument_error([&] {
                f(q, f.memory(keys, Mask::lengths({3, 4})));
              }),
              "attention: the location score was made for sentences of at most 3 positions, "
              "sentence 1 has 4; make it with a larger `longest`" +
                  text);
  EXPECT_NE(argument_error([&] { f(query, f.memory(keys)); }).find("sentence 0 has 5"),
            std::string::npos);
}

TEST(Attention, HugeScoresStayFinite) {
  const Attention f = make({.score = Score::dot, .query = 1, .key = 1});
  const Tensor keys = reshape(Tensor::of({1e4, -1e4, 0}, f64), {1, 3, 1});
  EXPECT_EQ(f(Tensor::full({1, 1}, 1, f64), f.memory(keys)).weights.to_vector(),
            (Numbers{1, 0, 0}));
}

// ---- names and errors ----

TEST(Attention, ScoresHaveNames) {
  for (const AttentionOptions& o : every_score()) EXPECT_EQ(score_named(name_of(o.score)), o.score);
  EXPECT_EQ(name_of(Score::scaled_dot), "scaled_dot");
  EXPECT_EQ(score_named("bilinear"), std::nullopt);
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

  EXPECT_NE(built({.score = Score::cosine, .query = 2, .key = 3}).find("the cosine score"),
            std::string::npos);
  EXPECT_EQ(
      built({.score = Score::location, .query = 2, .key = 3}),
      "attention: the location score needs `longest`, the most source positions, >= 1, got 0");

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
