// Every fused op against the same thing composed of small ops: values and gradients to 1e-12 in
// f64.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/autograd/op_cases.h"

namespace heed::test {
namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;
using F = std::function<Tensors(const Tensors&)>;

struct Side {
  std::vector<std::vector<double>> outputs, grads;
};

Side run(const Named& inputs, const F& f) {
  Tensors in;
  for (const auto& [name, x] : inputs) in.push_back(leaf(x));
  Tape tape;
  const Tensors out = f(in);
  const Tensor y = join(out);
  Rng rng(17);
  tape.backward(y, Tensor::normal(y.shape(), 0, 1, rng, f64));
  const Gradients got = tape.gradients();
  Side side;
  for (const Tensor& t : out) side.outputs.push_back(t.to_vector());
  for (const Tensor& x : in) {
    const Tensor* g = got.find(x);
    side.grads.push_back(g ? g->to_vector()
                           : std::vector<double>(static_cast<size_t>(x.numel()), 0.0));
  }
  return side;
}

void expect_equal(const std::string& what, const std::vector<double>& a,
                  const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], 1e-12 * std::max(1.0, std::abs(b[i])))
        << what << ", element " << i << " (fused, composed)";
}

void expect_twins(const std::string& what, const Named& inputs, const F& fused, const F& composed) {
  const Side a = run(inputs, fused), b = run(inputs, composed);
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (size_t i = 0; i < a.outputs.size(); ++i)
    expect_equal(fmt::format("{}, output {}", what, i), a.outputs[i], b.outputs[i]);
  for (size_t i = 0; i < inputs.size(); ++i)
    expect_equal(what + ", gradient of " + inputs[i].first, a.grads[i], b.grads[i]);
}

TEST(Twins, Linear) {
  Numbers numbers(1);
  for (const Shape& s : {Shape{4}, Shape{3, 4}, Shape{2, 3, 4}, Shape{2, 2, 3, 4},
                         Shape{2, 300, 4}})  // the last one is summed in parts
    expect_twins(
        "linear " + to_text(s),
        {{"x", numbers.normal(s)},
         {"weight", numbers.normal({5, 4})},
         {"bias", numbers.normal({5})}},
        [](const Tensors& in) { return Tensors{linear(in[0], in[1], in[2])}; },
        [](const Tensors& in) {
          const Tensor rows = reshape(in[0], {-1, 4});
          std::vector<int64_t> sizes(in[0].shape().sizes().begin(), in[0].shape().sizes().end());
          sizes.back() = 5;
          return Tensors{reshape(add(matmul_nt(rows, in[1]), in[2]), sizes)};
        });
}

TEST(Twins, AdditiveScore) {
  Numbers numbers(2);
  for (const Shape& q : {Shape{2, 5}, Shape{2, 3, 5}})
    expect_twins(
        "additive_score " + to_text(q),
        {{"query", numbers.normal(q)},
         {"keys", numbers.normal({2, 4, 5})},
         {"v", numbers.normal({5})}},
        [](const Tensors& in) { return Tensors{additive_score(in[0], in[1], in[2])}; },
        [](const Tensors& in) {
          const bool step = in[0].rank() == 2;
          const int64_t t = step ? 1 : in[0].shape()[1];
          const Tensor u = tanh(add(reshape(in[0], {2, t, 1, 5}), reshape(in[1], {2, 1, 4, 5})));
          const Tensor e = matmul(u, reshape(in[2], {5, 1}));
          return Tensors{step ? reshape(e, {2, 4}) : reshape(e, {2, t, 4})};
        });
}

TEST(Twins, SoftmaxOfItsParts) {
  Numbers numbers(3);
  const Named x{{"x", numbers.normal({3, 7}, 3)}};
  const F composed = [](const Tensors& in) {
    const Tensor e = exp(sub(in[0], detach(max(in[0], {-1}, true))));
    return Tensors{div(e, sum(e, {-1}, true))};
  };
  expect_twins(
      "softmax", x, [](const Tensors& in) { return Tensors{softmax(in[0])}; }, composed);
  expect_twins(
      "log_softmax", x, [](const Tensors& in) { return Tensors{log_softmax(in[0])}; },
      [&](const Tensors& in) { return Tensors{log(composed(in)[0])}; });
  expect_twins(
      "logsumexp", x, [](const Tensors& in) { return Tensors{logsumexp(in[0])}; },
      [](const Tensors& in) { return Tensors{log(sum(exp(in[0]), {-1}))}; });
}

