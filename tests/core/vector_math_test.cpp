// The f32 functions of core/simd against long double, over their whole range. ctest runs this once
// for every HEED_SIMD.
#include "core/vector_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/kernels.h"
#include "core/rng.h"
#include "core/tensor.h"

namespace heed {
namespace {

using Function = void (*)(int64_t, const float*, float*);
using Exact = long double (*)(long double);

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

float one(Function f, float x) {
  float y = 0;
  f(1, &x, &y);
  return y;
}

// The distance of `got` from `exact` in units of the last place that f32 has there.
double ulps(float got, long double exact) {
  const long double magnitude = std::fabs(exact);
  if (magnitude > static_cast<long double>(std::numeric_limits<float>::max()) * (1 + 0x1p-25L))
    return std::isinf(got) && (got > 0) == (exact > 0) ? 0 : INFINITY;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const long double unit = std::ldexp(1.0L, std::max(exponent - 24, -149));
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / unit);
}

struct Worst {
  double error = 0;
  float x = 0;
};

// Every 1499th float of [low, high], both ends included.
Worst worst_between(Function f, Exact exact, float low, float high) {
  std::vector<float> x;
  const auto walk = [&](float from, float to) {  // 0 <= from <= to in magnitude, by bit pattern
    const auto first = std::bit_cast<uint32_t>(std::fabs(from));
    const auto last = std::bit_cast<uint32_t>(std::fabs(to));
    const uint32_t sign = std::signbit(to) ? 0x80000000u : 0u;
    for (uint32_t bits = first; bits <= last; bits += 1499)
      x.push_back(std::bit_cast<float>(bits | sign));
    x.push_back(to);
  };
  if (low < 0) walk(high < 0 ? high : -0.0f, low);
  if (high > 0) walk(low > 0 ? low : 0.0f, high);
  std::vector<float> y(x.size());
  f(static_cast<int64_t>(x.size()), x.data(), y.data());
  Worst worst;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = ulps(y[i], exact(static_cast<long double>(x[i])));
    if (!(error <= worst.error)) worst = {error, x[i]};
  }
  return worst;
}

long double exact_sigmoid(long double x) {
  return 1 / (1 + std::exp(-x));
}

TEST(VectorMath, RunsTheInstructionSetThatWasAskedFor) {
  const char* asked = std::getenv("HEED_SIMD");
  const std::string_view most = asked ? asked : "avx512";
  EXPECT_TRUE(vector_name() == "baseline" || most != "baseline") << vector_name();
  EXPECT_TRUE(vector_name() != "avx512" || most == "avx512") << vector_name();
}

TEST(VectorMath, ExpIsWithinTwoUlp) {
  const Worst w = worst_between(
      vexp, [](long double x) { return std::exp(x); }, -110, 95);
  EXPECT_LE(w.error, 2) << vector_name() << " at " << w.x;
}

TEST(VectorMath, TanhIsWithinThreeUlp) {
  const Worst w = worst_between(
      vtanh, [](long double x) { return std::tanh(x); }, -12, 12);
  EXPECT_LE(w.error, 3) << vector_name() << " at " << w.x;
}

TEST(VectorMath, SigmoidIsWithinThreeUlp) {
  // Below -88 it is 0 a little early.
  const Worst w = worst_between(vsigmoid, exact_sigmoid, -88, 110);
  EXPECT_LE(w.error, 3) << vector_name() << " at " << w.x;
  for (float x = -120; x < -88; x += 0.125f) {
    EXPECT_GE(one(vsigmoid, x), 0);
    EXPECT_LT(one(vsigmoid, x), 1e-38f);
  }
}

