// Every optimiser against its recurrence, written here from the papers for one number at a time in
// long double, over several steps, in f64, in f32, and on every SIMD path.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "core/vector_math.h"
#include "optim/adam.h"
#include "optim/rmsprop.h"
#include "optim/sgd.h"
#include "tests/optim/optim_checks.h"

namespace heed {
namespace {

using Real = long double;
/// A weight's next value from the step's number (1, 2, ...), the weight and its gradient.
using Recurrence1 = std::function<Real(int t, Real w, Real g)>;

constexpr int kSteps = 5;

/// Steps `optimizer` (made for one parameter "w" of n elements) beside one recurrence per element
/// and returns the largest difference.
double worst(const std::function<std::unique_ptr<Optimizer>(const Parameters&)>& make,
             const std::function<Recurrence1()>& formula, int64_t n, DType dtype) {
  const std::vector<double> start = noise(n, 1);
  const Tensor w = leaf(cast(Tensor::from<double>(start, {n}), dtype));
  const auto optimizer = make({{"w", w}});
  std::vector<Recurrence1> formulas;
  std::vector<Real> expected;
  for (const double x : w.to_vector()) {
    formulas.push_back(formula());
    expected.push_back(x);
  }
  double difference = 0;
  for (int t = 1; t <= kSteps; ++t) {
    const Tensor g =
        cast(Tensor::from<double>(noise(n, 100 + static_cast<uint32_t>(t)), {n}), dtype);
    optimizer->step(gradients_of({{w, g}}));
    const std::vector<double> got = w.to_vector(), gradient = g.to_vector();
    for (size_t i = 0; i < got.size(); ++i) {
      expected[i] = formulas[i](t, expected[i], gradient[i]);
      difference = std::max(difference, static_cast<double>(std::abs(got[i] - expected[i])));
    }
  }
  return difference;
}

template <class O, class Options>
void expect_formula(const Options& options, const std::function<Recurrence1()>& formula) {
  const auto make = [&](const Parameters& p) { return std::make_unique<O>(p, options); };
  EXPECT_LT(worst(make, formula, 33, f64), 1e-14);
  EXPECT_LT(worst(make, formula, 33, f32), 2e-6);
}

TEST(Sgd, IsGradientDescent) {
  expect_formula<Sgd>(SgdOptions{.rate = 0.1},
                      [] { return [](int, Real w, Real g) { return w - 0.1L * g; }; });
}

TEST(Sgd, DecaysWeights) {
  expect_formula<Sgd>(SgdOptions{.rate = 0.1, .weight_decay = 0.3}, [] {
    return [](int, Real w, Real g) { return w * (1 - 0.1L * 0.3L) - 0.1L * g; };
  });
}

TEST(Sgd, HasMomentum) {
  // The velocity as the sum it stands for: u_t = sum_k mu^(t-k) d_k.
  expect_formula<Sgd>(SgdOptions{.rate = 0.1, .momentum = 0.8, .weight_decay = 0.3}, [] {
    return [seen = std::vector<Real>{}](int, Real w, Real g) mutable {
      seen.push_back(g + 0.3L * w);
      Real u = 0;
      for (size_t k = 0; k < seen.size(); ++k)
        u += std::pow(0.8L, static_cast<Real>(seen.size() - 1 - k)) * seen[k];
      return w - 0.1L * u;
    };
  });
}

TEST(Sgd, HasNesterovsMomentum) {
  // In the form of Sutskever et al.: the gradient is taken at p = theta + mu u, and p is what the
  // weights hold; u' = mu u - rate g, theta' = theta + u'.
  expect_formula<Sgd>(SgdOptions{.rate = 0.1, .momentum = 0.8, .nesterov = true}, [] {
    return [u = Real(0)](int, Real p, Real g) mutable {
      const Real theta = p - 0.8L * u;
      u = 0.8L * u - 0.1L * g;
      return theta + u + 0.8L * u;
    };
  });
}

/// Algorithm 1 of Kingma & Ba, with what is added to the gradient (l2) or taken off the weight.
std::function<Recurrence1()> adam_formula(Real l2, Real decay) {
  return [=] {
    return [=, m = Real(0), v = Real(0)](int t, Real w, Real g) mutable {
      const Real alpha = 0.01L, beta1 = 0.8L, beta2 = 0.95L, eps = 1e-4L;
      g += l2 * w;
      w -= alpha * decay * w;
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g * g;
      const Real m_hat = m / (1 - std::pow(beta1, Real(t)));
      const Real v_hat = v / (1 - std::pow(beta2, Real(t)));
      return w - alpha * m_hat / (std::sqrt(v_hat) + eps);
    };
  };
}

TEST(Adam, FollowsThePaper) {
  expect_formula<Adam>(AdamOptions{.rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-4},
                       adam_formula(0, 0));
}

TEST(Adam, AddsWeightDecayToTheGradient) {
  expect_formula<Adam>(
      AdamOptions{.rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-4, .weight_decay = 0.2},
      adam_formula(0.2L, 0));
}

TEST(AdamW, TakesWeightDecayOffTheWeight) {
  expect_formula<AdamW>(
      AdamWOptions{.rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-4, .weight_decay = 0.2},
      adam_formula(0, 0.2L));
}

TEST(Adam, MovesByTheRateInTheFirstStep) {
  // m_hat / sqrt(v_hat) = g / |g| whatever the size of g; eps is far below.
  for (const DType dtype : {f32, f64}) {
    const Tensor w = leaf(Tensor::zeros({4}, dtype));
    Adam({{"w", w}}, {.rate = 0.25})
        .step(gradients_of({{w, Tensor::of({1e-3, -2, 50, -1e6}, dtype)}}));
    const std::vector<double> expected{-0.25, 0.25, -0.25, 0.25};
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(w.to_vector()[i], expected[i], 3e-6);
  }
}

TEST(Adam, DefaultsKeepTheirDigitsInF32) {
  // 1 - 0.999f differs from 0.001 by 1.3e-5 of itself, which would show in v at once.
  const Tensor w = leaf(Tensor::of({0}));
  Adam adam({{"w", w}});
  adam.step(gradients_of({{w, Tensor::of({1})}}));
  const auto [name, v] = adam.state().back();
  ASSERT_EQ(name, "adam.v.w");
  EXPECT_NEAR(v.item(), 1e-3, 2e-10);
}

/// Runs in a process of its own, since the path is chosen once: Adam at sizes around every vector
/// width, with and without its optional terms.
[[noreturn]] void check_path(const char* path) {
  setenv("HEED_SIMD", path, 1);
  double difference = 0;
  for (const int64_t n : {1, 7, 8, 9, 15, 16, 17, 31, 33, 100}) {
    const auto adam = [](const Parameters& p) {
      return std::make_unique<Adam>(
          p,
          AdamOptions{.rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-4, .weight_decay = 0.2});
    };
    const auto adamw = [](const Parameters& p) {
      return std::make_unique<AdamW>(
          p, AdamWOptions{
                 .rate = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-4, .weight_decay = 0.2});
    };
    difference = std::max(difference, worst(adam, adam_formula(0.2L, 0), n, f32));
    difference = std::max(difference, worst(adamw, adam_formula(0, 0.2L), n, f32));
  }
  std::fprintf(stderr, "%s: %g\n", vector_table().name, difference);
  std::exit(difference < 2e-6 ? 0 : 1);
}

TEST(AdamDeathTest, AgreesOnEverySimdPath) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";  // starts the program anew
  EXPECT_EXIT(check_path("baseline"), testing::ExitedWithCode(0), "^baseline: ");
  // On a CPU without the set the next lower one runs, and must do as well.
  EXPECT_EXIT(check_path("avx2"), testing::ExitedWithCode(0), "^(avx2|baseline): ");
  EXPECT_EXIT(check_path("avx512"), testing::ExitedWithCode(0), "^(avx512|avx2|baseline): ");
}

std::function<Recurrence1()> rmsprop_formula(bool centered, Real mu, Real l2) {
  return [=] {
    return [=, s = Real(0), a = Real(0), u = Real(0)](int, Real w, Real g) mutable {
      const Real rate = 0.01L, alpha = 0.9L, eps = 1e-4L;
      g += l2 * w;
      s += (1 - alpha) * (g * g - s);
      a += (1 - alpha) * (g - a);
      u = mu * u + g / (std::sqrt(centered ? s - a * a : s) + eps);
      return w - rate * u;
    };
  };
}

TEST(Rmsprop, FollowsItsRecurrence) {
  for (const bool centered : {false, true})
    for (const double mu : {0.0, 0.7})
      for (const double l2 : {0.0, 0.2}) {
        SCOPED_TRACE(testing::Message() << centered << " " << mu << " " << l2);
        expect_formula<Rmsprop>(RmspropOptions{.rate = 0.01,
                                               .alpha = 0.9,
                                               .eps = 1e-4,
                                               .momentum = mu,
                                               .centered = centered,
                                               .weight_decay = l2},
                                rmsprop_formula(centered, mu, l2));
      }
}

TEST(Rmsprop, CenteredSurvivesAGradientWithoutVariance) {
  // s - a^2 tends to 0 here, and for this number comes out below it from step 24 on; the root of
  // that would be NaN.
  const Tensor w = leaf(Tensor::zeros({1}));
  Rmsprop rmsprop({{"w", w}}, {.rate = 1e-9, .alpha = 0.5, .centered = true});
  for (int t = 0; t < 50; ++t) rmsprop.step(gradients_of({{w, Tensor::of({5.3})}}));
  EXPECT_TRUE(std::isfinite(w.item()));
}

TEST(Optimizers, LeaveAZeroGradientAtZero) {
  // A row of an embedding that no sentence used: 0 / (sqrt(0) + eps) is 0 and not NaN.
  for (const DType dtype : {f32, f64}) {
    const Tensor w = leaf(Tensor::of({3}, dtype));
    Adam adam({{"w", w}});
    Rmsprop rmsprop({{"w", w}}, {.centered = true});
    Sgd sgd({{"w", w}}, {.momentum = 0.9});
    for (int t = 0; t < 3; ++t)
      for (Optimizer* o : std::initializer_list<Optimizer*>{&adam, &rmsprop, &sgd})
        o->step(gradients_of({{w, Tensor::zeros({1}, dtype)}}));
    EXPECT_EQ(w.item(), 3);
  }
}

TEST(Optimizers, UseTheRateOfTheMoment) {
  const Tensor w = leaf(Tensor::of({1}, f64));
  Sgd sgd({{"w", w}}, {.rate = 0.5});
  sgd.step(gradients_of({{w, Tensor::of({1}, f64)}}));
  EXPECT_EQ(w.item(), 0.5);
  sgd.rate = 0.25;
  sgd.step(gradients_of({{w, Tensor::of({1}, f64)}}));
  EXPECT_EQ(w.item(), 0.25);
  EXPECT_EQ(sgd.steps(), 2);
}

}  // namespace
}  // namespace heed
