// The tensor as a value: what it holds, views and dense copies, dtypes, text, and error sentences.
#include "core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/rng.h"
#include "tests/core/argument_error.h"

namespace heed {
namespace {

using V = std::vector<double>;

TEST(Tensor, IsMadeFromNumbers) {
  EXPECT_EQ(Tensor::of({1, 2, 3}).to_vector(), (V{1, 2, 3}));
  EXPECT_EQ(Tensor::of({1, 2, 3}).shape(), Shape{3});
  const Tensor m = Tensor::of({{1, 2}, {3, 4}, {5, 6}}, f64);
  EXPECT_EQ(m.shape(), (Shape{3, 2}));
  EXPECT_EQ(m.dtype(), f64);
  EXPECT_EQ(m.at({2, 0}), 5);
  EXPECT_EQ(Tensor::scalar(2.5).rank(), 0);
  EXPECT_EQ(Tensor::scalar(2.5).item(), 2.5);
  EXPECT_EQ(Tensor::full({2, 2}, 7, i64).to_ids(), (std::vector<int64_t>{7, 7, 7, 7}));
  EXPECT_EQ(Tensor::zeros({2, 0}).to_vector(), V{});
  const std::vector<int64_t> ids{4, -1, INT64_MAX};
  EXPECT_EQ(Tensor::ids(ids, {3}).to_ids(), ids);
}

TEST(Tensor, WrongNumbersAreNamed) {
  expect_argument_error(
      [] {
        Tensor::of({{1, 2}, {3}});
      },
      "Tensor::of: expected rows of equal length, got 2 and 1");
  expect_argument_error(
      [] {
        Tensor::from<float>(std::vector<float>{1, 2, 3}, {2, 2});
      },
      "Tensor::from: expected 4 numbers for shape [2, 2], got 3");
}

TEST(Tensor, AnEmptyHandleSaysSo) {
  const Tensor none;
  EXPECT_FALSE(none.defined());
  EXPECT_EQ(to_text(none), "tensor (none)");
  expect_argument_error([&] { none.item(); },
                        "item: expected a tensor as the tensor, got an empty handle (Tensor{})");
  expect_argument_error([&] { none.data<float>(); },
                        "tensor: expected a tensor, got an empty handle (Tensor{})");
  EXPECT_THROW(none.to_vector(), std::invalid_argument);
  EXPECT_THROW(clone(none), std::invalid_argument);
}

TEST(Tensor, NumbersAreReadOnlyAsWhatTheyAre) {
  expect_argument_error(
      [] {
        Tensor::zeros({2, 3}).data<double>();
      },
      "tensor: expected dtype f64, got f32 of shape [2, 3]");
  expect_argument_error([] { Tensor::zeros({2}, i64).mutable_data<float>(); },
                        "tensor: expected dtype f32, got i64 of shape [2]");
  expect_argument_error([] { Tensor::zeros({2}).to_ids(); }, "to_ids: expected i64, got f32");
}

TEST(Tensor, ElementsAreFoundAndBoundsChecked) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(x.at({1, 2}), 6);
  EXPECT_EQ(x.size(-1), 3);
  expect_argument_error([&] { x.at({1}); }, "at: expected 2 indices for shape [2, 3], got 1");
  expect_argument_error(
      [&] {
        x.at({1, 3});
      },
      "at: expected index 1 of shape [2, 3] in [0, 3), got 3");
  EXPECT_THROW(x.at({-1, 0}), std::invalid_argument);
  expect_argument_error([&] { x.item(); }, "item: expected one element, got shape [2, 3]");
  expect_argument_error([&] { x.size(2); }, "size: expected an axis in [-2, 2), got 2");
}

TEST(TensorView, IsTheSameMemoryWithOtherSizes) {
  Tensor x = Tensor::of({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}});
  const Tensor middle = x.view({3, 2}, {4, 1}, 1);
  EXPECT_EQ(middle.to_vector(), (V{2, 3, 6, 7, 10, 11}));
  EXPECT_EQ(middle.at({2, 1}), 11);
  EXPECT_TRUE(middle.buffer().same_as(x.buffer()));
  x.mutable_data<float>()[1] = -2;
  EXPECT_EQ(middle.at({0, 0}), -2);
  const Tensor of_view = middle.view({2, 2}, {8, 1}, 4);  // its rows 1 and 3 of a taller tensor
  EXPECT_EQ(of_view.data<float>(), x.data<float>() + 5);
}

