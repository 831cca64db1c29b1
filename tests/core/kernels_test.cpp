// Whole-tensor kernels against index arithmetic.
#include "core/kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"

namespace heed {
namespace {

using V = std::vector<double>;

// Element of x where the larger shape has this flat index, x stretched to it.
double stretched(const Tensor& x, const Shape& shape, int64_t flat) {
  int64_t offset = 0;
  for (int a = shape.rank() - 1, k = x.rank() - 1; a >= 0; --a, --k) {
    if (k >= 0 && x.shape()[k] != 1) offset += flat % shape[a] * x.stride(k);
    flat /= shape[a];
  }
  return x.data<double>()[offset];
}

int64_t place_of(const Shape& small, const Shape& shape, int64_t flat) {
  const Strides dense = dense_strides(small);
  int64_t offset = 0;
  for (int a = shape.rank() - 1, k = small.rank() - 1; a >= 0; --a, --k) {
    if (k >= 0 && small[k] != 1) offset += flat % shape[a] * dense[static_cast<size_t>(k)];
    flat /= shape[a];
  }
  return offset;
}

TEST(Kernels, AddIntoStretchesAndSums) {
  Rng rng(2);
  const std::vector<std::pair<Shape, Shape>> shapes{
      {{3, 4}, {3, 4}},
      {{3, 4}, {4}},
      {{3, 4}, {3, 1}},
      {{3, 4}, {}},
      {{4}, {3, 4}},
      {{3, 1}, {3, 4}},
      {{}, {3, 4}},
      {{1, 1}, {3, 4}},
      {{3, 1}, {1, 4}},
      {{2, 1, 4}, {3, 1}},
      {{2, 3, 1}, {2, 3, 20}},
      {{2, 1, 5}, {2, 7, 5}},
      {{0}, {1}},
      {{1}, {0}},
      {{5}, {0, 5}},
      {{1, 33}, {17, 33}},
  };
  for (const auto& [sy, sx] : shapes) {
    const Tensor x = Tensor::normal(sx, 0, 1, rng, f64);
    Tensor y = Tensor::normal(sy, 0, 1, rng, f64);
    V expected = y.to_vector();
    const Shape all = broadcast_shape("test", sy, sx);
    for (int64_t i = 0; i < all.numel(); ++i)
      expected[static_cast<size_t>(place_of(sy, all, i))] += stretched(x, all, i);
    add_into(y, x);
    const V got = y.to_vector();
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 1e-13)
          << to_text(sy) << " += " << to_text(sx) << " at " << i;
  }
}

TEST(Kernels, AddIntoAndCopyIntoWriteOnlyThePartTheyAreGiven) {
  Tensor memory = Tensor::full({3, 6}, 1, f64);
  Tensor part = memory.view({3, 2}, memory.strides(), 3);
  add_into(part, Tensor::of({10, 20}, f64));
  EXPECT_EQ(memory.to_vector(), (V{1, 1, 1, 11, 21, 1, 1, 1, 1, 11, 21, 1, 1, 1, 1, 11, 21, 1}));
  copy_into(part, Tensor::of({{1, 2}, {3, 4}, {5, 6}}, f64));
  EXPECT_EQ(memory.to_vector(), (V{1, 1, 1, 1, 2, 1, 1, 1, 1, 3, 4, 1, 1, 1, 1, 5, 6, 1}));
  Tensor column = memory.view({3}, {6}, 4);
  copy_into(column, Tensor::of({7, 8, 9}, f64));
  EXPECT_EQ(part.to_vector(), (V{1, 7, 3, 8, 5, 9}));
  scale_in_place(column, 10);
  EXPECT_EQ(memory.to_vector(), (V{1, 1, 1, 1, 70, 1, 1, 1, 1, 3, 80, 1, 1, 1, 1, 5, 90, 1}));
}

TEST(Kernels, MismatchesNameBothShapesOrDtypes) {
  Tensor y = Tensor::zeros({2, 3}, f64);
  const auto text_of = [](auto f) -> std::string {
    try {
      f();
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(text_of([&] { add_into(y, Tensor::zeros({2}, f64)); }),
            "add_into: expected shapes that broadcast, got [2, 3] and [2]: axis -1 is 3 against 2");
  EXPECT_EQ(text_of([&] {
              add_into(y, Tensor::zeros({2, 3}, f32));
            }),
            "add_into: expected one dtype, got f64 [2, 3] and f32 [2, 3]");
  EXPECT_EQ(text_of([&] { copy_into(y, Tensor::zeros({3}, f64)); }),
            "copy_into: expected x of shape [2, 3], got [3]");
}

TEST(Kernels, SumOfSquaresIsTakenInDouble) {
  EXPECT_EQ(sum_of_squares(Tensor::of({3, 4})), 25);
  EXPECT_EQ(sum_of_squares(Tensor::zeros({0})), 0);
  EXPECT_NEAR(sum_of_squares(Tensor::full({1000, 1000}, 0.1)), 1e6 * 0.01, 1e-2);
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64);
  EXPECT_EQ(sum_of_squares(x.view({2, 2}, x.strides(), 1)), 4 + 9 + 25 + 36);
}

TEST(Kernels, TheFirstNonFiniteElementIsFound) {
  EXPECT_EQ(first_non_finite(Tensor::of({1, 2, 3})), -1);
  EXPECT_EQ(first_non_finite(Tensor::of({1, NAN, INFINITY})), 1);
  EXPECT_EQ(first_non_finite(Tensor::of({1, 2, -INFINITY}, f64)), 2);
  EXPECT_EQ(first_non_finite(Tensor::zeros({0})), -1);
  EXPECT_EQ(first_non_finite(Tensor::full({3}, 7, i64)), -1);
  const Tensor x = Tensor::of({{NAN, 1, 2}, {3, 4, NAN}}, f64);
  EXPECT_EQ(first_non_finite(x.view({2, 2}, x.strides(), 1)), 3);  // counted in the view
}

}  // namespace
}  // namespace heed
