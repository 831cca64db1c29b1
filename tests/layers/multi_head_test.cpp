// Multi-head attention: against its definition head by head, masks, step-by-step self-attention,
// and errors. Gradients of every parameter are in the layer table.
#include "layers/multi_head.h"

#include "layers/attention.h"
#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

// In f64, with biases that are not 0.
MultiHead make(const MultiHeadOptions& o, uint64_t seed = 4) {
  Rng rng(seed);
  MultiHead f(o, rng);
  to(f, f64);
  Visitor stir([&](const std::string&, Tensor& p) {
    p = leaf(detach(p) + Tensor::normal(p.shape(), 0, 0.3, rng, f64));
  });
  f.visit(stir);
  return f;
}

Tensor identity(int64_t n, int64_t times = 1) {
  std::vector<double> all;
  for (int64_t i = 0; i < times * n; ++i)
    for (int64_t j = 0; j < n; ++j) all.push_back(i % n == j);
  return leaf(Tensor::from<double>(all, {times * n, n}));
}

Pass run(MultiHead& f, const Tensor& query, const Tensor& keys, const Mask& mask,
         const Mask& causal = {}) {
  Leaves leaves = leaves_of(parameters(f));
  leaves.insert(leaves.end(), {{"query", query}, {"keys", keys}});
  return pass(leaves, [&] {
    const auto [y, weights] = f(query, f.memory(keys, mask), causal);
    return Tensors{y, weights};
  });
}

// ---- the definition ----

TEST(MultiHead, OneHeadWithIdentityProjectionsIsTheScaledDot) {
  MultiHead f = make({.query = 4, .bias = false});
  f.in_proj_weight = identity(4, 3);
  f.out_proj.weight = identity(4);
  const Attention scaled_dot = [] {
    Rng rng(1);
    return Attention({.score = Score::scaled_dot, .query = 4, .key = 4}, rng);
  }();
  const Tensor query = leaf(noise({2, 3, 4}, 1)), keys = leaf(noise({2, 5, 4}, 2));
  const Mask mask = Mask::lengths({5, 2});
  const Leaves leaves{{"query", query}, {"keys", keys}};
  const Pass many = pass(leaves, [&] {
    const auto [y, weights] = f(query, f.memory(keys, mask));
    return Tensors{y, reshape(weights, {2, 3, 5})};
  });
  const Pass one = pass(leaves, [&] {
    const Attended a = scaled_dot(query, scaled_dot.memory(keys, mask));
    return Tensors{a.context, a.weights};
  });
  expect_same("scaled dot", leaves, many, one, 1e-14);
}

// Query (1, 2) and keys (ln 2) (1, 0), (ln 4) (0, 1), with projections that pick coordinates:
// head 0 sees the first coordinates, head 1 the second ones.
TEST(MultiHead, ByHand) {
  MultiHead f = make({.query = 2, .heads = 2, .bias = false});
  f.in_proj_weight = identity(2, 3);
  f.out_proj.weight = leaf(Tensor::of({{10, 0}, {0, 100}}, f64));
  const double ln2 = std::log(2.0), ln4 = std::log(4.0);
  const Tensor keys = reshape(Tensor::of({ln2, 0, 0, ln4}, f64), {1, 2, 2});
  const Tensor query = reshape(Tensor::of({1, 0.5}, f64), {1, 1, 2});
  const auto [y, weights] = f(query, f.memory(keys));
  // d = 1. Head 0: scores (ln 2, 0); head 1: scores (0, ln 2).
  expect_close("weights", weights.to_vector(), {2.0 / 3, 1.0 / 3, 1.0 / 3, 2.0 / 3}, 1e-15);
  expect_close("y", y.to_vector(), {10 * 2 * ln2 / 3, 100 * 2 * ln4 / 3}, 1e-14);
}

