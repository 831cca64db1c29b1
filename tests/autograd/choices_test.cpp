// Where an op has to choose: ties, kinks, NaN, and what stays untouched.
#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/recording.h"
#include "core/rng.h"

namespace heed {
namespace {

using V = std::vector<double>;

V gradient(const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  const Tensor in = leaf(x);
  Tape tape;
  const Tensor y = f(in);
  tape.backward(y, Tensor::full(y.shape(), 1, x.dtype()));
  return tape.grad(in).to_vector();
}

TEST(Choices, KinksHaveTheGradientThatIsDocumented) {
  const Tensor x = Tensor::of({-1, 0, 1});
  EXPECT_EQ(gradient(x, [](const Tensor& t) { return abs(t); }), (V{-1, 0, 1}));
  EXPECT_EQ(gradient(x, [](const Tensor& t) { return relu(t); }), (V{0, 0, 1}));
  EXPECT_EQ(gradient(x, [](const Tensor& t) { return clamp(t, -0.5, 0.5); }), (V{0, 1, 0}));
  EXPECT_EQ(gradient(x,
                     [](const Tensor& t) {
                       return maximum(t, Tensor::of({0, 0, 0}));
                     }),
            (V{0, 0.5, 1}));
}

TEST(Choices, MaxGivesTheGradientToTheFirstLargest) {
  const Tensor x = Tensor::of({{3, 7, 7}, {7, 2, 7}});
  EXPECT_EQ(max(x, {1}).to_vector(), (V{7, 7}));
  EXPECT_EQ(gradient(x, [](const Tensor& t) { return max(t, {1}); }), (V{0, 1, 0, 1, 0, 0}));
  EXPECT_EQ(gradient(x, [](const Tensor& t) { return max(t); }), (V{0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(max(Tensor::of({-INFINITY, -INFINITY})).item(), -INFINITY);
}

TEST(Choices, ANaNIsNotHidden) {
  EXPECT_TRUE(std::isnan(max(Tensor::of({1, NAN, 3})).item()));
  EXPECT_TRUE(std::isnan(max(Tensor::of({NAN, 1, 3})).item()));
  EXPECT_TRUE(std::isnan(maximum(Tensor::of({NAN}), Tensor::of({1})).item()));
  EXPECT_TRUE(std::isnan(maximum(Tensor::of({1}), Tensor::of({NAN})).item()));
  EXPECT_TRUE(std::isnan(relu(Tensor::of({NAN})).item()));
  EXPECT_TRUE(std::isnan(clamp(Tensor::of({NAN}), 0, 1).item()));
}

TEST(Choices, WhereNeverTouchesWhatItDidNotChoose) {
  const int64_t bits[] = {1, 0};
  const Tensor c = Tensor::ids(bits, {2});
  const Tensor other = Tensor::of({NAN, 5});
  EXPECT_EQ(where(c, Tensor::of({1, INFINITY}), other).to_vector(), (V{1, 5}));
  // A NaN cotangent reaches only the side that was chosen.
  const Tensor a = leaf(Tensor::of({1, 2})), b = leaf(Tensor::of({3, 4}));
  Tape tape;
  const Tensor y = where(c, a, b);
  tape.backward(y, Tensor::of({1, NAN}));
  EXPECT_EQ(tape.grad(a).to_vector(), (V{1, 0}));
  EXPECT_EQ(tape.grad(b).at({0}), 0);
}

#if defined(__SSE__)
// The small products of an attention, too; tests/core/blas_test.cpp has the larger ones.
TEST(Choices, ProductsOfABatchTakeSubnormalNumbersForZero) {
  const Tensor weights = Tensor::full({2, 3, 4}, 1e-40), values = Tensor::full({2, 4, 3}, 1);
  const Tensor context = matmul(weights, values);
  for (const double x : context.to_vector()) EXPECT_EQ(x, 0);
  EXPECT_GT((weights * Tensor::scalar(0.5)).at({0, 0, 0}), 0) << "flushed after the product, too";
}
#endif

TEST(Choices, DropoutTakesTheMemoryOfWhatIsHandedOverAndOfNothingElse) {
  const V expected = dropout(Tensor::full({100}, 3, f64), 0.5, 7).to_vector();
  Tensor x = Tensor::full({100}, 3, f64);
  const std::byte* memory = x.bytes();
  const Tensor y = dropout(std::move(x), 0.5, 7);
  EXPECT_EQ(y.bytes(), memory);
  EXPECT_EQ(y.to_vector(), expected);
  Tensor held = Tensor::full({100}, 3, f64);
  const Tensor other = held, copy = dropout(other, 0.5, 7),
               moved = dropout(std::move(held), 0.5, 7);
  EXPECT_EQ(other.to_vector(), V(100, 3.0));
  EXPECT_EQ(copy.to_vector(), expected);
  EXPECT_EQ(moved.to_vector(), expected);
  // Who watches sees what was computed with.
  Tensor parameter = leaf(Tensor::full({100}, 3, f64));
  {
    Tape tape;
    Recording recording(tape);
    const Tensor z = dropout(std::move(parameter), 0.5, 7);
    const Recorded& all = recording.backward(sum(z));
    EXPECT_EQ(all.tensors[static_cast<size_t>(all.ops[0].in[0])].value.to_vector(), V(100, 3.0));
  }
  {
    struct First final : TapeWatcher {
      V x;
      void recorded(Tape&, const Node& node, std::span<const Tensor* const> in,
                    std::span<Tensor>) override {
        if (node.table->info->name == "dropout") x = in[0]->to_vector();
      }
    } watcher;
    const Tensor a = leaf(Tensor::full({100}, 1.5, f64));
    Tape tape;
    tape.watch(&watcher);
    (void)dropout(scale(a, 2), 0.5, 7);
    EXPECT_EQ(watcher.x, V(100, 3.0));
  }
  // What an op saved is held too: the derivative of exp is its output.
  const Tensor w = leaf(Tensor::full({100}, std::log(3.0), f64));
  Tape tape;
  tape.backward(sum(dropout(exp(w), 0.5, 7)));
  const V gradient = tape.grad(w).to_vector();
  for (size_t i = 0; i < 100; ++i) EXPECT_NEAR(gradient[i], expected[i], 1e-14);
}

TEST(Choices, DropoutOfViewsThatNobodyElseHolds) {
  Rng rng(3);
  const Tensor x = leaf(Tensor::normal({2, 3, 4}, 0, 1, rng, f64));
  const auto turned = [](const Tensor& t) { return permute(t, {1, 0, 2}); };
  const auto f = [&] {
    Tensor view = turned(scale(x, 2));  // what it is a view of is gone
    Tensor part = slice(scale(x, 3), 0, 1, 2);
    return tanh(turned(dropout(std::move(view), 0.5, 7))) + dropout(std::move(part), 0.5, 8);
  };
  const GradCheckReport report = gradcheck(f, std::vector<NamedLeaf>{{"x", x}});
  EXPECT_TRUE(report.ok) << report.text;
}

TEST(Choices, DropoutDependsOnKeyAndPositionAlone) {
  const Tensor x = Tensor::full({5000}, 1, f64);
  const V whole = dropout(x, 0.25, 7).to_vector();
  const V part = dropout(Tensor::full({1030}, 1, f64), 0.25, 7).to_vector();
  EXPECT_EQ(V(whole.begin(), whole.begin() + 1030), part);
  EXPECT_NE(dropout(x, 0.25, 8).to_vector(), whole);
  double dropped = 0;
  for (const double v : whole) {
    EXPECT_TRUE(v == 0 || std::abs(v - 4.0 / 3) < 1e-15);
    dropped += v == 0;
  }
  EXPECT_NEAR(dropped / 5000, 0.25, 0.02);
  double differ = 0;  // two elements share a random word
  for (size_t i = 0; i < whole.size(); i += 2) differ += (whole[i] == 0) != (whole[i + 1] == 0);
  EXPECT_NEAR(differ / 2500, 2 * 0.25 * 0.75, 0.04);
}

TEST(Choices, DropoutScalesByTheProbabilityThatItHas) {
  const Tensor x = Tensor::full({200'000}, 1, f64);
  for (const double v : dropout(x, 1e-7, 7).to_vector()) ASSERT_EQ(v, 1);
  int kept = 0;
  for (const double v : dropout(x, 1 - 1e-7, 7).to_vector()) {
    ASSERT_TRUE(v == 0 || v == 65536) << v;
    kept += v != 0;
  }
  EXPECT_TRUE(kept > 0 && kept < 10) << kept << " of 200,000 times 2^-16";
}

TEST(Choices, ViewsShareMemoryAndCopiesDoNot) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  EXPECT_TRUE(slice(x, 1, 1, 3).buffer().same_as(x.buffer()));
  EXPECT_TRUE(select(x, 0, 1).buffer().same_as(x.buffer()));
  EXPECT_TRUE(reshape(x, {3, 2}).buffer().same_as(x.buffer()));
  EXPECT_FALSE(select(x, 1, 1).buffer().same_as(x.buffer()));
  EXPECT_FALSE(transpose(x).buffer().same_as(x.buffer()));
  EXPECT_EQ(select(x, 1, 1).to_vector(), (V{2, 5}));
  EXPECT_EQ(transpose(x).to_vector(), (V{1, 4, 2, 5, 3, 6}));
}

TEST(Choices, ManyPartsAreOneConcat) {
  const Tensor x = leaf(Tensor::of({2}));
  const Tensors parts(70'000, x);
  Tape tape;
  try {
    tape.backward(sum(concat(std::span(parts), 0)));
    EXPECT_EQ(tape.grad(x).item(), 70'000);
  } catch (const std::invalid_argument& e) {
    EXPECT_EQ(std::string(e.what()), "concat: expected at most 65535 inputs on a tape, got 70000");
  }
}

}  // namespace
}  // namespace heed
