// Clipping: factors, lengths and directions, gradients that share memory, numbers that are not
// numbers.
#include "optim/clip.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "tests/optim/optim_checks.h"

namespace heed {
namespace {

using V = std::vector<double>;

TEST(ClipGlobalNorm, ScalesAllByOneFactor) {
  const Tensor a = leaf(Tensor::zeros({2})), b = leaf(Tensor::zeros({1, 1}));
  Gradients g = gradients_of({{a, Tensor::of({2, 4})}, {b, Tensor::full({1, 1}, 4)}});
  EXPECT_EQ(clip_global_norm(g, 3), 6);  // sqrt(4 + 16 + 16)
  EXPECT_EQ(g.find(a)->to_vector(), (V{1, 2}));
  EXPECT_EQ(g.find(b)->to_vector(), V{2});
  EXPECT_EQ(g.find(b)->shape(), (Shape{1, 1}));
}

TEST(ClipGlobalNorm, LeavesShortGradientsAsTheyAre) {
  const Tensor a = leaf(Tensor::zeros({2}));
  const Tensor value = Tensor::of({3, 4});
  for (const double max : {5.0, 5.5, std::numeric_limits<double>::infinity()}) {
    Gradients g = gradients_of({{a, value}});
    EXPECT_EQ(clip_global_norm(g, max), 5);
    EXPECT_TRUE(g.find(a)->buffer().same_as(value.buffer())) << "not even a copy";
  }
  Gradients zero = gradients_of({{a, Tensor::zeros({2})}});
  EXPECT_EQ(clip_global_norm(zero, 1), 0);
  EXPECT_EQ(zero.find(a)->to_vector(), (V{0, 0}));
  Gradients none;
  EXPECT_EQ(clip_global_norm(none, 1), 0);
}

TEST(ClipGlobalNorm, KeepsTheDirectionAndTheBound) {
  for (const DType dtype : {f32, f64})
    for (const double size : {1e-3, 1.0, 1e6, 1e15}) {
      const Tensor a = leaf(Tensor::zeros({100}, dtype)), b = leaf(Tensor::zeros({33}, dtype));
      V x = noise(100, 1), y = noise(33, 2);
      for (double& v : x) v *= size;
      for (double& v : y) v *= size;
      Gradients g = gradients_of({{a, cast(Tensor::from<double>(x, {100}), dtype)},
                                  {b, cast(Tensor::from<double>(y, {33}), dtype)}});
      const double max = 1e-4;
      long double before = 0, after = 0, dot = 0;
      const V u = g.find(a)->to_vector(), v = g.find(b)->to_vector();
      const double norm = clip_global_norm(g, max);
      const auto add = [&](const V& old_g, const V& new_g) {
        for (size_t i = 0; i < old_g.size(); ++i) {
          before += static_cast<long double>(old_g[i]) * old_g[i];
          after += static_cast<long double>(new_g[i]) * new_g[i];
          dot += static_cast<long double>(old_g[i]) * new_g[i];
        }
      };
      add(u, g.find(a)->to_vector());
      add(v, g.find(b)->to_vector());
      const double eps = dtype == f64 ? 1e-12 : 1e-6;
      EXPECT_NEAR(norm / static_cast<double>(std::sqrt(before)), 1, eps);
      EXPECT_LE(static_cast<double>(std::sqrt(after)), max * (1 + eps));
      EXPECT_GE(static_cast<double>(std::sqrt(after)), max * (1 - eps));
      EXPECT_NEAR(static_cast<double>(dot / std::sqrt(before * after)), 1, eps);
    }
}

TEST(ClipGlobalNorm, ScalesSharedMemoryOnce) {
  // Both gradients of a + b are the same numbers, and the tape may hand out the same memory.
  const Tensor a = leaf(Tensor::of({1, 2}, f64)), b = leaf(Tensor::of({3, 4}, f64));
  Tape tape;
  tape.backward(sum(a + b));
  Gradients g = tape.gradients();
  ASSERT_TRUE(g.find(a)->buffer().same_as(g.find(b)->buffer())) << "no longer the case to test";
  EXPECT_EQ(clip_global_norm(g, 1), 2);
  EXPECT_EQ(g.find(a)->to_vector(), (V{0.5, 0.5}));
  EXPECT_EQ(g.find(b)->to_vector(), (V{0.5, 0.5}));
  EXPECT_EQ(tape.grad(a).to_vector(), (V{1, 1})) << "the tape's own stay";
}

TEST(ClipGlobalNorm, RecordsNothingUnderATape) {
  const Tensor a = leaf(Tensor::of({1}));
  const Tape tape;
  Gradients g = gradients_of({{a, a}});  // even when a gradient is itself a leaf
  clip_global_norm(g, 0.5);
  clip_value(g, 0.1);
  EXPECT_TRUE(tape.nodes().empty());
}

TEST(ClipGlobalNorm, NamesWhatIsNotANumber) {
  const Tensor a = leaf(Tensor::zeros({2})), b = leaf(Tensor::zeros({1, 3}));
  for (const auto& [value, text] : {std::pair{NAN, "nan"}, std::pair{-INFINITY, "-inf"}}) {
    Gradients g = gradients_of({{a, Tensor::of({30, 40})}, {b, Tensor::of({{1, value, 2}})}});
    expect_error<NumericError>(
        [&] { clip_global_norm(g, 1); },
        fmt::format("clip_global_norm: the gradient [1, 3] of leaf {} holds {} at element 1 of 3; "
                    "nothing was changed. Compute this step again under `CheckNumerics check;` to "
                    "see which op made it",
                    b.ref().slot, text));
    EXPECT_EQ(g.find(a)->to_vector(), (V{30, 40}));
  }
}

TEST(ClipGlobalNorm, MeasuresWhatSquaresCannotHold) {
  // 3e30^2 is beyond f32, 3e300^2 beyond f64; the gradients themselves are not.
  for (const auto& [dtype, size] : {std::pair{f32, 1e30}, std::pair{f64, 1e300}}) {
    const Tensor a = leaf(Tensor::zeros({2}, dtype));
    Gradients g = gradients_of({{a, Tensor::of({3 * size, -4 * size}, dtype)}});
    EXPECT_NEAR(clip_global_norm(g, 5) / size, 5, 1e-6);
    EXPECT_NEAR(g.find(a)->to_vector()[0], 3, 1e-6);
    EXPECT_NEAR(g.find(a)->to_vector()[1], -4, 1e-6);
  }
}

TEST(ClipValue, LimitsEveryElement) {
  const Tensor a = leaf(Tensor::zeros({5}, f64)), b = leaf(Tensor::zeros({5}, f64));
  const Tensor value = Tensor::of({-3, -0.5, 0, 0.25, 7}, f64);
  Gradients g = gradients_of({{a, value}, {b, value}});  // shared
  clip_value(g, 0.5);
  EXPECT_EQ(g.find(a)->to_vector(), (V{-0.5, -0.5, 0, 0.25, 0.5}));
  EXPECT_EQ(g.find(b)->to_vector(), (V{-0.5, -0.5, 0, 0.25, 0.5}));
  EXPECT_EQ(value.to_vector()[4], 7);
  const Tensor c = leaf(Tensor::zeros({3}, f64));
  Gradients special = gradients_of({{c, Tensor::of({INFINITY, -INFINITY, NAN}, f64)}});
  clip_value(special, 2);
  const V limited = special.find(c)->to_vector();
  EXPECT_EQ(limited[0], 2);
  EXPECT_EQ(limited[1], -2);
  EXPECT_TRUE(std::isnan(limited[2]));
}

TEST(Clip, RefusesABoundThatIsNotPositive) {
  Gradients g;
  expect_error<std::invalid_argument>([&] { clip_global_norm(g, 0); },
                                      "clip_global_norm: expected max > 0, got 0");
  expect_error<std::invalid_argument>([&] { clip_global_norm(g, NAN); },
                                      "clip_global_norm: expected max > 0, got nan");
  expect_error<std::invalid_argument>([&] { clip_value(g, -1); },
                                      "clip_value: expected max > 0, got -1");
}

}  // namespace
}  // namespace heed
