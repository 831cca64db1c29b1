// First values: their statistics, their bounds, and that a seed decides them.
#include "layers/init.h"

#include "tests/autograd/texts.h"
#include "tests/layers/layer_checks.h"

namespace heed::test {
namespace {

struct Moments {
  double mean, variance, least, most;
};
Moments moments(const Tensor& x) {
  const Numbers v = x.to_vector();
  const auto n = static_cast<double>(v.size());
  Moments m{0, 0, v[0], v[0]};
  for (const double e : v) {
    m.mean += e / n;
    m.least = std::min(m.least, e);
    m.most = std::max(m.most, e);
  }
  for (const double e : v) m.variance += (e - m.mean) * (e - m.mean) / n;
  return m;
}

// Uniform in [-bound, bound): mean 0, variance bound^2 / 3, and values near both ends. For 40000
// numbers the standard error of the mean is bound / 346 and of the variance 0.45 %.
void expect_uniform(const Tensor& x, double bound) {
  const Moments m = moments(x);
  EXPECT_NEAR(m.mean, 0, 5 * bound / 346);
  EXPECT_NEAR(m.variance, bound * bound / 3, 0.025 * bound * bound / 3);
  EXPECT_GE(m.least, -bound);
  EXPECT_LE(m.most, bound);
  EXPECT_LT(m.least, -0.999 * bound);
  EXPECT_GT(m.most, 0.999 * bound);
}

// Standard errors for 40000 numbers: mean deviation / 200, variance 0.7 %; the share beyond two
// deviations is 4.55 % with an error of 0.1 %.
void expect_normal(const Tensor& x, double deviation) {
  const Moments m = moments(x);
  EXPECT_NEAR(m.mean, 0, 5 * deviation / 200);
  EXPECT_NEAR(m.variance, deviation * deviation, 0.035 * deviation * deviation);
  double beyond = 0;
  for (const double v : x.to_vector()) beyond += std::abs(v) > 2 * deviation;
  EXPECT_NEAR(beyond / static_cast<double>(x.numel()), 0.0455, 0.005);
}

TEST(Init, Constants) {
  EXPECT_EQ(init::zeros({2, 3}).to_vector(), Numbers(6, 0.0));
  EXPECT_EQ(init::constant({4}, -1.5).to_vector(), Numbers(4, -1.5));
}

TEST(Init, Uniform) {
  Rng rng(1);
  expect_uniform(init::uniform({100, 400}, 0.3, rng), 0.3);
}

TEST(Init, Normal) {
  Rng rng(2);
  expect_normal(init::normal({100, 400}, 0.3, rng), 0.3);
}

TEST(Init, FanIsUniformWithinOneOverTheRoot) {
  Rng rng(3);
  expect_uniform(init::fan({100, 400}, 25, rng), 0.2);
}

TEST(Init, XavierUniform) {
  Rng rng(4);
  expect_uniform(init::xavier_uniform({100, 400}, rng), std::sqrt(6.0 / 500));
}

TEST(Init, KaimingNormalLooksAtTheInputs) {
  Rng rng(5);
  expect_normal(init::kaiming_normal({100, 400}, rng), std::sqrt(2.0 / 400));
  expect_normal(init::kaiming_normal({400, 100}, rng), std::sqrt(2.0 / 100));
}

TEST(Init, OrthogonalRowsOrColumnsAreOrthonormal) {
  Rng rng(6);
  for (const Shape& shape : {Shape{8, 8}, Shape{5, 12}, Shape{12, 5}, Shape{1, 1}, Shape{1, 4}}) {
    const Tensor w = cast(init::orthogonal(shape, rng), f64);
    const Tensor gram = shape[0] <= shape[1] ? matmul_nt(w, w) : matmul_tn(w, w);
    for (int64_t i = 0; i < gram.size(0); ++i)
      for (int64_t j = 0; j < gram.size(1); ++j)
        EXPECT_NEAR(gram.at({i, j}), i == j ? 1 : 0, 1e-6) << to_text(shape);
  }
}

// Every direction is as likely as every other: over many draws the mean of each entry is 0 and of
// its square 1/n. (1000 draws of 4 x 4: standard errors 0.016 and 0.007.)
TEST(Init, OrthogonalPrefersNoDirection) {
  Rng rng(7);
  Numbers sum(16), squares(16);
  for (int k = 0; k < 1000; ++k) {
    const Numbers w = init::orthogonal({4, 4}, rng).to_vector();
    for (size_t i = 0; i < 16; ++i) {
      sum[i] += w[i] / 1000;
      squares[i] += w[i] * w[i] / 1000;
    }
  }
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(sum[i], 0, 0.08);
    EXPECT_NEAR(squares[i], 0.25, 0.035);
  }
}

TEST(Init, ResultsAreLeavesAndTheSeedDecides) {
  const std::function<Tensor(Rng&)> all[] = {[](Rng& r) {
                                               return init::uniform({3, 4}, 1, r);
                                             },
                                             [](Rng& r) {
                                               return init::normal({3, 4}, 1, r);
                                             },
                                             [](Rng& r) {
                                               return init::fan({3, 4}, 4, r);
                                             },
                                             [](Rng& r) {
                                               return init::xavier_uniform({3, 4}, r);
                                             },
                                             [](Rng& r) {
                                               return init::kaiming_normal({3, 4}, r);
                                             },
                                             [](Rng& r) {
                                               return init::orthogonal({3, 4}, r);
                                             }};
  for (const auto& make : all) {
    Rng a(1), b(1), c(2);
    const Tensor x = make(a);
    EXPECT_TRUE(is_leaf(x));
    EXPECT_EQ(x.dtype(), f32);
    EXPECT_EQ(x.shape(), (Shape{3, 4}));
    EXPECT_EQ(x.to_vector(), make(b).to_vector());
    EXPECT_NE(x.to_vector(), make(c).to_vector());
    EXPECT_NE(x.to_vector(), make(a).to_vector()) << "the generator moves on";
  }
  EXPECT_TRUE(is_leaf(init::zeros({2})) && is_leaf(init::constant({2}, 1)));
}

TEST(Init, SaysWhatItNeeds) {
  Rng rng(1);
  EXPECT_EQ(argument_error([&] { init::xavier_uniform({3}, rng); }),
            "init::xavier_uniform: expected a shape [out, in], got [3]");
  EXPECT_EQ(argument_error([&] {
              init::kaiming_normal({3, 2, 1}, rng);
            }),
            "init::kaiming_normal: expected a shape [out, in], got [3, 2, 1]");
  EXPECT_EQ(argument_error([&] { init::orthogonal({3}, rng); }),
            "init::orthogonal: expected a shape [out, in], got [3]");
  EXPECT_EQ(argument_error([&] { init::fan({3}, 0, rng); }),
            "init::fan: expected a fan >= 1, got 0");
}

}  // namespace
}  // namespace heed::test