TEST(TensorView, OutlivesTheTensorItWasTakenFrom) {
  Tensor view;
  {
    const Tensor x = Tensor::of({1, 2, 3});
    view = x.view({2}, {1}, 1);
  }
  EXPECT_EQ(view.to_vector(), (V{2, 3}));
}

TEST(TensorDense, KnowsGapsAndIgnoresAxesOfSizeOne) {
  const Tensor x = Tensor::zeros({4, 6});
  EXPECT_TRUE(x.dense());
  EXPECT_TRUE(x.view({2, 6}, {6, 1}, 6).dense());
  EXPECT_FALSE(x.view({4, 3}, {6, 1}).dense());
  EXPECT_FALSE(x.view({2, 6}, {12, 1}).dense());
  EXPECT_FALSE(x.view({4, 1}, {6, 1}).dense()) << "a column has gaps";
  EXPECT_TRUE(x.view({1, 3}, {6, 1}).dense()) << "one row has none, whatever the stride says";
  EXPECT_TRUE(x.view({}, {}, 3).dense());
}

TEST(TensorDense, CopiesOnlyWhatIsStrided) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}}, f64);
  EXPECT_TRUE(dense(x).buffer().same_as(x.buffer()));
  const Tensor column = x.view({2, 1}, {3, 1}, 1);
  const Tensor copy = dense(column);
  EXPECT_FALSE(copy.buffer().same_as(x.buffer()));
  EXPECT_TRUE(copy.dense());
  EXPECT_EQ(copy.to_vector(), (V{2, 5}));
  EXPECT_EQ(dense(x.view({2, 2}, {3, 1}, 1)).to_vector(), (V{2, 3, 5, 6}));
}

TEST(TensorDense, ThreeStridedAxesAreCopiedInOrder) {
  std::vector<float> numbers(24);
  for (size_t i = 0; i < 24; ++i) numbers[i] = static_cast<float>(i);
  const Tensor x = Tensor::from<float>(numbers, {2, 3, 4});
  // [3, 2, 4]: the first two axes exchanged
  EXPECT_EQ(
      dense(x.view({3, 2, 4}, {4, 12, 1})).to_vector(),
      (V{0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19, 8, 9, 10, 11, 20, 21, 22, 23}));
  EXPECT_EQ(dense(x.view({3, 2, 1}, {4, 12, 1}, 2)).to_vector(), (V{2, 14, 6, 18, 10, 22}));
  EXPECT_EQ(dense(x.view({2, 0, 4}, {12, 4, 1})).shape(), (Shape{2, 0, 4}));
}

TEST(TensorClone, HasMemoryOfItsOwn) {
  Tensor x = Tensor::of({1, 2});
  const Tensor y = clone(x);
  x.mutable_data<float>()[0] = 9;
  EXPECT_EQ(y.to_vector(), (V{1, 2}));
}

TEST(TensorCast, ConvertsOrReturnsItself) {
  const Tensor x = Tensor::of({1.75, -2}, f64);
  EXPECT_EQ(cast(x, f32).to_vector(), (V{1.75, -2}));
  EXPECT_EQ(cast(x, i64).to_ids(), (std::vector<int64_t>{1, -2}));
  EXPECT_TRUE(cast(x, f64).buffer().same_as(x.buffer()));
  EXPECT_EQ(cast(Tensor::of({0.1}, f64), f32).item(), static_cast<double>(0.1f));
  EXPECT_EQ(cast(Tensor::of({{1, 2}, {3, 4}}).view({2, 1}, {2, 1}, 1), f64).to_vector(), (V{2, 4}));
}

TEST(TensorVersion, CountsEveryRequestToWriteAndNoRead) {
  Tensor x = Tensor::zeros({2});
  const uint32_t start = x.buffer().version();
  x.data<float>();
  x.to_vector();
  EXPECT_EQ(x.buffer().version(), start);
  x.mutable_data<float>();
  EXPECT_EQ(x.buffer().version(), start + 1);
  Tensor view = x.view({1}, {1}, 1);
  view.mutable_data<float>();
  EXPECT_EQ(x.buffer().version(), start + 2) << "a view writes the same memory";
}

