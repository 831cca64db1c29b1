// The generator against the published vectors, its distributions, and its independence.
#include "core/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <stdexcept>
#include <vector>

namespace heed {
namespace {

using Block = std::array<uint32_t, 4>;

// The first vector is Random123's own (kat_vectors, philox4x32 10). heed's counter has 64 bits, the
// published all-ones and digits-of-pi vectors have 128: the other two come from a separate
// implementation in Python that reproduces all three published ones.
TEST(Philox, GivesThePublishedBlocks) {
  EXPECT_EQ(philox(0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88),
            (Block{0xe69c9c31, 0xb5a3d762, 0xe733bfc1, 0x341a787c}));
  EXPECT_EQ(philox(UINT64_MAX, UINT64_MAX),
            (Block{0x4d18d7d2, 0x430ac65a, 0xbd2fa22a, 0x0afae10d}));
}

TEST(Rng, HandsOutTheWordsOfBlockAfterBlock) {
  Rng rng(7);
  for (uint64_t block = 0; block < 3; ++block)
    for (const uint32_t word : philox(7, block)) EXPECT_EQ(rng.next_u32(), word);
}

TEST(Rng, UniformLiesInTheUnitIntervalWithTheRightMoments) {
  Rng rng(1);
  constexpr int n = 200'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  const double mean = sum / n;
  EXPECT_NEAR(mean, 0.5, 5 * std::sqrt(1.0 / 12 / n));  // five standard errors
  EXPECT_NEAR(squares / n - mean * mean, 1.0 / 12, 5 * std::sqrt(1.0 / 180 / n));
}

TEST(Rng, UniformOfARangeStaysInIt) {
  Rng rng(2);
  for (int i = 0; i < 1000; ++i) {
    const double u = rng.uniform(-3.0, -1.0);
    ASSERT_GE(u, -3.0);
    ASSERT_LT(u, -1.0);
  }
}

TEST(Rng, NormalHasTheMomentsOfTheStandardNormal) {
  Rng rng(3);
  constexpr int n = 200'000;
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    ASSERT_TRUE(std::isfinite(x));
    m1 += x / n;
    m2 += x * x / n;
    m3 += x * x * x / n;
    m4 += x * x * x * x / n;
  }
  // Variance of x^k under the normal: 1, 2, 15, 96.
  EXPECT_NEAR(m1, 0.0, 5 * std::sqrt(1.0 / n));
  EXPECT_NEAR(m2, 1.0, 5 * std::sqrt(2.0 / n));
  EXPECT_NEAR(m3, 0.0, 5 * std::sqrt(15.0 / n));
  EXPECT_NEAR(m4, 3.0, 5 * std::sqrt(96.0 / n));
}

// With n = 3 * 2^62 a plain remainder gives the lowest third half of all draws.
TEST(Rng, BelowHasNoModuloBias) {
  Rng rng(4);
  constexpr uint64_t third = uint64_t{1} << 62;
  constexpr int draws = 30'000;
  std::array<int, 3> seen{};
  for (int i = 0; i < draws; ++i) {
    const uint64_t x = rng.below(3 * third);
    ASSERT_LT(x, 3 * third);
    ++seen[x / third];
  }
  for (const int count : seen)
    EXPECT_NEAR(count, draws / 3.0, 5 * std::sqrt(draws * (1.0 / 3) * (2.0 / 3)));
}

TEST(Rng, BelowReachesEveryValueEquallyOften) {
  Rng rng(5);
  constexpr int n = 7, draws = 70'000;
  std::array<int, n> seen{};
  for (int i = 0; i < draws; ++i) ++seen[rng.below(n)];
  for (const int count : seen)
    EXPECT_NEAR(count, draws / n, 5 * std::sqrt(draws * (1.0 / n) * (1 - 1.0 / n)));
  EXPECT_EQ(rng.below(1), 0u);
}

TEST(Rng, BelowZeroIsAnError) {
  Rng rng(6);
  EXPECT_THROW(rng.below(0), std::invalid_argument);
}

TEST(Rng, ShuffleIsAPermutationAndFollowsTheSeed) {
  std::vector<int> a(100);
  std::iota(a.begin(), a.end(), 0);
  std::vector<int> b = a;
  Rng(8).shuffle(std::span<int>(a));
  Rng(8).shuffle(std::span<int>(b));
  EXPECT_EQ(a, b);
  EXPECT_FALSE(std::is_sorted(a.begin(), a.end()));
  std::sort(a.begin(), a.end());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a[static_cast<size_t>(i)], i);
}

TEST(Rng, ForksAreStreamsOfTheirOwn) {
  const Rng root(9);
  std::set<uint64_t> first{Rng(root).next_u64(), root.fork("").next_u64(),
                           root.fork("init").next_u64(), root.fork("shuffle").next_u64()};
  for (uint64_t i = 0; i < 1000; ++i) first.insert(root.fork(i).next_u64());
  EXPECT_EQ(first.size(), 1004u);
  EXPECT_NE(root.fork(1).fork(2).next_u64(), root.fork(2).fork(1).next_u64());
}

TEST(Rng, ForkingNeitherAdvancesNorDependsOnHowFarTheParentIs) {
  Rng rng(10), untouched(10);
  const uint64_t expected = rng.fork("init").next_u64();
  EXPECT_EQ(rng.next_u64(), untouched.next_u64());
  EXPECT_EQ(rng.fork("init").next_u64(), expected);
}

TEST(Rng, NeighbouringForksAreUncorrelated) {
  const Rng root(11);
  Rng a = root.fork(uint64_t{0}), b = root.fork(1);
  constexpr int n = 100'000;
  double product = 0;
  for (int i = 0; i < n; ++i) product += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12 / n;
  EXPECT_NEAR(product, 0.0, 5 / std::sqrt(n));
}

TEST(Rng, RestoreContinuesFromEveryPlaceInABlock) {
  Rng rng(12);
  for (int place = 0; place < 9; ++place) {
    Rng copy = rng, back = Rng::restore(rng.state());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(back.next_u32(), copy.next_u32()) << "place " << place;
    rng.next_u32();
  }
}

TEST(Rng, UniformAtDependsOnThePositionAlone) {
  const uint64_t key = 13;
  Rng rng(key);  // the stream of the key, drawn in order
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(uniform_at(key, i), rng.uniform());
}

}  // namespace
}  // namespace heed