// Every head by itself from rows of the projections, put side by side, and the output projection.
TEST(MultiHead, IsItsHeadsSideBySide) {
  for (const bool packed : {true, false})
    for (const int64_t n : {1, 2, 3, 6}) {
      MultiHead f = packed ? make({.query = 6, .heads = n})
                           : make({.query = 6, .key = 5, .value = 4, .heads = n});
      const int64_t d = 6 / n, k_size = packed ? 6 : 5, v_size = packed ? 6 : 4;
      const Tensor query = noise({2, 3, 6}, 1), keys = noise({2, 5, k_size}, 2),
                   values = noise({2, 5, v_size}, 3);
      const Mask mask = Mask::lengths({5, 2});
      const auto rows = [&](int64_t which, int64_t head) {
        const Tensor* apart[] = {&f.q_proj_weight, &f.k_proj_weight, &f.v_proj_weight};
        const Tensor& w = packed ? f.in_proj_weight : *apart[which];
        const int64_t at = head * d, from = which * 6 + at;
        return std::pair{slice(w, 0, packed ? from : at, (packed ? from : at) + d),
                         slice(f.in_proj_bias, 0, from, from + d)};
      };
      Tensors heads, weights;
      for (int64_t h = 0; h < n; ++h) {
        const auto [wq, bq] = rows(0, h);
        const auto [wk, bk] = rows(1, h);
        const auto [wv, bv] = rows(2, h);
        const Tensor scores = matmul_nt(linear(query, wq, bq), linear(keys, wk, bk));
        weights.push_back(softmax(scale(scores, 1 / std::sqrt(static_cast<double>(d))), mask));
        heads.push_back(matmul(weights.back(), linear(values, wv, bv)));
      }
      const auto [y, w] = f(query, f.memory(keys, mask, values));
      const Tensor expected = linear(concat(heads, 2), f.out_proj.weight, f.out_proj.bias);
      expect_close("y", y.to_vector(), expected.to_vector(), 1e-13);
      expect_close("weights", w.to_vector(), stack(weights, 1).to_vector(), 1e-14);
    }
}

TEST(MultiHead, SelfAttentionIsAttentionToItself) {
  MultiHead f = make({.query = 6, .heads = 3});
  const Tensor x = leaf(noise({2, 4, 6}, 1));
  Leaves leaves = leaves_of(parameters(f));
  leaves.emplace_back("x", x);
  const Mask mask = Mask::lengths({4, 2}) & Mask::causal();
  const Pass self = pass(leaves, [&] {
    const SelfAttended a = f.self(x, mask);
    return Tensors{a.y, a.weights};
  });
  const Pass cross = pass(leaves, [&] {
    const auto [y, weights] = f(x, f.memory(x), mask);
    return Tensors{y, weights};
  });
  const Pass apart = pass(leaves, [&] {
    const auto [y, weights] = f(x, f.memory(x, {}, x), mask);
    return Tensors{y, weights};
  });
  expect_same("one product for all three", leaves, self, cross, 1e-12);
  expect_same("keys and values apart", leaves, apart, cross, 1e-12);
}

TEST(MultiHead, DifferentHeadsLookElsewhere) {
  const MultiHead f = make({.query = 6, .heads = 2});
  const Tensor w = f(noise({1, 1, 6}, 1), f.memory(noise({1, 4, 6}, 2))).weights;
  EXPECT_NE(select(w, 1, 0).to_vector(), select(w, 1, 1).to_vector());
}

// ---- no needless work ----

TEST(MultiHead, HeadsAreViewsOfOneProduct) {
  const MultiHead f = make({.query = 6, .heads = 3});
  const HeadMemory m = f.memory(noise({2, 5, 6}, 1));
  EXPECT_EQ(m.keys.shape(), (Shape{2, 5, 3, 2}));
  EXPECT_EQ(m.keys.buffer().data(), m.values.buffer().data());
  EXPECT_EQ(m.values.bytes() - m.keys.bytes(), 6 * 8) << "side by side in each row";
  const SelfAttended a = f.self(noise({2, 5, 6}, 1));
  EXPECT_EQ(a.memory.keys.buffer().data(), a.memory.values.buffer().data());
}

