// The gradient of a weight that is used step by step is gathered and multiplied at once: the same
// numbers as one product over all rows, whoever reads the gradient and whenever.
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "core/rng.h"

namespace heed {
namespace {

struct Setting {
  Tensor x, weight;  // x [T, B, in]
  explicit Setting(int64_t steps, int64_t rows) {
    Rng rng(7);
    x = leaf(Tensor::normal({steps, rows, 3}, 0, 1, rng, f64));
    weight = leaf(Tensor::normal({4, 3}, 0, 1, rng, f64));
  }
};

using Use = Tensor (*)(const Tensor& x, const Tensor& weight);
constexpr Use kUses[] = {
    [](const Tensor& x, const Tensor& w) { return linear(x, w, {}); },
    [](const Tensor& x, const Tensor& w) { return matmul_nt(x, w); },
    [](const Tensor& x, const Tensor& w) { return matmul(x, transpose(w)); },
    [](const Tensor& x, const Tensor& w) { return linear(x, scale(w, 1), {}); },  // not a leaf
};

Tensor stepwise(const Setting& s, Use use) {
  Tensors y;
  for (int64_t t = 0; t < s.x.shape()[0]; ++t) y.push_back(use(select(s.x, 0, t), s.weight));
  return sum(tanh(stack(y, 0)));
}

void expect_equal(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.shape(), expected.shape());
  const auto g = got.to_vector(), e = expected.to_vector();
  for (size_t i = 0; i < g.size(); ++i) EXPECT_NEAR(g[i], e[i], 1e-12) << i;
}

Tensor gradient_at_once(const Setting& s) {
  Tape tape;
  tape.backward(sum(tanh(linear(s.x, s.weight, {}))));
  return tape.grad(s.weight);
}

TEST(StepProducts, AddUpToTheProductOverAllRows) {
  for (const int64_t rows : {1, 5, 70})           // 70: each step is multiplied by itself
    for (const int64_t steps : {1, 2, 9, 300}) {  // 300 * 5 rows: more than are kept
      const Setting s(steps, rows);
      const Tensor expected = gradient_at_once(s);
      for (const Use use : kUses) {
        Tape tape;
        tape.backward(stepwise(s, use));
        expect_equal(tape.grad(s.weight), expected);
      }
    }
}

TEST(StepProducts, JoinAGradientThatCameAnotherWay) {
  const Setting s(4, 2);
  const Tensor expected = gradient_at_once(s);
  Tape tape;
  const Tensor before = sum(s.weight);  // its gradient arrives after those of the steps
  const Tensor steps = stepwise(s, kUses[0]);
  tape.backward(before + steps + sum(s.weight));  // and this one before them
  expect_equal(tape.grad(s.weight), expected + Tensor::full({4, 3}, 2, f64));
}

TEST(StepProducts, AreKeptForAnIntermediateTensorToo) {
  const Setting s(4, 2);
  const Tensor expected = gradient_at_once(s);
  Tape tape;
  const Tensor w = scale(s.weight, 2);
  tape.keep_grad(w);
  Tensors y;
  for (int64_t t = 0; t < 4; ++t) y.push_back(linear(select(s.x, 0, t), w, {}));
  tape.backward(sum(tanh(scale(stack(y, 0), 0.5))));
  expect_equal(tape.grad(w), scale(expected, 0.5));
  expect_equal(tape.grad(s.weight), expected);
}

TEST(StepProducts, AreSeenOneByOneByAWalkThatKeepsContributionsApart) {
  const Setting s(4, 2);
  Tape tape;
  const Tensor y = stepwise(s, kUses[0]);
  BackwardSweep walk(tape, y, Tensor::scalar(1, f64), {.separate = true});
  const NoTape quiet;
  int to_weight = 0;
  while (walk.next())
    for (const auto& c : walk.contributions()) to_weight += c.value.shape() == Shape{4, 3};
  EXPECT_EQ(to_weight, 4);
}

TEST(StepProducts, ManyRowsAreOneContributionThough) {
  const Setting s(1, 600);  // more than are multiplied at a time
  const Tensor bias = leaf(Tensor::zeros({4}, f64));
  Tape tape;
  const Tensor y = sum(tanh(linear(s.x, s.weight, bias)));
  BackwardSweep walk(tape, y, Tensor::scalar(1, f64), {.separate = true});
  const NoTape quiet;
  int to_weight = 0, to_bias = 0;
  while (walk.next())
    for (const auto& c : walk.contributions()) {
      to_weight += c.value.shape() == Shape{4, 3}, to_bias += c.value.shape() == Shape{4};
      if (c.value.shape() == Shape{4, 3}) expect_equal(c.value, gradient_at_once(s));
    }
  EXPECT_EQ(to_weight, 1);
  EXPECT_EQ(to_bias, 1);
}

TEST(StepProducts, ManyRowsDoNotWaitForOthers) {
  for (const int64_t rows : {256, 257, 300, 319, 320, 321, 700}) {
    Rng rng(7);
    const Tensor w = leaf(Tensor::normal({4, 3}, 0, 1, rng, f64));
    Tensor x = Tensor::normal({rows, 3}, 0, 1, rng, f64);
    Tape tape;
    const Tensor y = sum(linear(x, w, {}));
    const Buffer held = x.buffer();
    x = {};
    BackwardSweep walk(tape, y, Tensor::scalar(1, f64));
    const NoTape quiet;
    EXPECT_TRUE(walk.next() && walk.next());
    EXPECT_TRUE(held.unique()) << rows;
  }
}

TEST(StepProducts, NoRowsAtAllGiveZeros) {
  const Setting s(3, 0);
  const Tensor bias = leaf(Tensor::full({4}, 1, f64));
  Tape tape;
  tape.backward(sum(linear(s.x, s.weight, bias)));
  expect_equal(tape.grad(s.weight), Tensor::zeros({4, 3}, f64));
  expect_equal(tape.grad(bias), Tensor::zeros({4}, f64));
}

TEST(StepProducts, OfRecurrencesOfOneStepToo) {
  Rng rng(3);
  const Tensor x = Tensor::normal({2, 6, 6}, 0, 1, rng, f64);
  const Tensor w = leaf(Tensor::normal({6, 2}, 0, 1, rng, f64));
  const Tensor h0 = Tensor::zeros({2, 2}, f64);
  Tape whole;
  whole.backward(sum(gru_sequence(x, h0, w, {}).y));
  Tape tape;
  Tensor h = h0;
  Tensors y;
  for (int64_t t = 0; t < 6; ++t) {
    h = gru_sequence(slice(x, 1, t, t + 1), h, w, {}).h;
    y.push_back(h);
  }
  tape.backward(sum(stack(y, 1)));
  expect_equal(tape.grad(w), whole.grad(w));
}

}  // namespace
}  // namespace heed
