// What must hold for every mechanism of attention, whatever its score, window and choice.
#include "tests/layers/attention_mechanisms.h"

namespace heed::test {
namespace {

double largest(const Numbers& v) {
  double most = 0;
  for (const double x : v) most = std::max(most, std::abs(x));
  return most;
}

TEST(EveryAttention, IsThere) {
  // 9 scores (two also composed), each: 5 choices globally, 5 in local_m, soft in local_p.
  EXPECT_EQ(every_mechanism().size(), 9u * 11u);
}

TEST(EveryAttention, StepsMakeTheSequence) {
  for (const Attention& f : every_mechanism()) {
    const Tensor queries = noise({2, 6, 3}, 10);
    const Memory m = f.memory(noise({2, 4, 3}, 11), Mask::lengths({4, 2}), noise({2, 4, 6}, 12));
    const int64_t first = 1;  // a sequence need not begin at step 0
    const Tensors whole = outputs_of(attend(f, queries, m, first));
    ASSERT_EQ(whole[0].shape(), (Shape{2, 6, 6}));
    ASSERT_EQ(whole[1].shape(), (Shape{2, 6, 4}));
    for (int64_t t = 0; t < 6; ++t) {
      const Tensors one = outputs_of(attend(f, select(queries, 1, t), m, first + t));
      ASSERT_EQ(one[0].shape(), (Shape{2, 6}));
      ASSERT_EQ(one[1].shape(), (Shape{2, 4}));
      ASSERT_EQ(one.size(), whole.size());
      for (size_t i = 0; i < one.size(); ++i)
        expect_close(label(f), one[i].to_vector(), select(whole[i], 1, t).to_vector(), 1e-14);
    }
  }
}

TEST(EveryAttention, WeightsSumToOneOverTheKeptPositions) {
  for (const Attention& f : every_mechanism()) {
    const Attended a =
        attend(f, noise({2, 5, 3}, 10), f.memory(noise({2, 4, 3}, 11), Mask::lengths({4, 2})));
    const bool local = f.options.window != Window::global;
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t t = 0; t < 5; ++t) {
        double total = 0;
        bool any = false;
        for (int64_t s = 0; s < 4; ++s) {
          const double w = a.weights.at({b, t, s});
          const bool inside =
              s < (b == 0 ? 4 : 2) &&
              (!local || std::abs(static_cast<double>(s) - a.position.at({b, t})) <= 1);
          any = any || inside;
          EXPECT_TRUE(inside || w == 0) << label(f);
          EXPECT_GE(w, 0) << label(f);
          const bool soft = f.options.hard == Hard::none || f.options.hard == Hard::gumbel;
          EXPECT_TRUE(soft ? w > 0 || !inside : w == 0 || w == 1) << label(f);
          total += w;
        }
        if (f.options.window == Window::local_p) {
          EXPECT_TRUE(total > 0 && total < 1) << label(f);
        } else {
          EXPECT_NEAR(total, any ? 1 : 0, 1e-14) << label(f);
        }
      }
  }
}

// One sentence at place 1 of a batch; what else is in the batch, how far it is padded and what
// stands in the padding changes neither its outputs nor any gradient of a loss on them.
TEST(EveryAttention, PaddingAndBatchMatesChangeNothing) {
  const Tensor keys = noise({3, 3}, 40), values = noise({3, 2}, 41), queries = noise({4, 3}, 42);
  for (Attention& f : every_mechanism()) {
    const auto in = [&](const std::vector<int64_t>& mates, int64_t s, int64_t t, double garbage) {
      Tensors k, v, q;
      std::vector<int64_t> lengths = mates;
      lengths.insert(lengths.begin() + 1, 3);
      for (size_t i = 0; i < lengths.size(); ++i) {
        const uint64_t seed = 50 + 3 * i + static_cast<uint64_t>(s) * 20;
        k.push_back(i == 1 ? keys : noise({lengths[i], 3}, seed));
        v.push_back(i == 1 ? values : noise({lengths[i], 2}, seed + 1));
        q.push_back(i == 1 ? queries : noise({t, 3}, seed + 2));
      }
      const Tensor kk = leaf(pad(k, s, garbage)), vv = leaf(pad(v, s, garbage)),
                   qq = leaf(pad(q, t, garbage));
      Leaves leaves = leaves_of(parameters(f));
      leaves.insert(leaves.end(), {{"k", kk}, {"v", vv}, {"q", qq}});
      Pass p = pass(leaves, [&] {
        Tensors mine;
        for (const Tensor& y :
             outputs_of(attend(f, qq, f.memory(kk, Mask::lengths(lengths), vv)))) {
          const Tensor row = slice(select(y, 0, 1), 0, 0, 4);  // its own 4 steps
          mine.push_back(y.rank() == 3 && y.shape()[2] == s ? slice(row, 1, 0, 3) : row);
        }
        return mine;
      });
      // Of the inputs, the sentence's own part; everybody else's gradient is exactly 0.
      for (size_t i = p.gradients.size() - 3; i < p.gradients.size(); ++i) {
        const auto row = static_cast<int64_t>(p.gradients[i].size() / lengths.size());
        const int64_t mine = leaves[i].second.shape()[2] * (leaves[i].first == "q" ? 4 : 3);
        Numbers own(p.gradients[i].begin() + row, p.gradients[i].begin() + row + mine);
        std::fill_n(p.gradients[i].begin() + row, mine, 0.0);
        EXPECT_EQ(largest(p.gradients[i]), 0) << label(f) << ", " << leaves[i].first;
        p.gradients[i] = own;
      }
      return p;
    };
    const Pass a = in({4, 1}, 4, 4, 0), b = in({0, 2, 3}, 7, 6, 1e30);
    ASSERT_EQ(a.outputs.size(), b.outputs.size());
    for (size_t i = 0; i < a.outputs.size(); ++i)
      expect_close(label(f), b.outputs[i], a.outputs[i], 1e-13);
    for (size_t i = 0; i < a.gradients.size(); ++i)
      expect_close(label(f), b.gradients[i], a.gradients[i], 1e-12);
  }
}

// Not the location score: its weights belong to positions and not to keys. Not the local windows:
// a key that moves may leave the window. Noise belongs to positions too, so choices are by argmax.
TEST(EveryAttention, PermutingTheKeysPermutesTheWeights) {
  const int64_t order[] = {2, 0, 3, 1};
  const Tensor keys = noise({2, 4, 3}, 13), values = noise({2, 4, 2}, 12),
               query = noise({2, 3}, 14);
  Tensors k, v;
  for (const int64_t s : order) k.push_back(select(keys, 1, s)), v.push_back(select(values, 1, s));
  for (const Attention& f : every_mechanism()) {
    const bool holes = f.options.window != Window::local_p;  // it refuses them: see its test
    const Mask mask = holes ? Mask::keep({1, 1, 0, 1}) : Mask{},
               permuted = holes ? Mask::keep({0, 1, 1, 1}) : Mask{};
    const Attended a = f(query, f.memory(keys, mask, values), {.step = 1}),
                   p = f(query, f.memory(stack(k, 1), permuted, stack(v, 1)), {.step = 1});
    double worst = 0;
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t s = 0; s < 4; ++s)
        worst = std::max(worst, std::abs(p.weights.at({b, s}) - a.weights.at({b, order[s]})));
    if (f.options.score == Score::location || f.options.window != Window::global) {
      EXPECT_TRUE(worst > 1e-3 || f.options.hard != Hard::none) << label(f);
      continue;
    }
    EXPECT_LT(worst, 1e-15) << label(f);
    expect_close(label(f), p.context.to_vector(), a.context.to_vector(), 1e-14);
  }
}

