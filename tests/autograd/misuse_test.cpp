// Misuse of the tape: each is an error of its own whose text holds the remedy.
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "core/scope.h"
#include "tests/autograd/texts.h"

namespace heed::test {
namespace {

TEST(Misuse, BackwardTwice) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Tensor loss = sum(square(w));
  tape.backward(loss);
  EXPECT_EQ(misuse([&] { tape.backward(loss); }),
            "backward: this tape was walked before; record the forward pass again on a new tape "
            "(to add the gradients of several losses, add the losses)");
}

TEST(Misuse, BackwardWithoutATapeDuringForward) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  const Tensor loss = sum(square(w));
  Tape tape;
  const std::string text =
      "backward: no tape was active when the loss was computed, or it depends on no leaf; create "
      "`Tape tape;` before the forward pass and use leaf(x) or a layer's parameters";
  EXPECT_EQ(misuse([&] { tape.backward(loss); }), text);
  EXPECT_EQ(misuse([&] { tape.backward(sum(Tensor::of({1, 2}))); }), text);
}

TEST(Misuse, AStaleTensorInAnOp) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tensor old;
  {
    Tape tape;
    old = square(w);
  }
  Tape tape;
  const Scope scope("decoder", 3);
  EXPECT_EQ(misuse([&] { mul(w, old); }),
            "mul: input b ([2]) is stale: it was computed under another tape, or one that was "
            "cleared; carry its value with detach(x) (in decoder[3])");
  EXPECT_EQ(misuse([&] { concat({w, old}, 0); }).substr(0, 24), "concat: input parts ([2]");
  EXPECT_EQ(mul(w, detach(old)).to_vector(), (std::vector<double>{1, 8}));
}

TEST(Misuse, AStaleTensorAfterClear) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Tensor loss = sum(square(w));
  tape.clear();
  EXPECT_EQ(misuse([&] { sum(loss); }).substr(0, 28), "sum: input x ([]) is stale: ");
  EXPECT_EQ(misuse([&] { tape.backward(loss); }),
            "backward: the loss was computed under another tape, or this tape was cleared since");
}

TEST(Misuse, ALossOfAnotherTape) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape outer;
  const Tensor loss = sum(square(w));
  Tape inner;
  EXPECT_EQ(misuse([&] { inner.backward(loss); }),
            "backward: the loss was computed under another tape, or this tape was cleared since");
}

TEST(Misuse, AGradientThatWasNotKept) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Tensor h = square(w);
  tape.backward(sum(h));
  EXPECT_EQ(misuse([&] { tape.grad(h); }),
            "grad: the gradient of this intermediate tensor [2] was not kept; call "
            "tape.keep_grad(x) before backward");
}

TEST(Misuse, AGradientBeforeBackward) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  square(w);
  EXPECT_EQ(misuse([&] { tape.grad(w); }), "grad: call backward(loss) first");
  EXPECT_EQ(misuse([&] { tape.gradients(); }), "gradients: call backward(loss) first");
}

TEST(Misuse, AGradientThatDoesNotExist) {
  const Tensor w = leaf(Tensor::of({1, 2})), other = leaf(Tensor::of({1}));
  Tape tape;
  square(other);
  tape.backward(sum(square(w)));
  EXPECT_EQ(
      misuse([&] { tape.grad(other); }),
      "grad: no gradient reached this tensor [1]: the loss does not depend on it (this is not "
      "the same as a gradient of zero)");
  EXPECT_EQ(misuse([&] {
              tape.grad(Tensor::of({1, 2, 3}));
            }),
            "grad: this tensor [3] is not on this tape: it is a constant, was computed elsewhere, "
            "or was never used; make it a leaf(x) and use it while the tape is active");
  EXPECT_EQ(misuse([&] {
              tape.keep_grad(Tensor::of({1, 2, 3}));
            }),
            "keep_grad: this tensor [3] was not computed under this tape");
  EXPECT_EQ(misuse([&] { tape.name(Tensor::of({1}), "x"); }), "name: 'x' is not on this tape");
  Tape walked;
  const Tensor h = scale(leaf(Tensor::of({1, 2})), 2);
  walked.backward(sum(h));
  EXPECT_EQ(misuse([&] { walked.keep_grad(h); }),
            "keep_grad: call it before backward; this tape was walked before");
}

TEST(Misuse, ASavedTensorThatWasChangedSince) {
  Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  Tensor h;
  {
    const Scope scope("encoder");
    h = square(w);
  }
  w.mutable_data<float>()[0] = 5;
  EXPECT_EQ(misuse([&] { tape.backward(sum(h)); }),
            "backward of square: its saved tensor 'x' [2] was changed in place after the forward "
            "pass; change a clone(x), or change it after backward (in encoder)");
}

TEST(Misuse, ASavedTensorThatWasChangedThroughAView) {
  const Tensor w = leaf(Tensor::of({{1, 2}, {3, 4}}));
  Tape tape;
  const Tensor y = exp(w);
  Tensor row = select(detach(y), 0, 1);
  row.mutable_data<float>()[0] = 0;
  EXPECT_EQ(misuse([&] {
              tape.backward(y, Tensor::full({2, 2}, 1));
            }).substr(0, 48),
            "backward of exp: its saved tensor 'y' [2, 2] was");
}

TEST(Misuse, ALossOfManyElements) {
  const Tensor w = leaf(Tensor::of({1, 2}));
  Tape tape;
  const Tensor y = square(w);
  EXPECT_EQ(argument_error([&] { tape.backward(y); }),
            "backward: expected a loss of one element, got shape [2]; reduce it with sum or mean, "
            "or pass a cotangent");
  EXPECT_EQ(argument_error([&] {
              tape.backward(y, Tensor::of({1, 2, 3}));
            }),
            "backward: expected the cotangent of shape [2], got [3]");
  EXPECT_EQ(argument_error([&] {
              tape.backward(y, Tensor::of({1, 2}, f64));
            }),
            "backward: expected one dtype, got f32 [2] and f64 [2]");
  EXPECT_EQ(argument_error([&] { tape.backward(Tensor{}); }),
            "backward: expected a tensor as the loss, got an empty handle (Tensor{})");
  tape.backward(y, Tensor::of({1, 1}));  // none of these used the tape up
  EXPECT_EQ(tape.grad(w).to_vector(), (std::vector<double>{2, 4}));
}

TEST(Misuse, IdsAreNoLeaves) {
  EXPECT_EQ(argument_error([] { leaf(Tensor::full({2}, 1, i64)); }),
            "leaf: expected f32 or f64, got i64 (ids carry no gradient)");
}

}  // namespace
}  // namespace heed::test