TEST(MultiHead, KeysAndValuesAreProjectedOnce) {
  const MultiHead f = make({.query = 6, .heads = 3});
  const Tape tape;
  const HeadMemory m = f.memory(noise({2, 5, 6}, 1));
  for (int t = 0; t < 4; ++t) (void)f(noise({2, 1, 6}, 2), m);
  int products = 0;
  for (const Node& n : tape.nodes()) products += n.table->info->name == "linear";
  EXPECT_EQ(products, 1 + 4 * 2) << "one for the memory, two for each query";
}

// ---- masks ----

TEST(MultiHead, PermutingTheKeysPermutesTheWeights) {
  const MultiHead f = make({.query = 6, .heads = 2});
  const int64_t order[] = {2, 0, 3, 1};
  const Tensor keys = noise({2, 4, 6}, 1), query = noise({2, 3, 6}, 2);
  Tensors rows;
  for (const int64_t s : order) rows.push_back(select(keys, 1, s));
  const MultiHeadOutput a = f(query, f.memory(keys)), p = f(query, f.memory(stack(rows, 1)));
  for (int64_t s = 0; s < 4; ++s)
    expect_close("weights", slice(p.weights, 3, s, s + 1).to_vector(),
                 slice(a.weights, 3, order[s], order[s] + 1).to_vector(), 1e-15);
  expect_close("y", p.y.to_vector(), a.y.to_vector(), 1e-14);
}

TEST(MultiHead, WeightsSumToOneOverTheKeptPositionsAndAreZeroElsewhere) {
  const MultiHead f = make({.query = 6, .heads = 3});
  const Tensor x = noise({2, 4, 6}, 1);
  const Tensor w = f.self(x, Mask::lengths({4, 2}) & Mask::causal()).weights;
  ASSERT_EQ(w.shape(), (Shape{2, 3, 4, 4}));
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t n = 0; n < 3; ++n)
      for (int64_t t = 0; t < 4; ++t) {
        double total = 0;
        for (int64_t s = 0; s < 4; ++s) {
          EXPECT_EQ(w.at({b, n, t, s}) > 0, s <= t && (b == 0 || s < 2));
          total += w.at({b, n, t, s});
        }
        EXPECT_NEAR(total, 1, 1e-14);
      }
}

TEST(MultiHead, AMaskMayDifferFromHeadToHead) {
  const MultiHead f = make({.query = 4, .heads = 2});
  // [B, N, T, S] = [1, 2, 1, 3]: head 0 keeps the first, head 1 the other two.
  const Mask mask = Mask::keep({1, 0, 0, 0, 1, 1}, {1, 2, 1, 3});
  const Tensor w = f(noise({1, 1, 4}, 1), f.memory(noise({1, 3, 4}, 2)), mask).weights;
  EXPECT_EQ(w.at({0, 0, 0, 0}), 1);
  EXPECT_EQ(w.at({0, 1, 0, 0}), 0);
  EXPECT_NEAR(w.at({0, 1, 0, 1}) + w.at({0, 1, 0, 2}), 1, 1e-15);
}

TEST(MultiHead, MaskedPositionsHaveNoGradientAndDoNotMatter) {
  MultiHead f = make({.query = 6, .heads = 2});
  const Tensor query = leaf(noise({2, 3, 6}, 1));
  const auto with = [&](double garbage) {
    return run(f, query, leaf(pad({noise({4, 6}, 2), noise({2, 6}, 3)}, 4, garbage)),
               Mask::lengths({4, 2}));
  };
  const Pass clean = with(0), dirty = with(1e30);
  EXPECT_EQ(clean.outputs, dirty.outputs);
  EXPECT_EQ(clean.gradients, dirty.gradients);
  const Numbers& keys = clean.gradients.back();
  for (size_t i = 0; i < keys.size(); ++i)
    EXPECT_EQ(keys[i] == 0, i >= 4 * 6 + 2 * 6) << "element " << i;
}