TEST(EveryAttention, DifferentQueriesLookElsewhere) {
  for (const Attention& f : every_mechanism()) {
    if (f.options.hard != Hard::none && f.options.hard != Hard::gumbel) continue;
    const Memory m = f.memory(noise({1, 4, 3}, 15));
    const Tensor change =
        attend(f, noise({1, 3}, 16), m, 1).weights - attend(f, noise({1, 3}, 17), m, 1).weights;
    EXPECT_GT(largest(change.to_vector()), 1e-3) << label(f);
  }
}

// ---- masks ----

TEST(EveryAttention, MaskedWeightsAndTheirGradientsAreExactlyZero) {
  const Mask masks[] = {Mask::lengths({4, 2}), Mask::keep({1, 1, 1, 1, 1, 0, 1, 0}, {2, 4})};
  for (const Attention& f : every_mechanism())
    for (size_t which = 0; which < 2; ++which) {
      if (which == 1 && f.options.window == Window::local_p) continue;  // refused: see its test
      const size_t hidden[2][2] = {{2, 3}, {1, 3}};                     // of sentence 1
      const Tensor q = leaf(noise({2, 5, 3}, 21)), k = leaf(noise({2, 4, 3}, 22)),
                   v = leaf(noise({2, 4, 6}, 23));
      Tape tape;
      const Attended a = attend(f, q, f.memory(k, masks[which], v));
      Tensor loss;
      for (const Tensor& y : outputs_of(a)) {
        const Tensor part = sum(y * noise(y.shape(), 24));
        loss = loss.defined() ? loss + part : part;
      }
      tape.backward(loss);
      const Gradients g = tape.gradients();
      for (const size_t s : hidden[which]) {
        for (int64_t t = 0; t < 5; ++t)
          EXPECT_EQ(a.weights.at({1, t, static_cast<int64_t>(s)}), 0) << label(f);
        for (const Tensor& x : {k, v}) {
          const Tensor* dx = g.find(x);
          if (!dx) continue;
          for (int64_t j = 0; j < x.shape()[2]; ++j)
            EXPECT_EQ(dx->at({1, static_cast<int64_t>(s), j}), 0) << label(f);
        }
      }
    }
}