TEST(Twins, LayerNormOfItsParts) {
  Numbers numbers(4);
  expect_twins(
      "layer_norm",
      {{"x", numbers.normal({3, 7})}, {"gain", numbers.normal({7})}, {"bias", numbers.normal({7})}},
      [](const Tensors& in) { return Tensors{layer_norm(in[0], in[1], in[2])}; },
      [](const Tensors& in) {
        const Tensor centred = sub(in[0], mean(in[0], {-1}, true));
        const Tensor var = mean(square(centred), {-1}, true);
        const Tensor n = div(centred, sqrt(add(var, Tensor::scalar(1e-5, f64))));
        return Tensors{add(mul(n, in[1]), in[2])};
      });
}

// ---- recurrences: a loop over steps, sentences that ended keep their state ----

struct Sequence {
  int64_t batch, steps, hidden;
  SequenceOptions options;

  // [B, 1]: 1 where the sentence is active at step t.
  Tensor active(int64_t t) const {
    std::vector<int64_t> bits;
    for (int64_t b = 0; b < batch; ++b)
      bits.push_back(options.lengths.empty() || t < options.lengths[static_cast<size_t>(b)]);
    return Tensor::ids(bits, {batch, 1});
  }

  // `cell` maps (x[t], h, c) to the new (h, c); c may be undefined. Returns y, h and c if defined.
  template <class Cell>
  Tensors loop(const Tensor& x, Tensor h, Tensor c, Cell cell) const {
    Tensors y(static_cast<size_t>(steps));
    const Tensor zero = Tensor::zeros({batch, hidden}, f64);
    for (int64_t s = 0; s < steps; ++s) {
      const int64_t t = options.reverse ? steps - 1 - s : s;
      const auto [h_new, c_new] = cell(select(x, 1, t), h, c);
      const Tensor on = active(t);
      y[static_cast<size_t>(t)] = where(on, h_new, zero);
      h = where(on, h_new, h);
      if (c.defined()) c = where(on, c_new, c);
    }
    Tensors out{stack(std::span(y), 1), h};
    if (c.defined()) out.push_back(c);
    return out;
  }
};

using State = std::pair<Tensor, Tensor>;

std::vector<Sequence> sequences() {
  return {
      {3, 4, 5, {}},
      {3, 4, 5, {.lengths = {}, .reverse = true}},
      {4, 5, 3, {.lengths = {5, 0, 1, 3}}},
      {4, 5, 3, {.lengths = {0, 2, 5, 1}, .reverse = true}},
      {2, 1, 4, {}},
      {2, 3, 4, {.lengths = {0, 0}}},
  };
}

Named inputs(const Sequence& s, int64_t gates, bool cells) {
  Numbers numbers(5);
  Named in{{"x", numbers.normal({s.batch, s.steps, gates * s.hidden})},
           {"h0", numbers.normal({s.batch, s.hidden})}};
  if (cells) in.emplace_back("c0", numbers.normal({s.batch, s.hidden}));
  in.emplace_back("w_hh", numbers.normal({gates * s.hidden, s.hidden}, 0.5));
  in.emplace_back("b_hh", numbers.normal({gates * s.hidden}));
  return in;
}

