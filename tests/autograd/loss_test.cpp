// Cross-entropy against its definition composed of other ops, what is not counted, and reductions.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/rng.h"
#include "tests/autograd/texts.h"

namespace heed::test {
namespace {

using V = std::vector<double>;

Tensor ids(const std::vector<int64_t>& v) {
  return Tensor::ids(v, {static_cast<int64_t>(v.size())});
}

// sum over counted tokens of -sum_k target_k log softmax(z)_k, target = (1 - eps) onehot + eps / V.
Tensor by_definition(const Tensor& logits, const std::vector<int64_t>& targets, double eps,
                     int64_t ignore) {
  const int64_t rows = logits.shape()[0], v = logits.shape()[1];
  std::vector<double> wanted(static_cast<size_t>(rows * v), 0.0);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t t = targets[static_cast<size_t>(r)];
    if (t == ignore) continue;
    for (int64_t j = 0; j < v; ++j)
      wanted[static_cast<size_t>(r * v + j)] =
          eps / static_cast<double>(v) + (j == t ? 1 - eps : 0);
  }
  return neg(sum(mul(Tensor::from<double>(wanted, logits.shape()), log_softmax(logits))));
}

TEST(CrossEntropy, IsItsDefinition) {
  Rng rng(1);
  const Tensor z = Tensor::normal({6, 5}, 0, 2, rng, f64);
  const std::vector<int64_t> targets{4, -100, 0, 0, -100, 2};
  for (const double eps : {0.0, 0.1, 0.9}) {
    const Tensor a = leaf(z), b = leaf(z);
    Tape tape;
    const Tensor fused =
        cross_entropy(a, ids(targets), {.label_smoothing = eps, .reduction = Reduction::sum});
    const Tensor composed = by_definition(b, targets, eps, -100);
    EXPECT_NEAR(fused.item(), composed.item(), 1e-12);
    tape.backward(fused + composed);
    const V da = tape.grad(a).to_vector(), db = tape.grad(b).to_vector();
    for (size_t i = 0; i < da.size(); ++i) EXPECT_NEAR(da[i], db[i], 1e-12) << i;
    for (size_t j = 0; j < 5; ++j) EXPECT_EQ(da[5 + j], 0);  // row 1 is ignored
  }
}

TEST(CrossEntropy, ReductionsAreOfTheCountedTokens) {
  Rng rng(2);
  const Tensor z = Tensor::normal({4, 3}, 0, 1, rng, f64);
  const Tensor targets = ids({1, 7, 0, 7});
  const auto loss = [&](Reduction r) {
    return cross_entropy(z, targets, {.ignore = 7, .reduction = r});
  };
  const V each = loss(Reduction::per_token).to_vector();
  EXPECT_EQ(each[1], 0);
  EXPECT_EQ(each[3], 0);
  EXPECT_NEAR(loss(Reduction::sum).item(), each[0] + each[2], 1e-14);
  EXPECT_NEAR(loss(Reduction::mean).item(), (each[0] + each[2]) / 2, 1e-14);
  EXPECT_EQ(counted(targets, 7), 2);
  EXPECT_EQ(counted(targets, 0), 3);
}

TEST(CrossEntropy, NothingCountedIsLossZeroGradientZero) {
  for (const DType dtype : {f32, f64})
    for (const Reduction r : {Reduction::sum, Reduction::mean}) {
      const Tensor z = leaf(Tensor::of({{1, 2}, {3, 4}}, dtype));
      Tape tape;
      const Tensor loss = cross_entropy(z, ids({-100, -100}), {.reduction = r});
      EXPECT_EQ(loss.item(), 0);
      tape.backward(loss);
      EXPECT_EQ(tape.grad(z).to_vector(), (V{0, 0, 0, 0}));
    }
}

// Sentences of 2, 1 and 0 tokens in one batch: their shares of the gradient are as 2 : 1 : 0 when
// all tokens are alike.
TEST(CrossEntropy, ASentenceCountsByItsTokens) {
  const Tensor z = leaf(Tensor::zeros({3, 2, 4}, f64));
  const std::vector<int64_t> t{1, 1, 1, -100, -100, -100};
  Tape tape;
  const Tensor loss = cross_entropy(z, Tensor::ids(t, {3, 2}));
  EXPECT_NEAR(loss.item(), std::log(4.0), 1e-15);
  tape.backward(loss);
  const Tensor share = sum(abs(tape.grad(z)), {1, 2});
  EXPECT_NEAR(share.at({0}), 2 * share.at({1}), 1e-15);
  EXPECT_NEAR(share.at({1}), 1.5 / 3, 1e-15);  // |p - onehot| = 3/4 + 3 * 1/4, over 3 tokens
  EXPECT_EQ(share.at({2}), 0);
}

TEST(CrossEntropy, SmoothingPushesUntilTheTargetShareIsReached) {
  // V = 5, eps = 0.1: no gradient where p is 0.92 at the target and 0.02 elsewhere.
  const Tensor z = leaf(Tensor::of(
      {{std::log(0.92), std::log(0.02), std::log(0.02), std::log(0.02), std::log(0.02)}}, f64));
  Tape tape;
  tape.backward(cross_entropy(z, ids({0}), {.label_smoothing = 0.1}));
  for (const double g : tape.grad(z).to_vector()) EXPECT_NEAR(g, 0, 1e-15);
}

// z = x, and where in memory z and dL/dz were.
struct Places {
  static constexpr OpInfo info{
      .name = "places", .inputs = {"x"}, .forward = "z = x", .backward = {"dx += dz"}};
  Saved x;
  const void** gradient;
  void saved(SavedVisitor& see) const { see("x", x); }
  void backward(GradFlow& flow) const {
    *gradient = flow.dy().data<double>();
    flow.add(0, clone(flow.dy()));
  }
};

TEST(CrossEntropy, LogitsThatNobodyHoldsBecomeTheirGradient) {
  const Tensor x = leaf(Tensor::of({{1, -2, 0.5}, {0.25, 3, -1}}, f64));
  V gradients[2];
  for (const bool hold : {false, true}) {
    const void *place = nullptr, *gradient = nullptr;
    Tape tape;
    Tensor held, loss;
    {
      const Tensor z = record(Places{x, &gradient}, clone(detach(x)), x);
      place = z.data<double>();
      if (hold) held = z;
      loss = cross_entropy(z, ids({2, 0}), {.label_smoothing = 0.1});
    }
    tape.backward(loss);
    EXPECT_EQ(place == gradient, !hold);
    gradients[hold] = tape.grad(x).to_vector();
    if (!hold) continue;
    EXPECT_EQ(held.to_vector(), x.to_vector()) << "what somebody holds stays";
  }
  EXPECT_EQ(gradients[0], gradients[1]);
}

TEST(CrossEntropy, WrongTargetsAreNamed) {
  const Tensor z = Tensor::zeros({2, 3});
  EXPECT_EQ(argument_error([&] {
              cross_entropy(z, ids({0, 3}));
            }),
            "cross_entropy: expected targets in [0, 3) or -100 (ignored), got 3 at position 1");
  EXPECT_EQ(argument_error([&] {
              cross_entropy(z, ids({0, -1}));
            }),
            "cross_entropy: expected targets in [0, 3) or -100 (ignored), got -1 at position 1");
  EXPECT_EQ(argument_error([&] { cross_entropy(z, ids({0})); }),
            "cross_entropy: expected targets [2] for logits [2, 3], got [1]");
  EXPECT_EQ(argument_error([&] { cross_entropy(z, Tensor::zeros({2})); }),
            "cross_entropy: expected i64 targets, got f32");
  EXPECT_EQ(argument_error([&] {
              cross_entropy(z, ids({0, 1}), {.label_smoothing = 1});
            }),
            "cross_entropy: expected label smoothing in [0, 1), got 1");
}

}  // namespace
}  // namespace heed::test
