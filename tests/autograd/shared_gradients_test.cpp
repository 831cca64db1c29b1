// Whose memory a gradient is: it is shared, handed over and written in place, and nobody who holds
// one sees it change.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "core/kernels.h"
#include "core/rng.h"

namespace heed {
namespace {

using V = std::vector<double>;

TEST(SharedGradients, GradientsThatShareMemoryDoNotDisturbEachOther) {
  // add hands one cotangent to both inputs; one of them gets another contribution.
  const Tensor a = leaf(Tensor::of({1, 2})), b = leaf(Tensor::of({3, 4}));
  Tape tape;
  const Tensor first = a + b;
  const Tensor loss = sum(first) + sum(scale(a, 10));
  tape.keep_grad(first);
  tape.backward(loss);
  EXPECT_EQ(tape.grad(a).to_vector(), (V{11, 11}));
  EXPECT_EQ(tape.grad(b).to_vector(), (V{1, 1}));
  EXPECT_EQ(tape.grad(first).to_vector(), (V{1, 1}));
}

TEST(SharedGradients, AGradientIsOverwrittenOnlyWhereNobodyElseHoldsIt) {
  const Tensor x = leaf(Tensor::of({1, 2})), w = leaf(Tensor::of({3, 4}));
  Tape tape;
  const Tensor sum_of_both = scale(x, 2) + scale(w, 3);  // hands one gradient to two
  const Tensor y = scale(sum_of_both, 10);
  tape.keep_grad(sum_of_both), tape.keep_grad(y);
  const Tensor cotangent = Tensor::of({5, -1});
  tape.backward(y, cotangent);
  EXPECT_EQ(cotangent.to_vector(), (V{5, -1}));
  EXPECT_EQ(tape.grad(y).to_vector(), (V{5, -1}));
  EXPECT_EQ(tape.grad(sum_of_both).to_vector(), (V{50, -10}));
  EXPECT_EQ(tape.grad(x).to_vector(), (V{100, -20}));
  EXPECT_EQ(tape.grad(w).to_vector(), (V{150, -30}));
}

// add hands its gradient over to the last input that wants it; nobody else may have lost it then.
TEST(SharedGradients, AGradientThatIsHandedOverIsStillThereForWhoeverAskedForIt) {
  const Tensor w = leaf(Tensor::of({1, 2})), c = Tensor::of({3, 4});
  for (const bool keep : {false, true}) {
    Tape tape;
    const Tensor h = scale(w, 2), first = h + c, second = c + first, both = second + h,
                 twice = both + both;
    if (keep) tape.keep_grad(twice), tape.keep_grad(both), tape.keep_grad(first);
    tape.backward(twice, Tensor::of({1, -1}));
    EXPECT_EQ(tape.grad(w).to_vector(), (V{8, -8}));
    if (!keep) continue;
    EXPECT_EQ(tape.grad(twice).to_vector(), (V{1, -1}));
    EXPECT_EQ(tape.grad(both).to_vector(), (V{2, -2}));
    EXPECT_EQ(tape.grad(first).to_vector(), (V{2, -2}));
  }
}

// Whoever looks while the walk is under way keeps what was there.
TEST(SharedGradients, AGradientThatWasTakenInTheMiddleOfTheWalkStaysAsItWas) {
  const Tensor w = leaf(Tensor::of({1, 2})), a = Tensor::of({10, 20}), b = Tensor::of({3, 4});
  for (const bool all : {false, true}) {
    Tape tape;
    const Tensor one = w * a, two = w * b, y = one + two;
    const NoTape quiet;
    BackwardSweep sweep(tape, y, Tensor::of({1, 1}));
    sweep.next(), sweep.next();
    const Tensor g = all ? *tape.gradients().find(w) : tape.grad(w);
    while (sweep.next()) {
    }
    EXPECT_EQ(g.to_vector(), (V{3, 4}));
    EXPECT_EQ(tape.grad(w).to_vector(), (V{13, 24}));
  }
}

// Adds to its input in two parts.
struct Twice {
  static constexpr OpInfo info{
      .name = "twice", .inputs = {"x"}, .forward = "y = 2 x", .backward = {"dx += dy + dy"}};
  void saved(SavedVisitor&) const {}
  void backward(GradFlow& flow) const {
    for (int k = 0; k < 2; ++k) {
      const Tensor part = clone(flow.dy());
      if (flow.has_dx(0))
        add_into(flow.dx(0), part);
      else
        copy_into(flow.first_dx(0), part);
    }
  }
};

TEST(SharedGradients, AnOpMayAddToAnInputMoreThanOnce) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  for (const bool separate : {false, true}) {
    Tape tape;
    const Tensor y = record(Twice{}, Tensor::of({2, 4}), w);
    const NoTape quiet;
    BackwardSweep sweep(tape, y, Tensor::of({3, 5}), {.separate = separate});
    while (sweep.next()) {
    }
    EXPECT_EQ(tape.grad(w).to_vector(), (V{6, 10})) << separate;
  }
}

TEST(SharedGradients, AScalarGathersTheGradientOfAColumn) {
  const Tensor s = leaf(Tensor::scalar(2));
  Tape tape;
  tape.backward(sum(Tensor::full({3, 1}, 2) * s));
  EXPECT_EQ(tape.grad(s).to_vector(), V{6});
}

// Backward of the op that made it was told zeros, but that is nobody's gradient.
TEST(SharedGradients, AKeptOutputThatNoGradientReachedHasNone) {
  const Tensor w = leaf(Tensor::of({{1, 2}, {3, 4}}));
  Tape tape;
  const Tensors parts = split(w, 0, 2);
  tape.keep_grad(parts[0]), tape.keep_grad(parts[1]);
  tape.backward(sum(parts[1]));
  EXPECT_EQ(tape.grad(parts[1]).to_vector(), (V{1, 1}));
  EXPECT_EQ(tape.grad(w).to_vector(), (V{0, 0, 1, 1}));
  EXPECT_THROW((void)tape.grad(parts[0]), std::logic_error);
}

// Of all of a memory (permute), or of a part of it (concat).
TEST(SharedGradients, AGradientThatArrivesStridedIsAddedToAndKeptLikeAnyOther) {
  Rng rng(2);
  const Tensor x = leaf(Tensor::normal({2, 3, 4}, 0, 1, rng, f64));
  const Tensor other = leaf(Tensor::normal({2, 3, 5}, 0, 1, rng, f64));
  using F = Tensor (*)(const Tensor& h, const Tensor& other);
  const F turned = [](const Tensor& h, const Tensor&) { return sum(tanh(permute(h, {1, 0, 2}))); };
  const F joined = [](const Tensor& h, const Tensor& o) { return sum(tanh(concat({o, h}, 2))); };
  const F plain = [](const Tensor& h, const Tensor&) { return sum(square(h)); };
  const F columns = [](const Tensor& h, const Tensor&) { return sum(tanh(slice(h, 2, 1, 3))); };
  for (const F first : {turned, joined})
    for (const F second : {turned, joined, plain, columns}) {
      const auto value = [&](bool swap) {
        const Tensor h = scale(x, 2), o = scale(other, 2);
        const Tensor one = swap ? second(h, o) : first(h, o),
                     two = swap ? first(h, o) : second(h, o);
        return one + two;
      };
      for (const bool swap : {false, true}) {
        const GradCheckReport report = gradcheck(
            [&] { return value(swap); }, std::vector<NamedLeaf>{{"x", x}, {"other", other}});
        EXPECT_TRUE(report.ok) << report.text;
      }
    }
  for (const F one : {turned, joined}) {
    Tape tape;
    const Tensor h = scale(x, 2), o = scale(other, 2);
    tape.keep_grad(h);
    tape.backward(one(h, o));
    V twice = tape.grad(h).to_vector();
    for (double& v : twice) v *= 2;
    EXPECT_EQ(tape.grad(x).to_vector(), twice);
    EXPECT_NEAR(tape.grad(h).at({1, 2, 3}), 1 - std::pow(std::tanh(h.at({1, 2, 3})), 2), 1e-15);
  }
}

TEST(SharedGradients, TheCallersCotangentIsNotTouched) {
  const Tensor a = leaf(Tensor::of({1, 2}));
  const Tensor c = Tensor::of({1, 1});
  Tape tape;
  const Tensor y = a + a;
  tape.backward(y, c);
  EXPECT_EQ(c.to_vector(), (V{1, 1}));
}

}  // namespace
}  // namespace heed