TEST(MultiHead, AFullyMaskedRowIsTheOutputBiasAndGetsNoGradient) {
  MultiHead f = make({.query = 6, .heads = 2});
  const Tensor query = leaf(noise({2, 3, 6}, 1)), keys = leaf(noise({2, 4, 6}, 2));
  const Pass p = run(f, query, keys, Mask::lengths({4, 0}));
  const Numbers bias = f.out_proj.bias.to_vector();
  for (size_t i = 18; i < 36; ++i) EXPECT_EQ(p.outputs[0][i], bias[i % 6]);
  for (size_t i = 24; i < 48; ++i) EXPECT_EQ(p.outputs[1][i], 0) << "weights";
  const size_t count = p.gradients.size();
  for (size_t i = 18; i < 36; ++i) EXPECT_EQ(p.gradients[count - 2][i], 0) << "query";
  for (size_t i = 24; i < 48; ++i) EXPECT_EQ(p.gradients[count - 1][i], 0) << "keys";
}

// The batch is the first axis: nothing passes from one sentence to another.
TEST(MultiHead, SentencesDoNotSeeEachOther) {
  const MultiHead f = make({.query = 6, .heads = 2});
  const Tensor x = leaf(noise({2, 4, 6}, 1));
  Tape tape;
  tape.backward(sum(square(select(f.self(x).y, 0, 0))));
  const Numbers dx = tape.grad(x).to_vector();
  for (size_t i = 0; i < 48; ++i) EXPECT_EQ(dx[i] == 0, i >= 24) << i;
}

TEST(MultiHead, HugeScoresStayFinite) {
  MultiHead f = make({.query = 1, .bias = false});
  f.in_proj_weight = identity(1, 3);
  f.out_proj.weight = identity(1);
  const Tensor keys = reshape(Tensor::of({1e4, -1e4, 0}, f64), {1, 3, 1});
  EXPECT_EQ(f(Tensor::full({1, 1, 1}, 1, f64), f.memory(keys)).weights.to_vector(),
            (Numbers{1, 0, 0}));
}

// ---- step by step ----

TEST(MultiHead, GrowingPastEqualsTheWholeSequence) {
  MultiHead f = make({.query = 6, .heads = 3});
  const Tensor x = leaf(noise({2, 6, 6}, 1));
  Leaves leaves = leaves_of(parameters(f));
  leaves.emplace_back("x", x);
  const Pass whole = pass(leaves, [&] { return Tensors{f.self(x, Mask::causal()).y}; });
  for (const int64_t chunk : {1, 2, 3}) {
    const Pass grown = pass(leaves, [&] {
      Tensors parts;
      HeadMemory past;
      for (int64_t t = 0; t < 6; t += chunk) {
        const SelfAttended a = f.self(slice(x, 1, t, t + chunk), Mask::causal(t), nullptr, past);
        EXPECT_EQ(a.weights.shape(), (Shape{2, 3, chunk, t + chunk}));
        EXPECT_EQ(a.memory.keys.shape(), (Shape{2, t + chunk, 3, 2}));
        past = a.memory;
        parts.push_back(a.y);
      }
      return Tensors{concat(parts, 1)};
    });
    expect_same("chunks of " + std::to_string(chunk), leaves, grown, whole, 1e-12);
  }
}

TEST(MultiHead, ThePastKeepsItsMask) {
  const MultiHead f = make({.query = 6, .heads = 2});
  HeadMemory past = f.self(noise({1, 2, 6}, 1)).memory;
  past.mask = Mask::keep({0, 1, 1});
  const Tensor w = f.self(noise({1, 1, 6}, 2), {}, nullptr, past).weights;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t s = 0; s < 3; ++s) EXPECT_EQ(w.at({0, n, 0, s}) > 0, s > 0);
}

// ---- nothing there ----