TEST(EveryAttention, AFullyMaskedRowIsZeroAndGetsNoGradient) {
  for (Attention& f : every_mechanism())
    for (const Shape& shape : {Shape{2, 3}, Shape{2, 5, 3}}) {
      const Tensor q = leaf(noise(shape, 21)), k = leaf(noise({2, 4, 3}, 22)),
                   v = leaf(noise({2, 4, 6}, 23));
      const Pass p = pass({{"q", q}, {"k", k}, {"v", v}}, [&] {
        const Attended a = attend(f, q, f.memory(k, Mask::lengths({4, 0}), v));
        Tensors all{a.context, a.weights};
        if (a.entropy.defined()) all.insert(all.end(), {a.log_probability, a.entropy});
        return all;
      });
      std::vector<Numbers> halves = p.outputs;
      halves.insert(halves.end(), p.gradients.begin(), p.gradients.end());
      for (const Numbers& half : halves)
        for (size_t j = half.size() / 2; j < half.size(); ++j)
          ASSERT_EQ(half[j], 0) << label(f) << ", element " << j;
      EXPECT_GT(largest(p.outputs[0]), 0) << label(f);
      EXPECT_GT(largest(p.gradients[2]), 0) << label(f);
      // A gradient reaches the query except where the choice cuts it off.
      EXPECT_EQ(largest(p.gradients[0]) > 0, f.options.hard != Hard::argmax) << label(f);
    }
}

TEST(EveryAttention, NothingKeptAnywhereLeavesEveryParameterWithGradientZero) {
  for (Attention& f : every_mechanism()) {
    const Leaves leaves = leaves_of(parameters(f));
    const Tensor q = noise({2, 3}, 24), k = noise({2, 4, 3}, 25);
    const Pass p = pass(leaves, [&] {
      const Attended a = attend(f, q, f.memory(k, Mask::lengths({0, 0})));
      return a.entropy.defined() ? Tensors{a.context, a.log_probability, a.entropy}
                                 : Tensors{a.context, a.weights};
    });
    for (const Numbers& g : p.gradients) EXPECT_EQ(largest(g), 0) << label(f);
  }
}

TEST(EveryAttention, ACausalMaskGoesWithManyQueries) {
  for (const Attention& f : every_mechanism()) {
    if (f.options.window == Window::local_p) continue;  // refused: see its test
    const Attended a =
        attend(f, noise({2, 4, 3}, 29), f.memory(noise({2, 4, 3}, 30), Mask::causal()));
    for (int64_t t = 0; t < 4; ++t)
      for (int64_t s = t + 1; s < 4; ++s) EXPECT_EQ(a.weights.at({1, t, s}), 0) << label(f);
  }
}

// ---- nothing to do ----

TEST(EveryAttention, NoPositionsGiveAContextOfZeros) {
  for (const Attention& f : every_mechanism()) {
    const Attended a = attend(f, noise({2, 3}, 31), f.memory(Tensor::zeros({2, 0, 3}, f64)));
    EXPECT_EQ(a.weights.shape(), (Shape{2, 0}));
    EXPECT_EQ(a.context.to_vector(), Numbers(6, 0.0)) << label(f);
  }
}

TEST(EveryAttention, AnEmptyBatchAndNoStepsHaveResultsOfSizeZero) {
  for (const Attention& f : every_mechanism()) {
    const Memory none = f.memory(Tensor::zeros({0, 4, 3}, f64));
    EXPECT_EQ(attend(f, Tensor::zeros({0, 3}, f64), none).context.shape(), (Shape{0, 3}));
    EXPECT_EQ(attend(f, Tensor::zeros({0, 5, 3}, f64), none).weights.shape(), (Shape{0, 5, 4}));
    const Memory some = f.memory(noise({2, 4, 3}, 32), Mask::lengths({4, 2}));
    const Tensor q = leaf(Tensor::zeros({2, 0, 3}, f64));
    const Pass p = pass({{"q", q}}, [&] { return outputs_of(attend(f, q, some)); });
    EXPECT_EQ(p.outputs[0].size(), 0u) << label(f);
    EXPECT_EQ(attend(f, q, some).context.shape(), (Shape{2, 0, 3}));
  }
}

TEST(EveryAttention, TheSameNoiseGivesTheSameResult) {
  for (const Attention& f : every_mechanism()) {
    const Memory m = f.memory(noise({2, 4, 3}, 33));
    const Tensor q = noise({2, 5, 3}, 34);
    EXPECT_EQ(attend(f, q, m).weights.to_vector(), attend(f, q, m).weights.to_vector());
  }
}

}  // namespace
}  // namespace heed::test
