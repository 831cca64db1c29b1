// Sentences of unequal length in one batch: each is treated as if it were alone, in any order,
// whatever stands in the padding.
#include "tests/layers/any_recurrent.h"

namespace heed::test {
namespace {

constexpr int64_t kIn = 3, kHidden = 4, kSteps = 7;
const RecurrentOptions kBoth{.input = kIn, .hidden = kHidden, .layers = 2, .bidirectional = true};

struct Batch {
  std::vector<int64_t> lengths;
  Tensors sentences, dy;    // [len, in], [len, 2 H]
  std::vector<Tensors> ds;  // per sentence, per state: [1, H]
};

Batch batch_of(const std::vector<int64_t>& lengths, size_t states) {
  Batch b{lengths, {}, {}, {}};
  for (size_t i = 0; i < lengths.size(); ++i) {
    b.sentences.push_back(noise({lengths[i], kIn}, 100 + i));
    b.dy.push_back(noise({lengths[i], 2 * kHidden}, 200 + i));
    b.ds.emplace_back();
    for (size_t k = 0; k < states; ++k) b.ds[i].push_back(noise({1, kHidden}, 300 + 20 * i + k));
  }
  return b;
}

// The whole batch, with garbage in the padding of x and of the cotangent of y.
Pass together(const AnyRecurrent& f, const Batch& b, double garbage) {
  const Tensor x = leaf(pad(b.sentences, kSteps, garbage));
  Tensors c{pad(b.dy, kSteps, garbage)};
  for (size_t k = 0; k < b.ds[0].size(); ++k) {
    Tensors column;
    for (const Tensors& d : b.ds) column.push_back(d[k]);
    c.push_back(concat(column, 0));
  }
  Leaves leaves = leaves_of(f.parameters);
  leaves.emplace_back("x", x);
  return pass(
      leaves, [&] { return f.all(x, Mask::lengths(b.lengths)); }, c);
}

Pass alone(const AnyRecurrent& f, const Batch& b, size_t i) {
  const Tensor x = leaf(pad({b.sentences[i]}, b.lengths[i], 0));
  Tensors c{pad({b.dy[i]}, b.lengths[i], 0)};
  c.insert(c.end(), b.ds[i].begin(), b.ds[i].end());
  Leaves leaves = leaves_of(f.parameters);
  leaves.emplace_back("x", x);
  return pass(
      leaves, [&] { return f.all(x); }, c);
}

// Row i of numbers [rows, ...]: its first `wanted`, and the rest.
std::pair<Numbers, Numbers> row_of(const Numbers& all, size_t rows, size_t i, size_t wanted) {
  const auto begin = all.begin() + static_cast<int64_t>(i * (all.size() / rows));
  const auto middle = begin + static_cast<int64_t>(wanted);
  return {{begin, middle}, {middle, begin + static_cast<int64_t>(all.size() / rows)}};
}

class RecurrentLengths : public ::testing::TestWithParam<std::tuple<Kind, bool>> {
 protected:
  AnyRecurrent layer(RecurrentOptions o = kBoth) const {
    o.fused = std::get<1>(GetParam());
    return make(std::get<0>(GetParam()), o);
  }
};
INSTANTIATE_TEST_SUITE_P(All, RecurrentLengths,
                         ::testing::Combine(::testing::ValuesIn(kKinds), ::testing::Bool()),
                         [](const auto& p) {
                           return name_of(std::get<0>(p.param)) +
                                  (std::get<1>(p.param) ? "Fused" : "Composed");
                         });

TEST_P(RecurrentLengths, ASentenceIsTheSameAloneAndInABatch) {
  const AnyRecurrent f = layer();
  for (const std::vector<int64_t>& lengths :
       {std::vector<int64_t>{3, 7, 0, 1, 5}, {0, 0, 2}, {1, 7}, {0}}) {
    const Batch b = batch_of(lengths, f.state_count());
    const Pass all = together(f, b, 0);
    std::vector<Numbers> summed;
    for (size_t i = 0; i < lengths.size(); ++i) {
      const Pass one = alone(f, b, i);
      for (size_t k = 0; k < one.outputs.size(); ++k) {
        const auto [mine, rest] = row_of(all.outputs[k], lengths.size(), i, one.outputs[k].size());
        expect_close("output", mine, one.outputs[k], 1e-12);
        for (const double v : rest) ASSERT_EQ(v, 0) << "y after the end of sentence " << i;
      }
      const auto [dx, rest] =
          row_of(all.gradients.back(), lengths.size(), i, one.gradients.back().size());
      expect_close("gradient of x", dx, one.gradients.back(), 1e-10);
      for (const double v : rest) ASSERT_EQ(v, 0) << "gradient of padding, sentence " << i;
      add_gradients(summed, {one.gradients.begin(), one.gradients.end() - 1});
    }
    for (size_t p = 0; p < summed.size(); ++p)
      expect_close("gradient of " + f.parameters[p].name, all.gradients[p], summed[p], 1e-10);
  }
}

TEST_P(RecurrentLengths, PermutingTheBatchPermutesTheResult) {
  const AnyRecurrent f = layer();
  const std::vector<int64_t> lengths{3, 7, 0, 1, 5}, order{4, 2, 0, 3, 1};
  const Batch b = batch_of(lengths, f.state_count());
  Batch shuffled;
  for (const int64_t o : order) {
    const auto i = static_cast<size_t>(o);
    shuffled.lengths.push_back(b.lengths[i]);
    shuffled.sentences.push_back(b.sentences[i]);
    shuffled.dy.push_back(b.dy[i]);
    shuffled.ds.push_back(b.ds[i]);
  }
  const Pass a = together(f, b, 0), p = together(f, shuffled, 0);
  for (size_t k = 0; k < a.outputs.size(); ++k)
    for (size_t i = 0; i < order.size(); ++i)
      expect_close("output", row_of(p.outputs[k], 5, i, 0).second,
                   row_of(a.outputs[k], 5, static_cast<size_t>(order[i]), 0).second, 1e-13);
  for (size_t k = 0; k < f.parameters.size(); ++k)
    expect_close("gradient", p.gradients[k], a.gradients[k], 1e-12);
}

TEST_P(RecurrentLengths, WhatStandsInThePaddingDoesNotMatter) {
  const AnyRecurrent f = layer();
  const Batch b = batch_of({3, 7, 0, 1, 5}, f.state_count());
  const Pass clean = together(f, b, 0);
  for (const double garbage : {1e30, -1e30}) {
    const Pass dirty = together(f, b, garbage);
    EXPECT_EQ(dirty.outputs, clean.outputs);
    EXPECT_EQ(dirty.gradients, clean.gradients);
  }
}

TEST_P(RecurrentLengths, StatesAreThoseAtEachSentencesOwnEnds) {
  const AnyRecurrent f = layer({.input = kIn, .hidden = kHidden, .bidirectional = true});
  const std::vector<int64_t> lengths{3, 7, 1, 5};
  const Batch b = batch_of(lengths, f.state_count());
  const Ran r = f.run(pad(b.sentences, kSteps, 0), Mask::lengths(lengths), {}, nullptr);
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t last = lengths[static_cast<size_t>(i)] - 1;
    for (int64_t j = 0; j < kHidden; ++j) {
      EXPECT_EQ(r.states[0].at({i, j}), r.y.at({i, last, j}));
      EXPECT_EQ(r.states[1].at({i, j}), r.y.at({i, 0, kHidden + j}));
    }
  }
}

TEST_P(RecurrentLengths, ASentenceOfLengthZeroKeepsItsInitialStates) {
  const AnyRecurrent f = layer();
  Tensors states;
  for (size_t i = 0; i < f.state_count(); ++i) states.push_back(noise({2, kHidden}, 60 + i));
  const Ran r = f.run(noise({2, 3, kIn}, 70), Mask::lengths({0, 3}), states, nullptr);
  for (size_t i = 0; i < states.size(); ++i)
    for (int64_t j = 0; j < kHidden; ++j) {
      EXPECT_EQ(r.states[i].at({0, j}), states[i].at({0, j}));
      EXPECT_NE(r.states[i].at({1, j}), states[i].at({1, j}));
    }
}

// With every weight and bias of one direction at zero that direction's outputs and states are zero
// (all four recurrences map zeros to zero), and the other direction's are not.
TEST_P(RecurrentLengths, EachDirectionHasItsHalfAndItsSlot) {
  for (const size_t silent : {0u, 1u}) {
    const AnyRecurrent f = layer({.input = kIn, .hidden = kHidden, .bidirectional = true});
    RecurrentWeights& w = f.stack->weights[silent];
    w = {leaf(Tensor::zeros(w.weight_ih.shape(), f64)),
         leaf(Tensor::zeros(w.weight_hh.shape(), f64)), leaf(Tensor::zeros(w.bias_ih.shape(), f64)),
         leaf(Tensor::zeros(w.bias_hh.shape(), f64))};
    const Ran r = f.run(noise({2, 3, kIn}, 71), Mask::lengths({3, 2}), {}, nullptr);
    for (size_t half = 0; half < 2; ++half) {
      const auto at = static_cast<int64_t>(half) * kHidden;
      const Tensor y = slice(r.y, 2, at, at + kHidden);
      for (const double v : slice(y, 1, 0, 2).to_vector()) EXPECT_EQ(v == 0, half == silent);
    }
    for (size_t i = 0; i < r.states.size(); ++i)
      for (const double v : r.states[i].to_vector()) EXPECT_EQ(v == 0, i % 2 == silent);
  }
}

}  // namespace
}  // namespace heed::test
