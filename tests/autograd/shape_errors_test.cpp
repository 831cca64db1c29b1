// What every op says about shapes, dtypes and ids that do not fit: the op, what was expected, what
// came, and the scope.
#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "core/scope.h"
#include "tests/autograd/texts.h"

namespace heed::test {
namespace {

Tensor z(const Shape& shape, DType dtype = f32) {
  return Tensor::zeros(shape, dtype);
}

void expect_error(const std::string& text, const std::function<void()>& f) {
  EXPECT_EQ(argument_error(f), text);
}

TEST(ShapeErrors, BroadcastingOpsNameBothShapesAndTheAxis) {
  using Binary = Tensor (*)(const Tensor&, const Tensor&);
  const std::pair<const char*, Binary> ops[] = {
      {"add", add}, {"sub", sub}, {"mul", mul}, {"div", div}, {"maximum", maximum}};
  for (const auto& [name, f] : ops) {
    expect_error(std::string(name) +
                     ": expected shapes that broadcast, got [2, 3] and [4, 3]: axis -2 is 2 "
                     "against 4",
                 [f = f] {
                   f(z({2, 3}), z({4, 3}));
                 });
    expect_error(std::string(name) + ": expected one dtype, got f32 [2] and f64 [3]",
                 [f = f] { f(z({2}), z({3}, f64)); });
    expect_error(std::string(name) + ": expected a tensor as b, got an empty handle (Tensor{})",
                 [f = f] { f(z({2}), Tensor{}); });
    expect_error(std::string(name) + ": expected f32 or f64, got i64 (ids carry no gradient)",
                 [f = f] { f(z({2}, i64), z({2}, i64)); });
  }
}

TEST(ShapeErrors, ThePlaceIsNamed) {
  const Scope outer("decoder"), inner("step", 3);
  expect_error(
      "add: expected shapes that broadcast, got [2] and [3]: axis -1 is 2 against 3 (in "
      "decoder/step[3])",
      [] { add(z({2}), z({3})); });
}

TEST(ShapeErrors, UnaryOpsWantATensorOfNumbers) {
  using Unary = Tensor (*)(const Tensor&);
  const std::pair<const char*, Unary> ops[] = {
      {"neg", neg},   {"exp", exp},         {"log", log},   {"sqrt", sqrt}, {"square", square},
      {"tanh", tanh}, {"sigmoid", sigmoid}, {"relu", relu}, {"gelu", gelu}, {"abs", abs}};
  for (const auto& [name, f] : ops) {
    expect_error(std::string(name) + ": expected a tensor as x, got an empty handle (Tensor{})",
                 [f = f] { f(Tensor{}); });
    expect_error(std::string(name) + ": expected f32 or f64, got i64 (ids carry no gradient)",
                 [f = f] { f(z({2}, i64)); });
  }
  expect_error("clamp: expected low <= high, got 2 and 1", [] { clamp(z({2}), 2, 1); });
  expect_error("scale: expected f32 or f64, got i64 (ids carry no gradient)",
               [] { scale(z({2}, i64), 2); });
}

TEST(ShapeErrors, WhereAndMaskedFill) {
  expect_error("where: expected an i64 condition (0: take b), got tensor f32 [2]",
               [] { where(z({2}), z({2}), z({2})); });
  expect_error("where: expected shapes that broadcast, got [2] and [3]: axis -1 is 2 against 3",
               [] { where(z({3}, i64), z({2}), z({2})); });
  expect_error("masked_fill: expected at least one axis, got a scalar",
               [] { masked_fill(z({}), Mask{}, 0); });
  expect_error("masked_fill: expected 2 lengths, one per sentence of the batch, got 1", [] {
    masked_fill(z({2, 3}), Mask::lengths({1}), 0);
  });
}

TEST(ShapeErrors, Products) {
  expect_error("matmul: inner sizes differ: 3 against 4 in [2, 3] and [4, 5]", [] {
    matmul(z({2, 3}), z({4, 5}));
  });
  expect_error("matmul_nt: inner sizes differ: 3 against 5 in [2, 3] and [4, 5]", [] {
    matmul_nt(z({2, 3}), z({4, 5}));
  });
  expect_error("matmul_tn: inner sizes differ: 2 against 4 in [2, 3] and [4, 5]", [] {
    matmul_tn(z({2, 3}), z({4, 5}));
  });
  expect_error("matmul: expected equal batch axes, or b with two axes; got [2, 3, 4] and [5, 4, 6]",
               [] {
                 matmul(z({2, 3, 4}), z({5, 4, 6}));
               });
  expect_error("matmul: expected at least two axes each, got [3] and [3, 2]", [] {
    matmul(z({3}), z({3, 2}));
  });
  expect_error("matmul: expected one dtype, got f32 [2, 3] and f64 [3, 2]", [] {
    matmul(z({2, 3}), z({3, 2}, f64));
  });
  expect_error("linear: expected x [..., 4] for weight [5, 4], got [2, 3]", [] {
    linear(z({2, 3}), z({5, 4}), {});
  });
  expect_error("linear: expected weight [out, in], got [4]", [] { linear(z({2, 4}), z({4}), {}); });
  expect_error("linear: expected bias of shape [5], got [4]", [] {
    linear(z({2, 4}), z({5, 4}), z({4}));
  });
}

TEST(ShapeErrors, ShapeOps) {
  expect_error("transpose: expected at least two axes, got [3]", [] { transpose(z({3})); });
  expect_error("permute: expected each of the 3 axes of [2, 3, 4] once", [] {
    permute(z({2, 3, 4}), {0, 1, 1});
  });
  expect_error("permute: expected each of the 3 axes of [2, 3, 4] once", [] {
    permute(z({2, 3, 4}), {0, 1});
  });
  expect_error("permute: expected an axis in [-2, 2), got 2", [] { permute(z({2, 3}), {0, 2}); });
  expect_error("reshape: [2, 3] has 6 elements, [4, 2] would have 8", [] {
    reshape(z({2, 3}), {4, 2});
  });
  expect_error("reshape: [2, 3] has 6 elements, [4, 1] would have 4", [] {
    reshape(z({2, 3}), {4, -1});
  });
  expect_error("reshape: expected at most one size of -1", [] { reshape(z({2, 3}), {-1, -1}); });
  expect_error("slice: expected 0 <= begin <= end <= 3 on axis 1 of [2, 3], got [1, 4)", [] {
    slice(z({2, 3}), 1, 1, 4);
  });
  expect_error("slice: expected an axis in [-2, 2), got 2", [] { slice(z({2, 3}), 2, 0, 1); });
  expect_error("select: expected an index in [0, 3) on axis 1 of [2, 3], got 3", [] {
    select(z({2, 3}), -1, 3);
  });
  expect_error("split: expected a number of parts that divides 3, axis 1 of [2, 3], got 2", [] {
    split(z({2, 3}), 1, 2);
  });
  expect_error("concat: expected shapes that agree but for axis 0, got [2, 3] and [2, 4]", [] {
    concat({z({2, 3}), z({2, 4})}, 0);
  });
  expect_error("concat: expected at least one tensor", [] { concat({}, 0); });
  expect_error("stack: expected equal shapes, got [2, 3] and [3, 2]", [] {
    const Tensor parts[] = {z({2, 3}), z({3, 2})};
    stack(parts, 0);
  });
}

TEST(ShapeErrors, Reductions) {
  expect_error("sum: expected an axis in [-2, 2), got 2", [] { sum(z({2, 3}), {2}); });
  expect_error("sum: expected each axis once", [] { sum(z({2, 3}), {1, -1}); });
  expect_error("mean: expected something to average, got [0, 3]", [] { mean(z({0, 3}), {0}); });
  expect_error("max: expected at least one element to choose from, got [2, 0]", [] {
    max(z({2, 0}), {1});
  });
  expect_error("logsumexp: expected a last axis with elements, got [2, 0]", [] {
    logsumexp(z({2, 0}));
  });
  expect_error("logsumexp: expected a last axis with elements, got []", [] { logsumexp(z({})); });
}

TEST(ShapeErrors, Softmax) {
  expect_error("softmax: expected at least one axis, got a scalar", [] { softmax(z({})); });
  expect_error("log_softmax: expected at least one axis, got a scalar", [] { log_softmax(z({})); });
  expect_error("softmax: expected lengths <= 3 (the padded length), got 4", [] {
    softmax(z({2, 3}), Mask::lengths({3, 4}));
  });
  expect_error("log_softmax: expected a keep mask of shape [3], [batch, 3] or [2, 3], got [2]", [] {
    log_softmax(z({2, 3}), Mask::keep({1, 0}));
  });
}

TEST(ShapeErrors, Networks) {
  const auto lookup = [](std::vector<int64_t> v, const Shape& s) {
    embedding(z({5, 4}), Tensor::ids(v, s));
  };
  expect_error(
      "embedding: expected ids in [0, 5) for weight [5, 4], got 5 at position 3 of ids [2, 2]",
      [&] {
        lookup({0, 4, 1, 5}, {2, 2});
      });
  expect_error(
      "embedding: expected ids in [0, 5) for weight [5, 4], got -1 at position 0 of ids [1]",
      [&] { lookup({-1}, {1}); });
  expect_error("embedding: expected i64 ids, got f32", [] { embedding(z({5, 4}), z({2})); });
  expect_error("embedding: expected weight [V, E], got [5]",
               [] { embedding(z({5}), z({2}, i64)); });
  expect_error("dropout: expected a probability in [0, 1), got 1", [] { dropout(z({2}), 1, 0); });
  expect_error("layer_norm: expected gain of shape [3], got [2]", [] {
    layer_norm(z({2, 3}), z({2}), z({3}));
  });
  expect_error("layer_norm: expected bias of shape [3], got [2, 3]", [] {
    layer_norm(z({2, 3}), z({3}), z({2, 3}));
  });
  expect_error("layer_norm: expected a last axis with elements, got [2, 0]", [] {
    layer_norm(z({2, 0}), z({0}), z({0}));
  });
}

TEST(ShapeErrors, Recurrences) {
  expect_error("rnn_sequence: expected x [2, T, 4] for h0 [2, 4], got [2, 3, 5]", [] {
    rnn_sequence(z({2, 3, 5}), z({2, 4}), z({4, 4}), {});
  });
  expect_error("gru_sequence: expected x [2, T, 12] for h0 [2, 4], got [3, 3, 12]", [] {
    gru_sequence(z({3, 3, 12}), z({2, 4}), z({12, 4}), {});
  });
  expect_error("gru_sequence: expected h0 [B, H], got [4]", [] {
    gru_sequence(z({3, 3, 12}), z({4}), z({12, 4}), {});
  });
  expect_error("lstm_sequence: expected w_hh of shape [16, 4], got [4, 16]", [] {
    lstm_sequence(z({2, 3, 16}), z({2, 4}), z({2, 4}), z({4, 16}), {});
  });
  expect_error("lstm_sequence: expected c0 of shape [2, 4], got [2, 3]", [] {
    lstm_sequence(z({2, 3, 16}), z({2, 4}), z({2, 3}), z({16, 4}), {});
  });
  expect_error("rnn_sequence: expected b_hh of shape [4], got [3]", [] {
    rnn_sequence(z({2, 3, 4}), z({2, 4}), z({4, 4}), z({3}));
  });
  expect_error("rnn_sequence: expected one dtype, got f32 [2, 3, 4] and f64 [4]", [] {
    rnn_sequence(z({2, 3, 4}), z({2, 4}), z({4, 4}), z({4}, f64));
  });
  expect_error("rnn_sequence: expected lengths <= 3 (the padded length), got 4", [] {
    rnn_sequence(z({2, 3, 4}), z({2, 4}), z({4, 4}), {}, {.lengths = {1, 4}});
  });
  expect_error("rnn_sequence: expected 2 lengths, one per sentence of the batch, got 1", [] {
    rnn_sequence(z({2, 3, 4}), z({2, 4}), z({4, 4}), {}, {.lengths = {1}});
  });
}

TEST(ShapeErrors, AdditiveScore) {
  expect_error(
      "additive_score: expected query [B, A] or [B, T, A], keys [B, S, A], v [A], got [2, 3], [2, "
      "5, 4], [4]",
      [] {
        additive_score(z({2, 3}), z({2, 5, 4}), z({4}));
      });
}

TEST(ShapeErrors, Unit) {
  expect_error("unit: expected at least one axis, got a scalar", [] { unit(z({})); });
}

}  // namespace
}  // namespace heed::test
