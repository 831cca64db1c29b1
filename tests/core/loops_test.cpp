// RowLoop, map and zip against plain index arithmetic: strided, broadcast, size 1, empty.
#include "core/loops.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace heed {
namespace {

template <int N>
int rows_of(const RowLoop<N>& loop) {
  int rows = 0;
  loop.run([&](const auto&) { ++rows; });
  return rows;
}

// Every element of every operand in the order of the loop, as memory offsets.
template <int N>
std::vector<std::array<int64_t, N>> visited(const RowLoop<N>& loop) {
  std::vector<std::array<int64_t, N>> all;
  loop.run([&](const auto& at) {
    for (int64_t i = 0; i < loop.inner(); ++i) {
      auto here = at;
      for (int k = 0; k < N; ++k) here[static_cast<size_t>(k)] += i * loop.inner_step(k);
      all.push_back(here);
    }
  });
  return all;
}

// The same by counting through the indices of `shape`, one axis at a time.
template <int N>
std::vector<std::array<int64_t, N>> counted(const Shape& shape,
                                            const std::array<const Strides*, N>& strides) {
  std::vector<std::array<int64_t, N>> all;
  for (int64_t n = 0; n < shape.numel(); ++n) {
    std::array<int64_t, N> here{};
    int64_t rest = n;
    for (int a = shape.rank() - 1; a >= 0; --a) {
      for (size_t k = 0; k < N; ++k)
        here[k] += rest % shape[a] * (*strides[k])[static_cast<size_t>(a)];
      rest /= shape[a];
    }
    all.push_back(here);
  }
  return all;
}

TEST(RowLoop, DenseAxesAreOneRow) {
  const Shape shape{2, 3, 4};
  const Strides s = dense_strides(shape);
  const RowLoop<2> loop(shape, {&s, &s});
  EXPECT_EQ(loop.inner(), 24);
  EXPECT_EQ(loop.inner_step(0), 1);
  EXPECT_EQ(rows_of(loop), 1);
}

TEST(RowLoop, OnlyAxesDenseForEveryOperandAreMerged) {
  const Shape shape{2, 3, 4};
  const Strides dense = dense_strides(shape), gap{24, 8, 1}, outer_gap{24, 4, 1};
  EXPECT_EQ(rows_of(RowLoop<2>(shape, {&dense, &gap})), 6);
  EXPECT_EQ(rows_of(RowLoop<2>(shape, {&dense, &outer_gap})), 2);
  const Strides stretched{0, 0, 1};
  EXPECT_EQ(rows_of(RowLoop<2>(shape, {&dense, &stretched})), 6);
}

TEST(RowLoop, AScalarIsOneElementAndAnEmptyShapeIsNoRow) {
  const Strides none{};
  const RowLoop<1> scalar(Shape{}, {&none});
  EXPECT_EQ(scalar.inner(), 1);
  EXPECT_EQ(rows_of(scalar), 1);
  for (const Shape& shape : {Shape{0}, Shape{2, 0}, Shape{0, 3}, Shape{2, 0, 3}}) {
    const Strides s = dense_strides(shape);
    EXPECT_EQ(rows_of(RowLoop<1>(shape, {&s})), 0) << to_text(shape);
  }
}

TEST(RowLoop, AnInnermostAxisOfSizeOneLeavesTheNextAxisWithItsStep) {
  const Shape shape{3, 1};
  const Strides column{5, 1};  // a column of a [3, 5]
  const RowLoop<1> loop(shape, {&column});
  EXPECT_EQ(loop.inner(), 3);
  EXPECT_EQ(loop.inner_step(0), 5);
}

TEST(RowLoop, VisitsWhatCountingVisitsInTheSameOrder) {
  Rng rng(4);
  for (int round = 0; round < 2000; ++round) {
    std::array<int64_t, kMaxRank> sizes{};
    const auto rank = static_cast<size_t>(rng.below(kMaxRank + 1));
    for (size_t a = 0; a < rank; ++a) sizes[a] = static_cast<int64_t>(1 + rng.below(4));
    const Shape shape(std::span<const int64_t>(sizes.data(), rank));
    const Strides dense = dense_strides(shape);
    Strides odd = dense;  // stretched, spread or as it is, axis by axis
    for (size_t a = 0; a < rank; ++a)
      odd[a] = rng.below(3) == 0 ? 0 : odd[a] * static_cast<int32_t>(1 + rng.below(2));
    EXPECT_EQ(visited(RowLoop<2>(shape, {&dense, &odd})), counted<2>(shape, {&dense, &odd}))
        << to_text(shape);
  }
}

TEST(Map, ReadsStridesAndWritesDense) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64);
  const auto twice = [](double v) { return 2 * v; };
  EXPECT_EQ(map<double>(x, twice).to_vector(), (std::vector<double>{2, 4, 6, 8, 10, 12}));
  const Tensor right = x.view({2, 2}, {3, 1}, 1);
  EXPECT_EQ(map<double>(right, twice).to_vector(), (std::vector<double>{4, 6, 10, 12}));
  const Tensor column = x.view({2, 1}, {3, 1}, 2);
  EXPECT_EQ(map<double>(column, twice).to_vector(), (std::vector<double>{6, 12}));
  EXPECT_TRUE(map<double>(column, twice).dense());
  EXPECT_EQ(map<double>(Tensor::zeros({2, 0}, f64), twice).shape(), (Shape{2, 0}));
}