TEST(MultiHead, NoPositionsGiveTheOutputBias) {
  const MultiHead f = make({.query = 6, .heads = 2});
  const auto [y, weights] = f(noise({2, 1, 6}, 1), f.memory(Tensor::zeros({2, 0, 6}, f64)));
  EXPECT_EQ(weights.shape(), (Shape{2, 2, 1, 0}));
  Numbers twice = f.out_proj.bias.to_vector();
  twice.insert(twice.end(), twice.begin(), twice.begin() + 6);
  EXPECT_EQ(y.to_vector(), twice);
}

TEST(MultiHead, EmptyBatchesAndNoQueriesGiveEmptyResults) {
  MultiHead f = make({.query = 6, .heads = 2});
  for (const Shape& shape : {Shape{0, 3, 6}, Shape{2, 0, 6}, Shape{0, 0, 6}}) {
    const Tensor x = leaf(Tensor::zeros(shape, f64));
    Leaves leaves = leaves_of(parameters(f));
    leaves.emplace_back("x", x);
    const Pass p = pass(leaves, [&] {
      const SelfAttended a = f.self(x, Mask::causal());
      EXPECT_EQ(a.y.shape(), shape);
      EXPECT_EQ(a.weights.shape(), (Shape{shape[0], 2, shape[1], shape[1]}));
      return Tensors{a.y};
    });
    for (const Numbers& g : p.gradients)
      for (const double v : g) EXPECT_EQ(v, 0);
  }
}

// ---- dropout ----

TEST(MultiHead, DropoutIsOnTheWeightsAndNotOnWhatIsReported) {
  const MultiHead f = make({.query = 6, .heads = 2, .dropout = 0.5});
  const Tensor query = noise({2, 3, 6}, 1);
  const HeadMemory m = f.memory(noise({2, 5, 6}, 2));
  const MultiHeadOutput without = f(query, m);
  Rng r1(1), r2(1), key(1);
  const MultiHeadOutput with = f(query, m, {}, &r1);
  EXPECT_EQ(with.weights.to_vector(), without.weights.to_vector());
  EXPECT_NE(with.y.to_vector(), without.y.to_vector());
  EXPECT_EQ(with.y.to_vector(), f(query, m, {}, &r2).y.to_vector());
  const Tensor used = dropout(without.weights, 0.5, key.next_key());
  EXPECT_EQ(r1.next_u32(), key.next_u32()) << "one key";
  const Tensor heads = matmul(used, permute(m.values, {0, 2, 1, 3}));
  const Tensor side = reshape(permute(heads, {0, 2, 1, 3}), {2, 3, 6});
  expect_close("y", with.y.to_vector(), f.out_proj(side).to_vector(), 1e-14);
}

// ---- what the header says ----

TEST(MultiHead, DocumentedShapesAndFirstValues) {
  Rng rng(1);
  const Tensor x = noise({2, 4, 8}, 1, f32), keys = noise({2, 5, 8}, 2, f32);
  MultiHead f({.query = 8, .heads = 2}, rng);
  auto [y, weights] = f(x, f.memory(keys, Mask::lengths({5, 3})));  // cross
  auto own = f.self(x, Mask::causal());                             // self
  EXPECT_EQ(y.shape(), (Shape{2, 4, 8}));
  EXPECT_EQ(weights.shape(), (Shape{2, 2, 4, 5}));
  EXPECT_EQ(own.weights.shape(), (Shape{2, 2, 4, 4}));
  EXPECT_EQ(f.in_proj_bias.to_vector(), Numbers(24, 0.0));
  EXPECT_EQ(f.out_proj.bias.to_vector(), Numbers(8, 0.0));
  for (const double v : f.in_proj_weight.to_vector()) EXPECT_LE(std::abs(v), std::sqrt(6.0 / 32));
  for (const double v : f.out_proj.weight.to_vector()) EXPECT_LE(std::abs(v), std::sqrt(1.0 / 8));
}

