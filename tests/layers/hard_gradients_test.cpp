// The gradients of hard attention: which are exact, unbiased or biased. The example has three
// positions with scores H q, values H and a classifier U whose target is class 1; its numbers were
// worked out outside of this program, to 60 digits.
#include "layers/hard_attention.h"

#include "tests/layers/attention_mechanisms.h"

namespace heed::test {
namespace {

const Numbers kExact{0.157353589309, -0.145671448943, -0.011682140367};  // dE[L]/de

struct Example {
  Tensor q = leaf(Tensor::of({{1, 0.5}}, f64));
  Tensor h = leaf(Tensor::of({{1, 0}, {0, 1}, {-1, 1}}, f64));
  Tensor u = leaf(Tensor::of({{1, 0}, {0, 1}, {-1, 0.5}}, f64));
  Leaves leaves() const { return {{"q", q}, {"h", h}, {"u", u}}; }
  Tensor scores() const { return matmul_nt(q, h); }  // [1, 3]
  // The loss of contexts [R, 2], each: -ln p[1].
  Tensor losses(const Tensor& c) const { return neg(select(log_softmax(matmul_nt(c, u)), 1, 1)); }
};

// `rows` copies of the scores as a leaf: its gradient holds an estimate per row.
Tensor copies_of(const Tensor& e, int64_t rows) {
  return leaf(concat(Tensors(static_cast<size_t>(rows), detach(e)), 0));
}

struct Moments {
  Numbers mean, error;  // of the mean
  double variance = 0;  // of one row, summed over its elements
};
Moments moments_of(const Tensor& x) {
  const Numbers v = x.to_vector();
  const auto rows = static_cast<double>(x.shape()[0]);
  const auto n = static_cast<size_t>(x.shape()[1]);
  Moments m{Numbers(n), Numbers(n)};
  for (size_t i = 0; i < v.size(); ++i) m.mean[i % n] += v[i] / rows;
  for (size_t i = 0; i < v.size(); ++i) {
    const double d = v[i] - m.mean[i % n];
    m.error[i % n] += d * d / (rows * rows);
    m.variance += d * d / rows;
  }
  for (double& e : m.error) e = std::sqrt(e);
  return m;
}
void expect_within(const Moments& m, const Numbers& expected, double errors) {
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(m.mean[i], expected[i], errors * m.error[i]) << i;
}

// Estimates of dE[L]/de by REINFORCE, one per row.
Tensor reinforce_estimates(const Example& x, int64_t rows, double baseline) {
  const Tensor e = copies_of(x.scores(), rows);
  Tape tape;
  const Tensor j = drawn_positions(softmax(e), 12345);
  const Tensor losses = x.losses(matmul(one_hot(j, 3, f64), detach(x.h)));
  const Tensor terms = reinforce_terms(losses, log_probability(e, {}, j), entropy(e, {}), baseline);
  tape.backward(sum(losses + terms));
  return tape.grad(e);
}

TEST(Reinforce, EnumeratedOverAllPositionsItIsTheExactGradient) {
  const Example x;
  EXPECT_NEAR(sum(softmax(x.scores()) * reshape(x.losses(x.h), {1, 3})).item(), 1.119702267221,
              1e-12);
  for (const double baseline : {0.0, 1.119702267221, -3.0}) {
    Tape tape;
    const Tensor e = tape.keep_grad(x.scores());
    const Tensor probability = detach(softmax(e));
    Tensor expected;  // over J of what a training loop would differentiate
    for (int64_t j = 0; j < 3; ++j) {
      const Tensor chosen = Tensor::ids(std::vector{j}, {1});
      const Tensor losses = x.losses(matmul(one_hot(chosen, 3, f64), x.h));
      const Tensor one = losses + reinforce_terms(losses, log_probability(e, {}, chosen),
                                                  entropy(e, {}), baseline);
      const Tensor part = select(probability, 1, j) * one;
      expected = expected.defined() ? expected + part : part;
    }
    tape.backward(sum(expected));
    expect_close("dE[L]/de", tape.grad(e).to_vector(), kExact, 1e-12);

    Tape exact;
    const Tensor a = softmax(x.scores());
    exact.backward(sum(a * reshape(x.losses(x.h), {1, 3})));
    for (const auto& [name, leaf] : x.leaves())
      expect_close(name, tape.grad(leaf).to_vector(), exact.grad(leaf).to_vector(), 1e-12);
  }
}

// The same for every score and window that has a distribution, with a mask.
TEST(Reinforce, EnumeratedItIsExactForEveryMechanism) {
  const Tensor q = leaf(noise({2, 3}, 1)), k = leaf(noise({2, 4, 3}, 2)), v = noise({2, 4, 2}, 3);
  const Tensor of_choice = noise({2, 4}, 4);  // the loss of each position
  for (Attention& f : every_mechanism()) {
    if (f.options.hard != Hard::reinforce) continue;
    Leaves leaves = leaves_of(parameters(f));
    leaves.insert(leaves.end(), {{"q", q}, {"k", k}});
    const auto in = [&](const Memory& m, const Tensor& e) {
      if (f.options.window == Window::global) return m.mask;
      return in_window(m.mask, e.shape(), monotone_positions(e.shape(), 1, f64), 1);
    };
    const Tensors one{Tensor::full({2}, 1, f64)};
    const Pass enumerated = pass(
        leaves,
        [&] {
          const Memory m = f.memory(k, Mask::lengths({4, 2}), v);
          const Tensor e = f.scores(q, m), a = detach(softmax(e, in(m, e)));
          Tensor total = Tensor::zeros({2}, f64);
          for (int64_t j = 0; j < 4; ++j) {
            const Tensor chosen = Tensor::ids(std::vector{j, j}, {2});
            total = total + select(a, 1, j) * reinforce_terms(select(of_choice, 1, j),
                                                              log_probability(e, in(m, e), chosen),
                                                              entropy(e, in(m, e)), 0.3);
          }
          return Tensors{total};
        },
        one);
    const Pass exact = pass(
        leaves,
        [&] {
          const Memory m = f.memory(k, Mask::lengths({4, 2}), v);
          const Tensor e = f.scores(q, m);
          return Tensors{sum(softmax(e, in(m, e)) * of_choice, {1})};
        },
        one);
    for (size_t i = 0; i < leaves.size(); ++i)
      expect_close(label(f) + " " + leaves[i].first, enumerated.gradients[i], exact.gradients[i],
                   1e-12);
  }
}

TEST(Reinforce, TheMeanOfDrawsApproachesTheExactGradientAndABaselineCalmsIt) {
  const Example x;
  const Moments plain = moments_of(reinforce_estimates(x, 20000, 0)),
                calm = moments_of(reinforce_estimates(x, 20000, 1.119702267221));
  expect_within(plain, kExact, 4);
  expect_within(calm, kExact, 4);
  EXPECT_NEAR(plain.variance, 0.579131, 0.02);
  EXPECT_NEAR(calm.variance, 0.018851, 0.001);
}

TEST(StraightThrough, IsHardForwardAndSoftBackward) {
  const Example x;
  Tape tape;
  const Tensor e = tape.keep_grad(x.scores());
  const Tensor a = softmax(e);
  const Tensor w = straight_through(a, one_hot(best_positions(a), 3, f64));
  EXPECT_EQ(w.to_vector(), (Numbers{1, 0, 0}));
  const Tensor loss = sum(x.losses(matmul(w, x.h)));
  EXPECT_NEAR(loss.item(), 1.407605964444, 1e-12);
  tape.backward(loss);
  expect_close("de", tape.grad(e).to_vector(), {0.356920516762, -0.209647613339, -0.147272903422},
               1e-12);
}

TEST(StraightThrough, IsBiased) {
  const Example x;
  const Tensor e = copies_of(x.scores(), 20000);
  Tape tape;
  const Tensor a = softmax(e);
  const Tensor w = straight_through(a, one_hot(drawn_positions(a, 12345), 3, f64));
  tape.backward(sum(x.losses(matmul(w, detach(x.h)))));
  const Moments m = moments_of(tape.grad(e));
  EXPECT_GT(std::abs(m.mean[0] - kExact[0]), 20 * m.error[0]);
}

Moments gumbel_estimates(const Example& x, double temperature, int64_t rows) {
  const Tensor e = copies_of(x.scores(), rows);
  Tape tape;
  const Tensor w = gumbel_softmax(e, {}, temperature, 12345);
  tape.backward(sum(x.losses(matmul(w, detach(x.h)))));
  return moments_of(tape.grad(e));
}

TEST(Gumbel, IsBiasedLessSoAtALowTemperature) {
  const Example x;
  const Moments warm = gumbel_estimates(x, 1, 20000), cool = gumbel_estimates(x, 0.1, 20000);
  const double of_warm = std::abs(warm.mean[0] - kExact[0]),
               of_cool = std::abs(cool.mean[0] - kExact[0]);
  EXPECT_GT(of_warm, 20 * warm.error[0]);
  EXPECT_LT(of_cool, of_warm / 2);
  EXPECT_GT(cool.variance, 2 * warm.variance);
}

}  // namespace
}  // namespace heed::test