TEST(Zip, BroadcastsEitherSideOnAnyAxis) {
  const auto minus = [](double a, double b) { return a - b; };
  const Tensor matrix = Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64);
  const Tensor row = Tensor::of({10, 20, 30}, f64);
  const Tensor column = Tensor::from<double>(std::vector<double>{100, 200}, {2, 1});
  const auto zipped = [&](const Shape& shape, const Tensor& a, const Tensor& b) {
    return zip<double>(shape, a, b, minus).to_vector();
  };
  using V = std::vector<double>;
  EXPECT_EQ(zipped({2, 3}, matrix, row), (V{-9, -18, -27, -6, -15, -24}));
  EXPECT_EQ(zipped({2, 3}, row, matrix), (V{9, 18, 27, 6, 15, 24}));
  EXPECT_EQ(zipped({2, 3}, matrix, column), (V{-99, -98, -97, -196, -195, -194}));
  EXPECT_EQ(zipped({2, 3}, column, matrix), (V{99, 98, 97, 196, 195, 194}));
  EXPECT_EQ(zipped({2, 3}, column, row), (V{90, 80, 70, 190, 180, 170}));
  EXPECT_EQ(zipped({2, 3}, matrix, Tensor::scalar(1, f64)), (V{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(zipped({2, 1}, column, matrix.view({2, 1}, {3, 1}, 1)), (V{98, 195}));
  EXPECT_EQ(zipped({2, 0}, Tensor::zeros({2, 0}, f64), column), V{});
}

TEST(ZipAdd, AddsToWhatIsThere) {
  Tensor y = Tensor::of({{1, 1}, {1, 1}}, f64);
  zip_add<double>(y, Tensor::of({2, 3}, f64),
                  Tensor::from<double>(std::vector<double>{10, 100}, {2, 1}),
                  [](double a, double b) { return a * b; });
  EXPECT_EQ(y.to_vector(), (std::vector<double>{21, 31, 201, 301}));
}

TEST(BroadcastStrides, AreZeroOnlyWhereAnAxisIsStretched) {
  const Strides s = broadcast_strides(Tensor::zeros({2, 1, 3}), {4, 2, 5, 3});
  EXPECT_EQ(s[0], 0);
  EXPECT_EQ(s[1], 3);
  EXPECT_EQ(s[2], 0);
  EXPECT_EQ(s[3], 1);
}

}  // namespace
}  // namespace heed