TEST(MultiHead, SaysWhatDoesNotFit) {
  const auto built = [](const MultiHeadOptions& o) { return argument_error([&] { make(o); }); };
  EXPECT_EQ(built({.query = 6, .heads = 4}),
            "multi_head: expected a number of heads that divides the size 6, got 4");
  EXPECT_EQ(built({.query = 6, .heads = 0}),
            "multi_head: expected a number of heads that divides the size 6, got 0");
  EXPECT_EQ(built({.query = 0}),
            "multi_head: expected sizes of query, key and value >= 1, got 0, 0, 0");
  EXPECT_EQ(built({.query = 4, .dropout = 1}), "multi_head: expected dropout in [0, 1), got 1");

  const MultiHead f = make({.query = 6, .heads = 2}),
                  other = make({.query = 6, .key = 4, .value = 3});
  const Tensor keys = noise({4, 5, 6}, 1);
  const auto held = [&](const Tensor& k, const Mask& m = {}, const Tensor& v = {}) {
    return argument_error([&] { f.memory(k, m, v); });
  };
  EXPECT_EQ(held(noise({4, 5, 2}, 1)),
            "multi_head: expected keys [B, S, 6], got tensor f64 [4, 5, 2]");
  EXPECT_EQ(held({}), "multi_head: expected keys [B, S, 6], got tensor (none)");
  EXPECT_EQ(held(keys, {}, noise({4, 6, 6}, 1)),
            "multi_head: expected values [4, 5, 6] for keys [4, 5, 6], got [4, 6, 6]");
  EXPECT_EQ(argument_error([&] {
              other.memory(noise({4, 5, 4}, 1));
            }),
            "multi_head: expected values [4, 5, 3] for keys [4, 5, 4], got [4, 5, 4]");
  EXPECT_EQ(held(keys, Mask::lengths({1, 2})),
            "multi_head: expected 4 lengths, one per sentence of the batch, got 2");
  EXPECT_EQ(held(keys, Mask::lengths({1, 2, 3, 6})),
            "multi_head: expected lengths <= 5 (the padded length), got 6");
  EXPECT_NE(held(keys, Mask::keep({1, 1, 0})).find("got [3]"), std::string::npos);

  const HeadMemory m = f.memory(keys);
  const auto asked = [&](const Tensor& q, const HeadMemory& over, const Mask& mask = {}) {
    return argument_error([&] { f(q, over, mask); });
  };
  EXPECT_EQ(asked(noise({4, 6}, 1), m),
            "multi_head: expected queries [B, T, 6], got tensor f64 [4, 6]");
  EXPECT_EQ(asked(noise({3, 2, 6}, 1), m),
            "multi_head: expected a memory [3, S, 2, 3] for queries [3, 2, 6], got tensor f64 [4, "
            "5, 2, 3]");
  EXPECT_EQ(asked(noise({4, 2, 6}, 1), {}),
            "multi_head: expected a memory [4, S, 2, 3] for queries [4, 2, 6], got tensor (none)");
  EXPECT_EQ(asked(noise({4, 2, 6}, 1), m, Mask::lengths({9, 1, 1, 1})),
            "multi_head: expected lengths <= 5 (the padded length), got 9 (in multi_head)");
  EXPECT_EQ(argument_error([&] {
              f.self(noise({2, 6}, 1));
            }),
            "multi_head: expected x [B, T, 6], got tensor f64 [2, 6]");
  EXPECT_EQ(argument_error([&] {
              other.self(noise({2, 3, 6}, 1));
            }),
            "multi_head: self-attention needs keys and values of the size 6, got 4 and 3");
  EXPECT_EQ(argument_error([&] {
              f.self(noise({2, 1, 6}, 1), {}, nullptr, m);
            }),
            "multi_head: expected a past [2, S, 2, 3] for x [2, 1, 6], got tensor f64 [4, 5, 2, "
            "3]");
}

}  // namespace
}  // namespace heed::test