TEST(VectorMath, TheEndsOfTheRange) {
  EXPECT_EQ(one(vexp, -kInf), 0);
  EXPECT_EQ(one(vexp, kInf), kInf);
  EXPECT_EQ(one(vexp, 1e4f), kInf);
  EXPECT_EQ(one(vexp, -1e4f), 0);
  EXPECT_EQ(one(vexp, 88.8f), kInf);
  EXPECT_TRUE(std::isfinite(one(vexp, 88.7f)));
  EXPECT_EQ(one(vexp, -104.5f), 0);
  EXPECT_GT(one(vexp, -103.0f), 0);  // subnormal
  EXPECT_EQ(one(vexp, 0.0f), 1);
  EXPECT_EQ(one(vexp, -0.0f), 1);
  EXPECT_EQ(one(vexp, 1e-42f), 1);
  EXPECT_TRUE(std::isnan(one(vexp, kNan)));
  EXPECT_TRUE(std::isnan(one(vexp, -kNan)));

  EXPECT_EQ(one(vtanh, kInf), 1);
  EXPECT_EQ(one(vtanh, -kInf), -1);
  EXPECT_EQ(one(vtanh, 1e4f), 1);
  EXPECT_EQ(one(vtanh, -1e4f), -1);
  EXPECT_EQ(one(vtanh, 1e-42f), 1e-42f);
  EXPECT_EQ(one(vtanh, -1e-42f), -1e-42f);
  EXPECT_FALSE(std::signbit(one(vtanh, 0.0f)));
  EXPECT_EQ(one(vtanh, -0.0f), 0);
  EXPECT_TRUE(std::signbit(one(vtanh, -0.0f)));
  EXPECT_TRUE(std::isnan(one(vtanh, kNan)));

  EXPECT_EQ(one(vsigmoid, kInf), 1);
  EXPECT_EQ(one(vsigmoid, -kInf), 0);
  EXPECT_EQ(one(vsigmoid, 1e4f), 1);
  EXPECT_EQ(one(vsigmoid, -1e4f), 0);
  EXPECT_EQ(one(vsigmoid, 0.0f), 0.5f);
  EXPECT_EQ(one(vsigmoid, -0.0f), 0.5f);
  EXPECT_TRUE(std::isnan(one(vsigmoid, kNan)));
}

TEST(VectorMath, AResultDoesNotDependOnItsPlaceInTheArray) {
  Rng rng(8);
  for (const Function f : {Function(vexp), Function(vtanh), Function(vsigmoid)}) {
    std::vector<float> x(67), all(67);
    for (float& v : x) v = static_cast<float>(3 * rng.normal());
    f(67, x.data(), all.data());
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(std::bit_cast<uint32_t>(one(f, x[i])), std::bit_cast<uint32_t>(all[i])) << x[i];
  }
}

TEST(VectorMath, ReductionsAgreeWithDoubleAtEveryLength) {
  Rng rng(9);
  for (int64_t n = 0; n <= 70; ++n) {
    const auto size = static_cast<size_t>(n);
    std::vector<float> x(size), y(size), e(size), z(size);
    for (float& v : x) v = static_cast<float>(rng.normal());
    for (float& v : y) v = static_cast<float>(rng.normal());
    double sum = 0, dot = 0, top = -INFINITY, total = 0;
    for (size_t i = 0; i < size; ++i) {
      sum += static_cast<double>(x[i]);
      dot += static_cast<double>(x[i]) * static_cast<double>(y[i]);
      top = std::max(top, static_cast<double>(x[i]));
    }
    for (const float v : x) total += std::exp(static_cast<double>(v) - top);
    EXPECT_NEAR(vsum(n, x.data()), sum, 1e-5) << n;
    EXPECT_NEAR(vdot(n, x.data(), y.data()), dot, 1e-5) << n;
    float max = 0;
    EXPECT_NEAR(vexp_sum(n, x.data(), &max), total, 1e-5 * (1 + total)) << n;
    EXPECT_EQ(static_cast<double>(max), top) << n;
    vcross_entropy_backward(n, x.data(), max, 0.25f, -2.0f, e.data());
    z = y;
    vaxpy(n, 0.5f, x.data(), z.data());
    for (size_t i = 0; i < size; ++i) {
      EXPECT_NEAR(z[i], y[i] + 0.5f * x[i], 1e-6f) << n;
      EXPECT_NEAR(e[i], (std::exp(x[i] - max) - 0.25f) * -2.0f, 1e-6f) << n;
    }
  }
}

