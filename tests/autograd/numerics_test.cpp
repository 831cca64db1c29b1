// The checking mode: the first op that makes a number that is none, forward and backward.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/scope.h"
#include "tests/autograd/texts.h"

namespace heed::test {
namespace {

std::string numeric_error(const std::function<void()>& f) {
  return text_of<NumericError>(f);
}

TEST(CheckNumerics, NamesTheFirstOpOfAForwardPass) {
  const Tensor x = leaf(Tensor::of({3, 1, 5}));
  const CheckNumerics check;
  const Scope outer("decoder"), inner("step", 2);
  EXPECT_EQ(numeric_error([&] {
              const Tensor h = sqrt(x - Tensor::scalar(2));
              sqrt(h);
            }),
            "forward of sqrt made nan at [1] of the output [3] (in decoder/step[2])");
}

TEST(CheckNumerics, NamesTheIndexInEveryAxis) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 0, 6}});
  const CheckNumerics check;
  EXPECT_EQ(numeric_error([&] { div(Tensor::scalar(1), x); }),
            "forward of div made inf at [1, 1] of the output [2, 3]");
}

TEST(CheckNumerics, NamesTheOpWhoseBackwardMadeIt) {
  const Tensor x = leaf(Tensor::of({4, 0}));
  Tape tape;
  const CheckNumerics check;
  Tensor y;
  {
    const Scope scope("norm");
    y = sqrt(x);  // fine forward, 1 / 0 backward
  }
  const Tensor loss = sum(y);
  EXPECT_EQ(numeric_error([&] { tape.backward(loss); }),
            "backward of sqrt made inf at [1] of the gradient of input 'x' [2] (in norm)");
}

TEST(CheckNumerics, AMaskedLogProbabilityIsNoAccidentButANaNIs) {
  const CheckNumerics check;
  const Tensor x = Tensor::of({1, 2, 3});
  EXPECT_EQ(log_softmax(x, Mask::keep({1, 0, 1})).at({1}), -INFINITY);
  EXPECT_EQ(masked_fill(x, Mask::keep({1, 0, 1}), -INFINITY).at({1}), -INFINITY);
  const std::string text = numeric_error([&] { log_softmax(Tensor::of({1, INFINITY, 3})); });
  EXPECT_EQ(text.substr(0, 27), "forward of log_softmax made");
}

TEST(CheckNumerics, IsOffOutsideItsBlock) {
  const Tensor x = Tensor::of({-1});
  {
    const CheckNumerics check;
    {
      const CheckNumerics again;
      EXPECT_THROW(sqrt(x), NumericError);
    }
    EXPECT_THROW(sqrt(x), NumericError);
  }
  EXPECT_TRUE(std::isnan(sqrt(x).item()));
}

}  // namespace
}  // namespace heed::test