TEST(TensorRef, IsCarriedByCopiesAndNotByViews) {
  const TapeRef ref{7, 3};
  const Tensor x = Tensor::zeros({2}).with_ref(ref);
  const Tensor copy = x;
  EXPECT_EQ(copy.ref(), ref);
  EXPECT_EQ(x.view({1}, {1}).ref(), TapeRef{});
  EXPECT_EQ(Tensor::zeros({2}).ref(), TapeRef{});
}

TEST(TensorRandom, IsOfTheSeedAndInRange) {
  Rng a(1), b(1), c(2);
  const Tensor x = Tensor::uniform({1000}, -2, 3, a, f64);
  EXPECT_EQ(x.to_vector(), Tensor::uniform({1000}, -2, 3, b, f64).to_vector());
  EXPECT_NE(x.to_vector(), Tensor::uniform({1000}, -2, 3, c, f64).to_vector());
  for (const double v : x.to_vector()) EXPECT_TRUE(v >= -2 && v < 3) << v;
  // f32 is the rounded f64 of the same seed, so a model is the same in both.
  Rng d(1);
  EXPECT_EQ(Tensor::uniform({1000}, -2, 3, d).to_vector(), cast(x, f32).to_vector());
  double sum = 0, squares = 0;
  for (const double v : Tensor::normal({10000}, 5, 2, a, f64).to_vector()) {
    sum += v;
    squares += (v - 5) * (v - 5);
  }
  EXPECT_NEAR(sum / 10000, 5, 0.1);                 // five standard errors of 0.02
  EXPECT_NEAR(std::sqrt(squares / 10000), 2, 0.1);  // about seven of 0.014
}

TEST(TensorText, ShowsDtypeShapeAndNumbers) {
  EXPECT_EQ(to_text(Tensor::of({{1, 2.5}, {-3, 4}})), "tensor f32 [2, 2] {1, 2.5; -3, 4}");
  EXPECT_EQ(to_text(Tensor::scalar(2, i64)), "tensor i64 [] {2}");
  EXPECT_EQ(to_text(Tensor::zeros({0}, f64)), "tensor f64 [0] {}");
  EXPECT_EQ(to_text(Tensor::of({1, 2, 3}), 2), "tensor f32 [3] {1, 2, ...}");
}

TEST(TensorRequire, SaysTheOperationAndBothSides) {
  const Tensor x = Tensor::zeros({2, 3});
  EXPECT_NO_THROW(require_shape("linear", "weight", x, {2, 3}));
  expect_argument_error(
      [&] {
        require_shape("linear", "weight", x, {3, 2});
      },
      "linear: expected weight of shape [3, 2], got [2, 3]");
  expect_argument_error([] { require_shape("linear", "weight", Tensor(), {1}); },
                        "linear: expected a tensor as weight, got an empty handle (Tensor{})");
  EXPECT_NO_THROW(require_same_dtype("add", x, Tensor::zeros({1})));
  expect_argument_error([&] { require_same_dtype("add", x, Tensor::zeros({4}, f64)); },
                        "add: expected one dtype, got f32 [2, 3] and f64 [4]");
}

TEST(Dispatch, RunsTheTypeAndRefusesIds) {
  const auto size = []<class T>() { return sizeof(T); };
  EXPECT_EQ(dispatch(f32, "exp", size), 4u);
  EXPECT_EQ(dispatch(f64, "exp", size), 8u);
  expect_argument_error([&] { dispatch(i64, "exp", size); },
                        "exp: expected f32 or f64, got i64 (ids carry no gradient)");
}

TEST(Tensor, EmptyInOrderLiesInMemoryLikeTheOther) {
  const Tensor heads = Tensor::zeros({2, 3, 4, 5}, f32);  // [B, T, N, d]
  const Tensor swapped = heads.view({2, 4, 3, 5}, {60, 5, 20, 1});
  const Tensor y = empty_in_order({2, 4, 6, 7}, swapped);
  EXPECT_EQ(y.shape(), Shape({2, 4, 6, 7}));
  EXPECT_EQ(y.strides(), (Strides{168, 7, 28, 1}));
  EXPECT_TRUE(empty_in_order({2, 3}, heads.view({2, 3}, {60, 1})).dense());
  const Tensor same_for_all =
      heads.view({2, 3, 4}, {0, 0, 1});  // broadcast axes: any order will do
  EXPECT_EQ(empty_in_order({2, 3, 4}, same_for_all).strides(), (Strides{12, 4, 1}));
}

}  // namespace
}  // namespace heed