TEST(VectorMath, ANaNInTheSumIsNotLost) {
  for (const size_t place : {size_t{0}, size_t{5}, size_t{16}, size_t{20}}) {
    std::vector<float> x(21, 1.0f);
    x[place] = kNan;
    float max = 0;
    EXPECT_TRUE(std::isnan(vexp_sum(21, x.data(), &max))) << place;
    std::vector<double> xd(21, 1.0);
    xd[place] = std::nan("");
    double max_d = 0;
    EXPECT_TRUE(std::isnan(vexp_sum(21, xd.data(), &max_d))) << place;
  }
}

TEST(VectorMath, SoftmaxAndItsGradientAgreeWithDoubleAtEveryLength) {
  Rng rng(10);
  for (int64_t n = 1; n <= 70; ++n) {
    const auto size = static_cast<size_t>(n);
    std::vector<float> x(size), dy(size), y(size + 1, 7), dx(size + 1, 7);
    std::vector<double> xd(size), dyd(size), yd(size), dxd(size, 5);
    for (size_t i = 0; i < size; ++i) {
      xd[i] = static_cast<double>(x[i] = static_cast<float>(3 * rng.normal()));
      dyd[i] = static_cast<double>(dy[i] = static_cast<float>(rng.normal()));
    }
    vsoftmax(1, n, nullptr, x.data(), y.data());
    vsoftmax(1, n, nullptr, xd.data(), yd.data());
    double total = 0;
    for (size_t i = 0; i < size; ++i) total += std::exp(xd[i]);
    for (size_t i = 0; i < size; ++i) {
      EXPECT_NEAR(yd[i], std::exp(xd[i]) / total, 1e-15) << n;
      EXPECT_NEAR(static_cast<double>(y[i]), yd[i], 1e-6) << n;
    }
    EXPECT_EQ(y[size], 7) << "wrote behind a row of " << n;
    const size_t zero = size / 2;  // takes no part, whatever its dy is
    y[zero] = 0, yd[zero] = 0;
    dy[zero] = kNan, dyd[zero] = std::nan("");
    vsoftmax_backward(1, n, y.data(), dy.data(), dx.data());
    vsoftmax_backward(1, n, yd.data(), dyd.data(), dxd.data());
    double mean = 0;
    for (size_t i = 0; i < size; ++i) mean += i == zero ? 0 : yd[i] * dyd[i];
    for (size_t i = 0; i < size; ++i) {
      const double want = i == zero ? 0 : yd[i] * (dyd[i] - mean);
      EXPECT_NEAR(dxd[i], want, 1e-14) << n;
      EXPECT_NEAR(static_cast<double>(dx[i]), want, 1e-5) << n;
    }
    EXPECT_EQ(dx[size], 7) << "wrote behind a row of " << n;
    x[zero] = kNan;
    vsoftmax(1, n, nullptr, x.data(), x.data());
    EXPECT_TRUE(std::isnan(x[0])) << n;
  }
}

TEST(VectorMath, DropoutOfEveryLengthKeepsWhatItsWordsSay) {
  Rng rng(11);
  for (int64_t n = 0; n <= 140; ++n) {
    const auto size = static_cast<size_t>(n);
    std::vector<uint32_t> words((size + 1) / 2);
    std::vector<uint8_t> kept(size + 1, 7);
    std::vector<float> x(size), y(size + 1, 7), dx(size + 1, 7);
    for (uint32_t& w : words) w = rng.next_u32();
    for (float& v : x) v = static_cast<float>(rng.normal());
    const uint16_t limit = n % 2 == 0 ? 0x4000 : 0xc000;      // on both sides of the sign
    if (n > 2) words[0] = limit * 0x10001u - 1, x[0] = kNan;  // halves: limit - 1, limit
    const auto keeps = [&](size_t i) { return (words[i / 2] >> (i % 2 * 16) & 0xffff) >= limit; };
    vdropout(n, words.data(), limit, 1.25f, x.data(), kept.data(), y.data());
    vscale_kept(n, kept.data(), 1.25f, x.data(), dx.data());
    for (size_t i = 0; i < size; ++i) {
      ASSERT_EQ(kept[i], keeps(i)) << i << " of " << n;
      if (n > 2 && i == 0) {  // 0 times NaN is no 0
        ASSERT_TRUE(std::isnan(y[i]) && std::isnan(dx[i])) << n;
        continue;
      }
      ASSERT_EQ(y[i], keeps(i) ? 1.25f * x[i] : 0) << i << " of " << n;
      ASSERT_EQ(dx[i], y[i]) << i << " of " << n;
    }
    EXPECT_TRUE(kept[size] == 7 && y[size] == 7 && dx[size] == 7) << "written past the end";
    std::vector<float> in_place = x;
    vscale_kept(n, kept.data(), 1.25f, in_place.data(), in_place.data());
    vdropout(n, words.data(), limit, 1.25f, x.data(), kept.data(), x.data());
    for (size_t i = n > 2 ? 1 : 0; i < size; ++i)
      ASSERT_TRUE(x[i] == y[i] && in_place[i] == y[i]) << "in place, " << i << " of " << n;
  }
}