// A row that stands for many, as broadcasting makes them, is no matrix to BLAS.
TEST(Twins, ProductsOfARowThatStandsForMany) {
  constexpr int64_t n = 40;
  Rng rng(3);
  for (const DType dtype : {f32, f64}) {
    const Tensor row = Tensor::normal({1, n}, 0, 1, rng, dtype);
    const Tensor many = row.view({n, n}, {0, 1}), copies = clone(many);
    const Tensor w = Tensor::normal({n, n}, 0, 1, rng, dtype);
    Tensors
        held;  // so that no result finds the numbers of another one where it should write its own
    for (const auto& product : {matmul, matmul_nt, matmul_tn}) {
      const Tensor a = product(many, w), b = product(w, many);
      held.insert(held.end(), {a, b, product(copies, w), product(w, copies)});
      EXPECT_EQ(a.to_vector(), held[held.size() - 2].to_vector());
      EXPECT_EQ(b.to_vector(), held[held.size() - 1].to_vector());
    }
  }
}

TEST(Twins, RnnSequence) {
  for (const Sequence& s : sequences())
    expect_twins(
        "rnn_sequence", inputs(s, 1, false),
        [&](const Tensors& in) {
          const Recurrence r = rnn_sequence(in[0], in[1], in[2], in[3], s.options);
          return Tensors{r.y, r.h};
        },
        [&](const Tensors& in) {
          return s.loop(in[0], in[1], {}, [&](const Tensor& x, const Tensor& h, const Tensor&) {
            return State{tanh(add(x, add(matmul_nt(h, in[2]), in[3]))), {}};
          });
        });
}

TEST(Twins, GruSequence) {
  for (const Sequence& s : sequences())
    expect_twins(
        "gru_sequence", inputs(s, 3, false),
        [&](const Tensors& in) {
          const Recurrence r = gru_sequence(in[0], in[1], in[2], in[3], s.options);
          return Tensors{r.y, r.h};
        },
        [&](const Tensors& in) {
          return s.loop(in[0], in[1], {}, [&](const Tensor& x, const Tensor& h, const Tensor&) {
            const Tensors a = split(x, -1, 3);
            const Tensors g = split(add(matmul_nt(h, in[2]), in[3]), -1, 3);
            const Tensor r = sigmoid(a[0] + g[0]), z = sigmoid(a[1] + g[1]);
            const Tensor n = tanh(a[2] + r * g[2]);
            return State{(Tensor::scalar(1, f64) - z) * n + z * h, {}};
          });
        });
}

TEST(Twins, LstmSequence) {
  for (const Sequence& s : sequences())
    expect_twins(
        "lstm_sequence", inputs(s, 4, true),
        [&](const Tensors& in) {
          const Recurrence r = lstm_sequence(in[0], in[1], in[2], in[3], in[4], s.options);
          return Tensors{r.y, r.h, r.c};
        },
        [&](const Tensors& in) {
          return s.loop(in[0], in[1], in[2],
                        [&](const Tensor& x, const Tensor& h, const Tensor& c) {
                          const Tensors a = split(add(x, add(matmul_nt(h, in[3]), in[4])), -1, 4);
                          const Tensor now = sigmoid(a[1]) * c + sigmoid(a[0]) * tanh(a[2]);
                          return State{sigmoid(a[3]) * tanh(now), now};
                        });
        });
}

TEST(Twins, GarbageAfterTheEndOfASentenceChangesNothing) {
  const Sequence s{2, 4, 3, {.lengths = {1, 3}}};
  for (const bool reverse : {false, true}) {
    const auto compute = [&](double garbage) {
      Named in = inputs(s, 4, true);
      double* x = in[0].second.mutable_data<double>();
      for (int64_t b = 0; b < 2; ++b)
        for (int64_t t = s.options.lengths[static_cast<size_t>(b)]; t < 4; ++t)
          std::fill_n(x + (b * 4 + t) * 12, 12, garbage);
      return run(in, [&](const Tensors& t) {
        const Recurrence r = lstm_sequence(t[0], t[1], t[2], t[3], t[4],
                                           {.lengths = s.options.lengths, .reverse = reverse});
        return Tensors{r.y, r.h, r.c};
      });
    };
    const Side clean = compute(0), garbage = compute(NAN);
    EXPECT_EQ(clean.outputs, garbage.outputs);
    EXPECT_EQ(clean.grads, garbage.grads);
  }
}

}  // namespace
}  // namespace heed::test
