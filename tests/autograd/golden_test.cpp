// One step of dot attention worked out by hand to 60 digits: 3 positions of width 2, keys = values
// = H, then a softmax classifier of 3 classes whose target is class 1.
//   e = H q, a = softmax(e), c = H^T a, z = U c, p = softmax(z), L = -ln p[1]
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"

namespace heed {
namespace {

using V = std::vector<double>;

struct Attention {
  Tensor q = leaf(Tensor::of({1, 0.5}, f64));
  Tensor h = leaf(Tensor::of({{1, 0}, {0, 1}, {-1, 1}}, f64));
  Tensor u = leaf(Tensor::of({{1, 0}, {0, 1}, {-1, 0.5}}, f64));
  Tensor e, a, c, z, p, loss;

  void run(Tape& tape, double score_scale = 1, const Mask& mask = {}) {
    e = scale(reshape(matmul(h, reshape(q, {2, 1})), {3}), score_scale);
    a = softmax(e, mask);
    c = reshape(matmul(reshape(a, {1, 3}), h), {2});
    z = reshape(matmul(u, reshape(c, {2, 1})), {3});
    p = softmax(z);
    loss = neg(log(select(p, 0, 1)));
    for (const Tensor& t : {e, a, c, z, p}) tape.keep_grad(t);
  }
};

void expect_near(const Tensor& got, const V& expected, const char* what) {
  const V v = got.to_vector();
  ASSERT_EQ(v.size(), expected.size()) << what;
  for (size_t i = 0; i < v.size(); ++i) EXPECT_NEAR(v[i], expected[i], 1e-12) << what << " " << i;
}

TEST(GoldenAttention, ForwardAndEveryGradient) {
  Attention m;
  Tape tape;
  m.run(tape);
  expect_near(m.e, {1, 0.5, -0.5}, "e");
  expect_near(m.a, {0.546549387266, 0.331498960424, 0.121951652310}, "a");
  expect_near(m.c, {0.424597734956, 0.453450612734}, "c");
  expect_near(m.z, {0.424597734956, 0.453450612734, -0.197872428590}, "z");
  expect_near(m.p, {0.389728256431, 0.401136831849, 0.209134911720}, "p");
  expect_near(m.loss, {0.913452683325}, "L");
  tape.backward(m.loss);
  expect_near(tape.grad(m.p), {0, -2.492914937258, 0}, "dp");
  expect_near(tape.grad(m.z), {0.389728256431, -0.598863168151, 0.209134911720}, "dz");
  expect_near(tape.grad(m.c), {0.180593344712, -0.494295712291}, "dc");
  expect_near(tape.grad(m.a), {0.180593344712, -0.494295712291, -0.674889057003}, "da");
  expect_near(tape.grad(m.e), {0.179296900086, -0.114975953705, -0.064320946381}, "de");
  expect_near(tape.grad(m.q), {0.243617846466, -0.179296900086}, "dq");
  expect_near(tape.grad(m.u),
              {0.165477734929, 0.176722516679, -0.254275944746, -0.271554870542, 0.088798209817,
               0.094832353863},
              "dU");
  expect_near(tape.grad(m.h),
              {0.278000081982, -0.180508568638, -0.055109447673, -0.221346491619, -0.042297289597,
               -0.092440652034},
              "dH");
}

TEST(GoldenAttention, KeysAndValuesAreTwoContributions) {
  Attention m;
  Tape tape;
  m.run(tape);
  std::vector<V> to_h;
  BackwardSweep sweep(tape, m.loss, Tensor::scalar(1, f64), {.separate = true});
  const NoTape quiet;
  while (sweep.next())
    for (const auto& k : sweep.contributions())
      if (tape.slots()[static_cast<size_t>(k.slot)].leaf == m.h.ref().slot)
        to_h.push_back(k.value.to_vector());
  ASSERT_EQ(to_h.size(), 2u);
  const V value{0.098703181896,  -0.270157018681, 0.059866506031,
                -0.163858514767, 0.022023656784,  -0.060280178844};
  const V score{0.179296900086,  0.089648450043,  -0.114975953705,
                -0.057487976852, -0.064320946381, -0.032160473190};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(to_h[0][i], value[i], 1e-12);
    EXPECT_NEAR(to_h[1][i], score[i], 1e-12);
  }
}

TEST(GoldenAttention, TheJacobianOfSoftmaxFromItsOwnBackward) {
  const V rows[] = {{0.247833154545, -0.181180553699, -0.066652600846},
                    {-0.181180553699, 0.221607399662, -0.040426845963},
                    {-0.066652600846, -0.040426845963, 0.107079446809}};
  for (size_t i = 0; i < 3; ++i) {
    const Tensor e = leaf(Tensor::of({1, 0.5, -0.5}, f64));
    Tape tape;
    V unit(3, 0.0);
    unit[i] = 1;
    tape.backward(softmax(e), Tensor::from<double>(unit, {3}));
    expect_near(tape.grad(e), rows[i], "row of J");
  }
}

TEST(GoldenAttention, CrossEntropyIsTheSameLoss) {
  const Tensor z = leaf(Tensor::of({{0.424597734956, 0.453450612734, -0.197872428590}}, f64));
  Tape tape;
  const int64_t target[] = {1};
  const Tensor loss = cross_entropy(z, Tensor::ids(target, {1}));
  expect_near(loss, {0.913452683325}, "L");
  tape.backward(loss);
  expect_near(tape.grad(z), {0.389728256431, -0.598863168151, 0.209134911720}, "dz");
}

TEST(GoldenAttention, ScaledScores) {
  Attention m;
  Tape tape;
  m.run(tape, 1 / std::sqrt(2.0));
  expect_near(m.a, {0.488182167425, 0.342795904518, 0.169021928057}, "a");
  expect_near(m.loss, {0.870217593631}, "L");
  tape.backward(m.loss);
  expect_near(tape.grad(m.e), {0.152249257717, -0.089542823295, -0.062706434423}, "de");
  expect_near(tape.grad(m.q), {0.151996627567, -0.107656482563}, "dq");
  expect_near(tape.grad(m.h),
              {0.161250404611, -0.172346732100, -0.025683301755, -0.190475634375, -0.025784473287,
               -0.100477992434},
              "dH");
}

TEST(GoldenAttention, TheLastPositionMasked) {
  Attention m;
  Tape tape;
  m.run(tape, 1, Mask::keep({1, 1, 0}));
  expect_near(m.a, {0.622459331202, 0.377540668798, 0}, "a");
  expect_near(m.loss, {1.001303997966}, "L");
  tape.backward(m.loss);
  expect_near(tape.grad(m.e), {0.201421652980, -0.201421652980, 0}, "de");
  expect_near(tape.grad(m.q), {0.201421652980, -0.201421652980}, "dq");
  expect_near(tape.grad(m.h),
              {0.391968857382, -0.242251785735, -0.085848931387, -0.308728165939, 0, 0}, "dH");
  EXPECT_EQ(m.a.at({2}), 0);
  EXPECT_EQ(tape.grad(m.e).at({2}), 0);
  EXPECT_EQ(tape.grad(m.h).at({2, 0}), 0);
}

}  // namespace
}  // namespace heed
