// Masked positions weigh exactly nothing and get exactly no gradient, whatever stands in them; and
// extreme inputs stay finite.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "core/rng.h"

namespace heed {
namespace {

using V = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Masked {
  Shape shape;
  Mask mask;
};

std::vector<Masked> masks() {
  return {
      {{4, 5}, Mask::lengths({5, 4, 1, 0})},
      {{4, 3, 5}, Mask::lengths({5, 4, 1, 0})},
      {{2, 4, 4}, Mask::causal()},
      {{2, 4, 4}, Mask::causal(-1)},
      {{5}, Mask::keep({0, 1, 0, 0, 1})},
      {{2, 3}, Mask::keep({0, 0, 0})},
      {{3, 2, 4}, Mask::keep({1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0}, {3, 4})},
      {{3, 4, 4}, Mask::lengths({4, 2, 0}) & Mask::causal() & Mask::keep({0, 1, 1, 1})},
      {{2, 17}, Mask::lengths({17, 16})},
  };
}

struct Step {
  V y, dx;
};

// y = f(x) and dx for a random cotangent; `garbage` stands at every masked position of x and of the
// cotangent.
template <class F>
Step step(const Masked& m, DType dtype, double garbage, F f) {
  Rng rng(7);
  Tensor x = Tensor::normal(m.shape, 0, 2, rng, f64), c = Tensor::normal(m.shape, 0, 1, rng, f64);
  const int64_t n = m.shape.back();
  for (int64_t i = 0; i < x.numel(); ++i)
    if (!m.mask.row(m.shape, i / n)[i % n]) {
      x.mutable_data<double>()[i] = garbage;
      c.mutable_data<double>()[i] = garbage;
    }
  const Tensor in = leaf(cast(x, dtype));
  Tape tape;
  const Tensor y = f(in, m.mask);
  tape.backward(y, cast(c, dtype));
  return {y.to_vector(), tape.grad(in).to_vector()};
}

Tensor with_softmax(const Tensor& x, const Mask& m) {
  return softmax(x, m);
}
Tensor with_log_softmax(const Tensor& x, const Mask& m) {
  return log_softmax(x, m);
}
Tensor with_fill(const Tensor& x, const Mask& m) {
  return masked_fill(x, m, 3);
}

TEST(Masks, MaskedWeightsAndGradientsAreExactlyZero) {
  for (const Masked& m : masks())
    for (const DType dtype : {f32, f64}) {
      const Step s = step(m, dtype, 1, with_softmax);
      const int64_t n = m.shape.back();
      for (int64_t r = 0; r < m.shape.numel() / n; ++r) {
        const Mask::Row row = m.mask.row(m.shape, r);
        double total = 0, slope = 0;
        bool any = false;
        for (int64_t j = 0; j < n; ++j) {
          const auto at = static_cast<size_t>(r * n + j);
          any = any || row[j];
          total += s.y[at];
          slope += s.dx[at];
          if (!row[j]) {
            EXPECT_EQ(s.y[at], 0) << to_text(m.shape) << " row " << r << " position " << j;
            EXPECT_EQ(s.dx[at], 0) << to_text(m.shape) << " row " << r << " position " << j;
          }
        }
        EXPECT_NEAR(total, any ? 1 : 0, dtype == f32 ? 1e-6 : 1e-15);
        EXPECT_NEAR(slope, 0, dtype == f32 ? 1e-6 : 1e-15);  // moving all scores changes nothing
      }
    }
}

TEST(Masks, WhatStandsInMaskedPlacesDoesNotMatter) {
  for (const Masked& m : masks())
    for (const DType dtype : {f32, f64})
      for (const auto f : {with_softmax, with_log_softmax, with_fill}) {
        const Step clean = step(m, dtype, 1, f);
        for (const double garbage : {kNan, kInf, -kInf, 1e30}) {
          const Step s = step(m, dtype, garbage, f);
          EXPECT_EQ(s.y, clean.y) << to_text(m.shape) << " with " << garbage;
          EXPECT_EQ(s.dx, clean.dx) << to_text(m.shape) << " with " << garbage;
        }
      }
}

TEST(Masks, LogSoftmaxIsMinusInfinityThere) {
  const Tensor x = leaf(Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64));
  Tape tape;
  const Tensor y = log_softmax(x, Mask::lengths({2, 0}));
  EXPECT_NEAR(y.at({0, 0}), -std::log1p(std::exp(1.0)), 1e-15);
  for (const auto& at : {std::pair{0, 2}, {1, 0}, {1, 1}, {1, 2}})
    EXPECT_EQ(y.at({at.first, at.second}), -INFINITY);
  tape.backward(y, Tensor::full({2, 3}, 1, f64));
  const V dx = tape.grad(x).to_vector();
  for (size_t i = 2; i < 6; ++i) EXPECT_EQ(dx[i], 0);
}

TEST(Masks, AMaskedSoftmaxIsTheSoftmaxOfWhatIsKept) {
  for (const DType dtype : {f32, f64}) {
    const Tensor y = softmax(Tensor::of({{1, 9, 2, 3}}, dtype), Mask::keep({1, 0, 1, 1}));
    const Tensor kept = softmax(Tensor::of({{1, 2, 3}}, dtype));
    EXPECT_EQ(y.to_vector(), (V{kept.at({0, 0}), 0, kept.at({0, 1}), kept.at({0, 2})}));
  }
}

// ---- extreme inputs ----

void expect_finite(const Tensor& x, const std::string& what) {
  for (const double v : x.to_vector()) EXPECT_TRUE(std::isfinite(v)) << what << ": " << v;
}

TEST(Extremes, PlusMinusTenThousandStaysFinite) {
  struct Op {
    const char* name;
    Tensor (*f)(const Tensor&);
  };
  const Op ops[] = {
      {"softmax", [](const Tensor& x) { return softmax(x); }},
      {"log_softmax", [](const Tensor& x) { return log_softmax(x); }},
      {"logsumexp", [](const Tensor& x) { return logsumexp(x); }},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
      {"tanh", [](const Tensor& x) { return tanh(x); }},
      {"gelu", [](const Tensor& x) { return gelu(x); }},
      {"cross_entropy",
       [](const Tensor& x) {
         const std::vector<int64_t> targets{0, 1, 2, 0, 1};
         return cross_entropy(x, Tensor::ids(targets, {5}), {.label_smoothing = 0.1});
       }},
      {"masked softmax",
       [](const Tensor& x) {
         return softmax(x, Mask::lengths({3, 2, 1, 0, 3}));
       }},
  };
  const Tensor x = Tensor::of(
      {{1e4, -1e4, 0}, {-1e4, -1e4, -1e4}, {1e4, 1e4, 1e4}, {0, 88.8, -104}, {-1e4, 1e4, 1e4}},
      f64);
  for (const Op& op : ops)
    for (const DType dtype : {f32, f64}) {
      const Tensor in = leaf(cast(x, dtype));
      Tape tape;
      const Tensor y = op.f(in);
      expect_finite(y, op.name);
      tape.backward(y, Tensor::full(y.shape(), 1, dtype));
      expect_finite(tape.grad(in), std::string(op.name) + " backward");
    }
}

TEST(Extremes, TheValuesAreRight) {
  for (const DType dtype : {f32, f64}) {
    const Tensor x = Tensor::of({{1e4, -1e4}, {1e4, 1e4}}, dtype);
    EXPECT_EQ(softmax(x).to_vector(), (V{1, 0, 0.5, 0.5}));
    EXPECT_EQ(log_softmax(x).at({0, 1}), -2e4);
    EXPECT_EQ(logsumexp(x).at({0}), 1e4);
    EXPECT_EQ(sigmoid(x).to_vector(), (V{1, 0, 1, 1}));
    const std::vector<int64_t> second{1, 1};
    const Tensor loss =
        cross_entropy(x, Tensor::ids(second, {2}), {.reduction = Reduction::per_token});
    EXPECT_EQ(loss.at({0}), 2e4);
    EXPECT_NEAR(loss.at({1}), std::log(2.0), dtype == f32 ? 1e-3 : 1e-12);
  }
}

}  // namespace
}  // namespace heed
