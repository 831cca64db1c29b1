// Rnn, Gru and Lstm: the equations against plain loops and against numbers worked out by hand,
// steps against sequences, fused against composed, stacking, dropout and errors. Lengths and
// padding are in recurrent_lengths_test.cpp.
#include "tests/autograd/texts.h"
#include "tests/layers/any_recurrent.h"

namespace heed::test {
namespace {

using Rows = std::vector<Numbers>;

double sigmoid_of(double x) {
  return 1 / (1 + std::exp(-x));
}

// weight [rows, in] times v, rows [begin, end), plus bias.
Numbers product(const Tensor& weight, const Tensor& bias, const Numbers& v, int64_t begin,
                int64_t end) {
  Numbers out;
  for (int64_t r = begin; r < end; ++r) {
    double sum = bias.defined() ? bias.at({r}) : 0;
    for (size_t j = 0; j < v.size(); ++j) sum += weight.at({r, static_cast<int64_t>(j)}) * v[j];
    out.push_back(sum);
  }
  return out;
}

// One step written from the equations at the head of rnn.h, gru.h and lstm.h.
void reference_step(Kind kind, const RecurrentWeights& w, const Numbers& x, Numbers& h,
                    Numbers& c) {
  const auto n = static_cast<int64_t>(h.size());
  const auto in = [&](int64_t gate) {
    return product(w.weight_ih, w.bias_ih, x, gate * n, (gate + 1) * n);
  };
  const auto back = [&](int64_t gate, const Numbers& v) {
    return product(w.weight_hh, w.bias_hh, v, gate * n, (gate + 1) * n);
  };
  const Numbers before = h;
  std::vector<Numbers> a, g;
  for (int64_t gate = 0; gate < w.weight_ih.size(0) / n; ++gate) {
    a.push_back(in(gate));
    g.push_back(back(gate, before));
  }
  if (kind == Kind::rnn) {
    for (size_t j = 0; j < h.size(); ++j) h[j] = std::tanh(a[0][j] + g[0][j]);
  } else if (kind == Kind::lstm) {
    for (size_t j = 0; j < h.size(); ++j) {
      c[j] = sigmoid_of(a[1][j] + g[1][j]) * c[j] +
             sigmoid_of(a[0][j] + g[0][j]) * std::tanh(a[2][j] + g[2][j]);
      h[j] = sigmoid_of(a[3][j] + g[3][j]) * std::tanh(c[j]);
    }
  } else {
    Numbers reset, gated;
    for (size_t j = 0; j < h.size(); ++j) {
      reset.push_back(sigmoid_of(a[0][j] + g[0][j]));
      gated.push_back(reset[j] * before[j]);
    }
    const Numbers early = back(2, gated);
    for (size_t j = 0; j < h.size(); ++j) {
      const double z = sigmoid_of(a[1][j] + g[1][j]);
      const double recurrent = kind == Kind::gru ? reset[j] * g[2][j] : early[j];
      h[j] = (1 - z) * std::tanh(a[2][j] + recurrent) + z * before[j];
    }
  }
}

// x [T][in] through one direction; the outputs of all steps in the order of x.
Rows reference_walk(Kind kind, const RecurrentWeights& w, const Rows& x, bool reverse) {
  const auto n = static_cast<size_t>(w.weight_hh.size(1));
  Rows y(x.size());
  Numbers h(n), c(n);
  for (size_t s = 0; s < x.size(); ++s) {
    const size_t t = reverse ? x.size() - 1 - s : s;
    reference_step(kind, w, x[t], h, c);
    y[t] = h;
  }
  return y;
}

class Recurrent : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(All, Recurrent, ::testing::ValuesIn(kKinds),
                         [](const auto& p) { return name_of(p.param); });

TEST_P(Recurrent, ComputesItsEquations) {
  for (const bool bias : {true, false}) {
    const AnyRecurrent f = make(
        GetParam(), {.input = 3, .hidden = 4, .layers = 2, .bidirectional = true, .bias = bias});
    const Tensor x = noise({1, 5, 3}, 20);
    Rows layer(5);
    for (int64_t t = 0; t < 5; ++t) layer[static_cast<size_t>(t)] = select(x, 1, t).to_vector();
    for (size_t l = 0; l < 2; ++l) {
      const Rows forward = reference_walk(GetParam(), f.stack->weights[2 * l], layer, false);
      const Rows backward = reference_walk(GetParam(), f.stack->weights[2 * l + 1], layer, true);
      for (size_t t = 0; t < 5; ++t) {
        layer[t] = forward[t];
        layer[t].insert(layer[t].end(), backward[t].begin(), backward[t].end());
      }
    }
    const Tensor y = f.run(x, {}, {}, nullptr).y;
    for (int64_t t = 0; t < 5; ++t)
      expect_close("step " + std::to_string(t), select(y, 1, t).to_vector(),
                   layer[static_cast<size_t>(t)], 1e-14);
  }
}

TEST_P(Recurrent, FusedEqualsComposed) {
  for (const bool bias : {true, false}) {
    RecurrentOptions o{.input = 5, .hidden = 9, .layers = 3, .bidirectional = true, .bias = bias};
    const AnyRecurrent fused = make(GetParam(), o);
    o.fused = false;
    const AnyRecurrent composed = make(GetParam(), o);
    const Tensor x = leaf(noise({4, 6, 5}, 21));
    Tensors states;
    for (size_t i = 0; i < fused.state_count(); ++i) states.push_back(leaf(noise({4, 9}, 30 + i)));
    const auto side = [&](const AnyRecurrent& f) {
      Leaves leaves = leaves_of(f.parameters);
      leaves.emplace_back("x", x);
      for (const Tensor& s : states) leaves.emplace_back("state", s);
      return pass(leaves, [&] { return f.all(x, Mask::lengths({6, 0, 1, 4}), states); });
    };
    Leaves leaves = leaves_of(fused.parameters);
    leaves.emplace_back("x", x);
    for (const Tensor& s : states) leaves.emplace_back("state", s);
    expect_same(name_of(GetParam()), leaves, side(fused), side(composed), 1e-12);
  }
}

TEST_P(Recurrent, StepsMakeTheSequence) {
  for (const bool fused : {true, false}) {
    const AnyRecurrent f = make(GetParam(), {.input = 3, .hidden = 4, .layers = 2, .fused = fused});
    const Tensor x = noise({2, 5, 3}, 22);
    const Ran whole = f.run(x, {}, {}, nullptr);
    Tensors states;
    for (int64_t t = 0; t < 5; ++t) {
      states = f.step(select(x, 1, t), states);
      // The output of the stack is the h of its last layer.
      expect_close("step", states[1].to_vector(), select(whole.y, 1, t).to_vector(), 1e-14);
    }
    for (size_t i = 0; i < states.size(); ++i)
      expect_close("state", states[i].to_vector(), whole.states[i].to_vector(), 1e-14);
  }
}

TEST_P(Recurrent, AResidualStackAddsToEveryLayerButTheFirstWhatItReads) {
  for (const bool fused : {true, false}) {
    const RecurrentOptions o{.input = 3,
                             .hidden = 4,
                             .layers = 3,
                             .bidirectional = true,
                             .fused = fused,
                             .residual = true};
    const AnyRecurrent f = make(GetParam(), o);
    const Tensor x = noise({2, 5, 3}, 29);
    Tensor y = x;
    for (size_t layer = 0; layer < 3; ++layer) {
      const AnyRecurrent one =
          make(GetParam(),
               {.input = layer == 0 ? 3 : 8, .hidden = 4, .bidirectional = true, .fused = fused});
      one.stack->weights = {f.stack->weights[2 * layer], f.stack->weights[2 * layer + 1]};
      const Tensor out = one.run(y, {}, {}, nullptr).y;
      y = layer == 0 ? out : out + y;
    }
    expect_close("y", f.run(x, {}, {}, nullptr).y.to_vector(), y.to_vector(), 1e-14);
  }
}

TEST_P(Recurrent, TwoHalvesMakeTheSequence) {
  const AnyRecurrent f = make(GetParam(), {.input = 3, .hidden = 4, .layers = 2});
  const Tensor x = noise({2, 6, 3}, 23);
  const Tensors whole = f.all(x);
  const Ran first = f.run(slice(x, 1, 0, 2), {}, {}, nullptr);
  const Ran rest = f.run(slice(x, 1, 2, 6), {}, first.states, nullptr);
  expect_close("y", concat({first.y, rest.y}, 1).to_vector(), whole[0].to_vector(), 1e-14);
  for (size_t i = 0; i < rest.states.size(); ++i)
    expect_close("state", rest.states[i].to_vector(), whole[i + 1].to_vector(), 1e-14);
}

TEST_P(Recurrent, InitialStatesHaveGradients) {
  for (const bool fused : {true, false}) {
    const AnyRecurrent f = make(
        GetParam(), {.input = 2, .hidden = 3, .layers = 2, .bidirectional = true, .fused = fused});
    const Tensor x = leaf(noise({3, 4, 2}, 24));
    Leaves leaves{{"x", x}};
    Tensors states;
    for (size_t i = 0; i < f.state_count(); ++i) {
      states.push_back(leaf(noise({3, 3}, 40 + i)));
      leaves.emplace_back("state " + std::to_string(i), states.back());
    }
    expect_gradients(
        name_of(GetParam()),
        [&] {
          return f.all(x, Mask::lengths({4, 0, 2}), states);
        },
        leaves);
  }
}

TEST_P(Recurrent, NoStepsGiveNoOutputAndTheInitialStates) {
  for (const bool fused : {true, false}) {
    const AnyRecurrent f = make(
        GetParam(), {.input = 2, .hidden = 3, .layers = 2, .bidirectional = true, .fused = fused});
    Tensors states;
    Leaves leaves;
    for (size_t i = 0; i < f.state_count(); ++i) {
      states.push_back(leaf(noise({2, 3}, 40 + i)));
      leaves.emplace_back("state", states.back());
    }
    const Tensor x = Tensor::zeros({2, 0, 2}, f64);
    const Ran r = f.run(x, {}, states, nullptr);
    EXPECT_EQ(r.y.shape(), (Shape{2, 0, 6}));
    for (size_t i = 0; i < states.size(); ++i)
      EXPECT_EQ(r.states[i].to_vector(), states[i].to_vector());
    const Pass p = pass(leaves, [&] { return f.run(x, {}, states, nullptr).states; });
    for (size_t i = 0; i < states.size(); ++i)
      EXPECT_EQ(p.gradients[i], noise({2, 3}, 1 + i).to_vector());  // the cotangent itself
  }
}

TEST_P(Recurrent, NoInitialStateMeansZeros) {
  const AnyRecurrent f = make(GetParam(), {.input = 2, .hidden = 3, .bidirectional = true});
  const Tensor x = noise({2, 4, 2}, 26);
  const Tensors zeros(f.state_count(), Tensor::zeros({2, 3}, f64));
  EXPECT_EQ(f.run(x, {}, {}, nullptr).y.to_vector(), f.run(x, {}, zeros, nullptr).y.to_vector());
}

// ---- dropout ----

TEST_P(Recurrent, DropoutHappensOnlyWithAGenerator) {
  const RecurrentOptions with{.input = 3, .hidden = 8, .layers = 2, .dropout = 0.5};
  const AnyRecurrent f = make(GetParam(), with),
                     plain = make(GetParam(), {.input = 3, .hidden = 8, .layers = 2});
  const Tensor x = noise({2, 4, 3}, 27);
  EXPECT_EQ(f.all(x)[0].to_vector(), plain.all(x)[0].to_vector());
  Rng a(1), b(1), c(2);
  const Numbers once = f.all(x, {}, {}, &a)[0].to_vector();
  EXPECT_NE(once, f.all(x)[0].to_vector());
  EXPECT_EQ(once, f.all(x, {}, {}, &b)[0].to_vector());
  EXPECT_NE(once, f.all(x, {}, {}, &c)[0].to_vector());
}

TEST_P(Recurrent, DropoutIsBetweenLayersOnly) {
  const Tensor x = noise({2, 4, 3}, 28);
  {
    const AnyRecurrent one = make(GetParam(), {.input = 3, .hidden = 8, .dropout = 0.5});
    Rng rng(1);
    EXPECT_EQ(one.all(x, {}, {}, &rng)[0].to_vector(), one.all(x)[0].to_vector());
    EXPECT_EQ(rng.next_u32(), Rng(1).next_u32()) << "a single layer draws nothing";
  }
  // Two layers: the first layer's state is untouched, nothing in y is zero, and the second layer
  // sees the first one's output with elements missing, both directions alike.
  const RecurrentOptions o{
      .input = 3, .hidden = 8, .layers = 2, .bidirectional = true, .dropout = 0.5};
  const AnyRecurrent f = make(GetParam(), o);
  Rng rng(1), same(1);
  const Ran with = f.run(x, {}, {}, &rng), without = f.run(x, {}, {}, nullptr);
  EXPECT_EQ(with.states[0].to_vector(), without.states[0].to_vector());
  EXPECT_EQ(with.states[1].to_vector(), without.states[1].to_vector());
  for (const double v : with.y.to_vector()) EXPECT_NE(v, 0);

  AnyRecurrent first = make(GetParam(), {.input = 3, .hidden = 8, .bidirectional = true}),
               second = make(GetParam(), {.input = 16, .hidden = 8, .bidirectional = true});
  first.stack->weights = {f.stack->weights[0], f.stack->weights[1]};
  second.stack->weights = {f.stack->weights[2], f.stack->weights[3]};
  const Tensor between = dropout(first.run(x, {}, {}, nullptr).y, 0.5, same.next_key());
  EXPECT_EQ(second.run(between, {}, {}, nullptr).y.to_vector(), with.y.to_vector());
  EXPECT_EQ(rng.next_u32(), same.next_u32()) << "one key for every gap between layers";
}

// ---- numbers by hand: sigmoid(ln 3) = 3/4, tanh(ln 2) = 3/5, tanh(ln 3) = 4/5 ----

const double kLn2 = std::log(2.0), kLn3 = std::log(3.0);

RecurrentWeights one_unit(std::initializer_list<double> ih, std::initializer_list<double> hh,
                          std::initializer_list<double> b_ih, std::initializer_list<double> b_hh) {
  const auto n = static_cast<int64_t>(ih.size());
  return {leaf(reshape(Tensor::of(ih, f64), {n, 1})), leaf(reshape(Tensor::of(hh, f64), {n, 1})),
          leaf(Tensor::of(b_ih, f64)), leaf(Tensor::of(b_hh, f64))};
}
Tensor cube(std::initializer_list<double> x) {
  return reshape(Tensor::of(x, f64), {1, -1, 1});
}
Tensor square_one(double x) {
  return Tensor::full({1, 1}, x, f64);
}

TEST(RecurrentByHand, Rnn) {
  for (const bool fused : {true, false}) {
    const AnyRecurrent f = make(Kind::rnn, {.input = 1, .hidden = 1, .fused = fused});
    // ln 2 - ln 3 + ln 3;  then ln 2 + 5/3 ln(3/2) * 3/5 = ln 3
    f.stack->weights[0] = one_unit({kLn2}, {5.0 / 3 * std::log(1.5)}, {-kLn3}, {kLn3});
    const Ran r = f.run(cube({1, 1}), {}, {}, nullptr);
    expect_close("y", r.y.to_vector(), {3.0 / 5, 4.0 / 5}, 1e-15);
    expect_close("h", r.states[0].to_vector(), {4.0 / 5}, 1e-15);
  }
}

TEST(RecurrentByHand, Lstm) {
  for (const bool fused : {true, false}) {
    const AnyRecurrent f = make(Kind::lstm, {.input = 1, .hidden = 1, .fused = fused});
    // x = 1, h = 2, c = 2/5: i = sigmoid(ln 3) = 3/4, f = sigmoid(0) = 1/2, g = tanh(ln 2) = 3/5,
    // o = sigmoid(-ln 3) = 1/4; c' = 1/2 * 2/5 + 3/4 * 3/5 = 13/20, h' = 1/4 tanh(13/20)
    f.stack->weights[0] =
        one_unit({kLn3, 1, 0, 0}, {0, -0.5, 0.5 * kLn2, 0}, {0, 0, 0, kLn3}, {0, 0, 0, -2 * kLn3});
    const Ran r = f.run(cube({1}), {}, {square_one(2), square_one(0.4)}, nullptr);
    expect_close("h", r.y.to_vector(), {0.25 * std::tanh(0.65)}, 1e-15);
    expect_close("c", r.states[1].to_vector(), {0.65}, 1e-15);
  }
}

TEST(RecurrentByHand, GruWithTheResetAfterOrBeforeTheProduct) {
  // x = 1, h = 2: r = sigmoid(ln 3) = 3/4, z = sigmoid(-ln 3) = 1/4.
  // After: tanh(3/4 (2 * ln2/3 + 2/3 ln2)) = tanh(ln 2) = 3/5, h' = 3/4 * 3/5 + 1/4 * 2 = 19/20.
  // Before: tanh(ln2/3 * 3/4 * 2 + 2/3 ln2) = tanh(7/6 ln 2).
  const double q = std::pow(2.0, 7.0 / 3), candidate = (q - 1) / (q + 1);
  for (const bool fused : {true, false})
    for (const Kind kind : {Kind::gru, Kind::gru_before}) {
      const AnyRecurrent f = make(kind, {.input = 1, .hidden = 1, .fused = fused});
      f.stack->weights[0] =
          one_unit({kLn3, 0, 0}, {0, -0.5 * kLn3, kLn2 / 3}, {0, 0, 0}, {0, 0, 2 * kLn2 / 3});
      const Ran r = f.run(cube({1}), {}, {square_one(2)}, nullptr);
      const double expected = kind == Kind::gru ? 0.95 : 0.75 * candidate + 0.5;
      expect_close(name_of(kind), r.y.to_vector(), {expected}, 1e-15);
    }
}

// ---- errors ----

TEST_P(Recurrent, SaysWhatDoesNotFit) {
  const AnyRecurrent f = make(GetParam(), {.input = 3, .hidden = 4, .layers = 2});
  const AnyRecurrent both = make(GetParam(), {.input = 3, .hidden = 4, .bidirectional = true});
  const std::string name = GetParam() == Kind::gru_before ? "Gru" : name_of(GetParam());
  const auto text = [&](const Tensor& x, const Mask& m = {}, const Tensors& s = {}) {
    return argument_error([&] { f.run(x, m, s, nullptr); });
  };
  const Tensor x = noise({2, 5, 3}, 1);
  EXPECT_EQ(text(noise({2, 5, 4}, 1)), name + ": expected x [B, T, 3], got [2, 5, 4]");
  EXPECT_EQ(text(noise({2, 3}, 1)), name + ": expected x [B, T, 3], got [2, 3]");
  EXPECT_NE(text({}).find(name + ": "), std::string::npos);
  EXPECT_EQ(text(x, Mask::lengths({5})),
            name + ": expected 2 lengths, one per sentence of the batch, got 1");
  EXPECT_EQ(text(x, Mask::lengths({5, 6})),
            name + ": expected lengths <= 5 (the padded length), got 6");
  EXPECT_NE(text(x, Mask::keep({1, 1, 0, 1, 1})).find("Mask::lengths"), std::string::npos);
  const size_t half = GetParam() == Kind::lstm ? 2 : 1;
  EXPECT_EQ(text(x, {}, Tensors(half, Tensor::zeros({2, 4}, f64))),
            name + ": expected 2 states (layers x directions), got 1");
  EXPECT_EQ(text(x, {}, Tensors(2 * half, Tensor::zeros({1, 4}, f64))),
            name + ": expected a state of shape [2, 4], got [1, 4]");
  EXPECT_EQ(argument_error([&] { f.step(x, {}); }),
            name + "::step: expected x [B, 3], got tensor f64 [2, 5, 3]");
  EXPECT_EQ(argument_error([&] {
              both.step(noise({2, 3}, 1), {});
            }),
            name + "::step: a bidirectional layer needs whole sequences");
  const AnyRecurrent residual =
      make(GetParam(), {.input = 3, .hidden = 4, .layers = 2, .residual = true});
  EXPECT_EQ(
      argument_error([&] {
        residual.step(noise({2, 3}, 1), {});
      }),
      name + "::step: the output of a residual stack is not its state; give it whole sequences");
  EXPECT_EQ(argument_error([] { make(Kind::rnn, {.input = 3, .hidden = 0}); }),
            "recurrent layer: expected input, hidden and layers >= 1, got 3, 0, 1");
  EXPECT_EQ(argument_error([] { make(Kind::rnn, {.input = 3, .hidden = 1, .dropout = 1}); }),
            "recurrent layer: expected dropout in [0, 1), got 1");
}

}  // namespace
}  // namespace heed::test
