// Shapes: sizes, strides, broadcasting, and the sentences of what is refused.
#include "core/shape.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/error.h"
#include "tests/core/argument_error.h"

namespace heed {
namespace {

TEST(Shape, HasRankSizesAndElements) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.rank(), 3);
  EXPECT_EQ(s[0], 2);
  EXPECT_EQ(s.back(), 4);
  EXPECT_EQ(s.back(2), 2);
  EXPECT_EQ(s.numel(), 24);
  EXPECT_EQ(to_text(s), "[2, 3, 4]");
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(to_text(Shape{}), "[]");
  EXPECT_EQ((Shape{3, 0}).numel(), 0);
}

TEST(Shape, EqualityCountsEveryAxis) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2}), (Shape{2, 1}));
  EXPECT_NE(Shape{}, (Shape{1}));
}

TEST(Shape, AxesAreSetRemovedAndInserted) {
  const Shape s{2, 3, 4};
  EXPECT_EQ(s.with(1, 7), (Shape{2, 7, 4}));
  EXPECT_EQ(s.without(0), (Shape{3, 4}));
  EXPECT_EQ(s.without(2), (Shape{2, 3}));
  EXPECT_EQ(s.inserted(0, 5), (Shape{5, 2, 3, 4}));
  EXPECT_EQ(s.inserted(3, 5), (Shape{2, 3, 4, 5}));
  EXPECT_EQ((Shape{1, 2, 3, 4, 5}).without(4), (Shape{1, 2, 3, 4}));
}

TEST(Shape, RefusesTooManyAxesAndSizesThatCannotBe) {
  expect_argument_error([] { Shape{1, 1, 1, 1, 1, 1}; }, "shape: expected at most 5 axes, got 6");
  expect_argument_error(
      [] {
        (Shape{1, 2, 3, 4, 5}).inserted(2, 1);
      },
      "shape: expected at most 5 axes, got 6");
  expect_argument_error([] { Shape{2, -1}; }, "shape: expected sizes >= 0, got [2, -1]");
}

TEST(Shape, HoldsWhatBlasCanCountAndNoMore) {
  EXPECT_EQ((Shape{2147483647}).numel(), 2147483647);
  EXPECT_EQ((Shape{65536, 32767}).numel(), 2147418112);
  expect_argument_error(
      [] {
        Shape{65536, 32768};
      },
      "shape: expected at most 2147483647 elements, got [65536, 32768]");
  expect_argument_error([] { Shape{2147483648}; },
                        "shape: expected at most 2147483647 elements, got [2147483648]");
  const int64_t most = INT64_MAX;
  EXPECT_THROW((Shape{most, most, most}), std::invalid_argument);
}

TEST(Shape, AnEmptyShapeHasNoStridesThatOverflow) {
  const int64_t n = 2147483647;
  EXPECT_THROW((Shape{0, n, n, n}), std::invalid_argument);
  EXPECT_THROW((Shape{n, n, n, 0}), std::invalid_argument);
  EXPECT_EQ((Shape{0, n}).numel(), 0);
  EXPECT_EQ(dense_strides({0, n})[0], n);
}

TEST(Shape, DenseStridesAreRowMajor) {
  const Strides s = dense_strides({2, 3, 4});
  EXPECT_EQ(s[0], 12);
  EXPECT_EQ(s[1], 4);
  EXPECT_EQ(s[2], 1);
}

TEST(Shape, NegativeAxesCountFromTheEnd) {
  EXPECT_EQ(wrap_axis("sum", 0, 3), 0);
  EXPECT_EQ(wrap_axis("sum", 2, 3), 2);
  EXPECT_EQ(wrap_axis("sum", -1, 3), 2);
  EXPECT_EQ(wrap_axis("sum", -3, 3), 0);
  expect_argument_error([] { wrap_axis("sum", 3, 3); }, "sum: expected an axis in [-3, 3), got 3");
  expect_argument_error([] { wrap_axis("sum", -4, 3); },
                        "sum: expected an axis in [-3, 3), got -4");
  expect_argument_error([] { wrap_axis("sum", 0, 0); }, "sum: expected an axis in [0, 0), got 0");
}

TEST(Shape, BroadcastsFromTheInnermostAxis) {
  const auto both = [](const Shape& a, const Shape& b) {
    const Shape ab = broadcast_shape("add", a, b);
    EXPECT_EQ(ab, broadcast_shape("add", b, a));
    return ab;
  };
  EXPECT_EQ(both({2, 3}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(both({2, 3}, {3}), (Shape{2, 3}));
  EXPECT_EQ(both({2, 1}, {3}), (Shape{2, 3}));
  EXPECT_EQ(both({2, 3}, {}), (Shape{2, 3}));
  EXPECT_EQ(both({4, 1, 3}, {2, 1}), (Shape{4, 2, 3}));
  EXPECT_EQ(both({0, 3}, {1}), (Shape{0, 3}));
  EXPECT_EQ(both({1}, {0}), (Shape{0}));
}

TEST(Shape, ABroadcastThatDoesNotFitNamesBothShapesAndTheAxis) {
  expect_argument_error(
      [] {
        broadcast_shape("add", {2, 3}, {4, 3});
      },
      "add: expected shapes that broadcast, got [2, 3] and [4, 3]: "
      "axis -2 is 2 against 4");
  expect_argument_error(
      [] {
        broadcast_shape("mul", {2, 3}, {2});
      },
      "mul: expected shapes that broadcast, got [2, 3] and [2]: "
      "axis -1 is 3 against 2");
  EXPECT_THROW(broadcast_shape("add", {0}, {2}), std::invalid_argument);
}

}  // namespace
}  // namespace heed