// Wherever the weights begin within a line of the cache, and however many there are.
TEST(VectorMath, AdamPastTheCachesIsAdam) {
  simd::AdamStep step{.beta1 = 0.9f,
                      .rest1 = 0.1f,
                      .beta2 = 0.99f,
                      .rest2 = 0.01f,
                      .rate = 0.3f,
                      .scale_v = 1.5f,
                      .eps = 1e-8f,
                      .l2 = 0.1f,
                      .decay = 0.05f,
                      .past_caches = false};
  Rng rng(17);
  for (const int64_t n : {0, 1, 15, 16, 17, 33, 511, 512, 513, 1300})
    for (const int64_t first : {0, 1, 7, 16}) {
      const Shape shape{first + n + 16};
      const Tensor g = Tensor::normal(shape, 0, 1, rng);
      std::vector<Tensor> here, past;  // w, m, v
      for (const double low : {-1, -1, 0}) {
        here.push_back(Tensor::uniform(shape, low, 1, rng));
        past.push_back(clone(here.back()));
      }
      const auto update = [&](std::vector<Tensor>& x, bool past_caches) {
        step.past_caches = past_caches;
        vector_table().adam(n, x[0].mutable_data<float>() + first,
                            x[1].mutable_data<float>() + first, x[2].mutable_data<float>() + first,
                            g.data<float>() + first, step);
      };
      update(here, false);
      update(past, true);
      for (size_t i = 0; i < 3; ++i)
        EXPECT_EQ(here[i].to_vector(), past[i].to_vector()) << n << " from " << first << ", " << i;
    }
}

TEST(VectorMath, DoublePrecisionSigmoidIsFiniteAndExactAtTheEnds) {
  for (const double x : {-1e4, -750.0, -40.0, -1.0, -0.0, 0.0, 1.0, 40.0, 1e4}) {
    const auto exact = static_cast<double>(exact_sigmoid(static_cast<long double>(x)));
    EXPECT_NEAR(sigmoid(x), exact, 1e-15 * exact);
  }
  EXPECT_EQ(sigmoid(1e4), 1);
  EXPECT_EQ(sigmoid(-1e4), 0);
}

TEST(VectorMath, ManyBlocksOfPhiloxAreTheBlocksOneByOne) {
  constexpr uint64_t kKey = 0x299f31d0a4093822;
  // Across the carry into the counter's upper half, and with every remainder of the vectors
  // that take turns.
  for (const uint64_t first : {uint64_t{0}, uint64_t{0xfffffffa}, UINT64_MAX - 3})
    for (uint64_t count = 0; count <= 70; ++count) {
      std::vector<uint32_t> words(4 * count + 1, 77);
      vector_table().philox(kKey, first, static_cast<int64_t>(count), words.data());
      for (uint64_t block = 0; block < count; ++block) {
        const auto expected = philox(kKey, first + block);
        for (size_t i = 0; i < 4; ++i) EXPECT_EQ(words[4 * block + i], expected[i]) << block;
      }
      EXPECT_EQ(words.back(), 77u) << "written past the end";
    }
}

}  // namespace
}  // namespace heed
