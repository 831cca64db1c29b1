// heed's own f32 product of matrices against plain loops in double, in the instruction set of this
// run (ctest repeats it for every set that the CPU has).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/rng.h"
#include "core/vector_math.h"

namespace heed {
namespace {

struct Product {
  bool ta, tb;
  int64_t m, n, k, extra;  // extra: what every leading dimension has more than it needs
  bool add;                // to what was there
};

std::vector<float> random(int64_t count, Rng& rng) {
  std::vector<float> v(static_cast<size_t>(count));
  for (float& x : v) x = static_cast<float>(rng.normal());
  return v;
}

// Arrays end with their last element, so that the address sanitizer sees a read beyond it.
void expect_like_plain_loops(const Product& p, Rng& rng) {
  const int64_t lda = (p.ta ? p.m : p.k) + p.extra, ldb = (p.tb ? p.k : p.n) + p.extra;
  const int64_t ldc = p.n + p.extra;
  const auto a = random(((p.ta ? p.k : p.m) - 1) * lda + (p.ta ? p.m : p.k), rng);
  const auto b = random(((p.tb ? p.n : p.k) - 1) * ldb + (p.tb ? p.k : p.n), rng);
  auto before = random((p.m - 1) * ldc + p.n, rng);
  if (!p.add) before[0] = NAN;  // overwritten, not read
  auto c = before, twin = before;
  auto space = std::vector<float>(simd::kGemmRoom);
  const auto multiply = [&](float* to, float* room) {
    vector_table().gemm({p.ta, p.tb, p.m, p.n, p.k, a.data(), lda, b.data(), ldb, to, ldc,
                         p.add ? to : nullptr, ldc},
                        room);
  };
  multiply(c.data(), nullptr);
  multiply(twin.data(), space.data());
  auto tiny = before;
  vector_table().tiny_gemm({p.ta, p.tb, p.m, p.n, p.k, a.data(), lda, b.data(), ldb, tiny.data(),
                            ldc, p.add ? tiny.data() : nullptr, ldc});
  for (size_t at = 0; at < c.size(); ++at) {
    const auto i = static_cast<int64_t>(at) / ldc, j = static_cast<int64_t>(at) % ldc;
    double expected = before[at];  // between the rows nothing changes
    if (j < p.n) {
      double sum = 0;
      for (int64_t l = 0; l < p.k; ++l)
        sum += static_cast<double>(a[static_cast<size_t>(p.ta ? l * lda + i : i * lda + l)]) *
               static_cast<double>(b[static_cast<size_t>(p.tb ? j * ldb + l : l * ldb + j)]);
      expected = sum + (p.add ? expected : 0);
    }
    for (const float got : {c[at], tiny[at]})
      ASSERT_NEAR(got, expected, 2e-5 * std::sqrt(static_cast<double>(p.k)) + 1e-6)
          << fmt::format("ta {} tb {} m {} n {} k {} extra {} add {} at [{}, {}]", p.ta, p.tb, p.m,
                         p.n, p.k, p.extra, p.add, i, j);
    // In place or copied: the same numbers in the same order.
    ASSERT_EQ(c[at], twin[at]) << fmt::format("ta {} tb {} m {} n {} k {} at [{}, {}]", p.ta, p.tb,
                                              p.m, p.n, p.k, i, j);
  }
}

// Both sides of a vector (4, 8, 16), of a panel (8, 16, 32) and of a block of rows (6, 12).
TEST(SimdGemm, IsTheProductOnBothSidesOfEveryBlock) {
  Rng rng(1);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const int64_t m : {1, 5, 6, 7, 12, 13, 25})
        for (const int64_t n : {1, 3, 4, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64})
          for (const int64_t k : {1, 4, 7, 16, 33})
            for (const int64_t extra : {0, 3})
              expect_like_plain_loops({ta, tb, m, n, k, extra, k % 2 == 0}, rng);
}

TEST(SimdGemm, AddsUpSeveralDepthsOfPanels) {
  Rng rng(2);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const int64_t k : {255, 256, 257, 600})
        for (const bool add : {false, true})
          expect_like_plain_loops({ta, tb, 13, 35, k, 1, add}, rng);
}

// More columns than are copied at a time.
TEST(SimdGemm, TakesManyColumnsInParts) {
  Rng rng(4);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const int64_t n : {511, 512, 513, 1030})
        expect_like_plain_loops({ta, tb, 31, n, 19, 1, true}, rng);
}

// A sentence's numbers do not depend on who shares its batch.
TEST(SimdGemm, ARowDoesNotDependOnTheRowsBesideIt) {
  Rng rng(3);
  constexpr int64_t m = 29, n = 45, k = 70;
  const auto a = random(m * k, rng), b = random(n * k, rng);
  std::vector<float> all(m * n), one(n);
  const auto gemm = vector_table().gemm;
  gemm({false, true, m, n, k, a.data(), k, b.data(), k, all.data(), n}, nullptr);
  for (int64_t i = 0; i < m; ++i) {
    gemm({false, true, 1, n, k, a.data() + i * k, k, b.data(), k, one.data(), n}, nullptr);
    for (int64_t j = 0; j < n; ++j)
      ASSERT_EQ(one[static_cast<size_t>(j)], all[static_cast<size_t>(i * n + j)]) << i << ' ' << j;
  }
}

// Nor on how many rows and columns are computed side by side.
TEST(SimdGemm, ANumberOfATinyProductDoesNotDependOnThoseBesideIt) {
  Rng rng(6);
  constexpr int64_t m = 6, n = 7, k = 5;
  const auto a = random(m * k, rng), b = random(n * k, rng);
  std::vector<float> all(m * n);
  const auto gemm = vector_table().tiny_gemm;
  gemm({false, true, m, n, k, a.data(), k, b.data(), k, all.data(), n});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      float one = NAN;
      gemm({false, true, 1, 1, k, a.data() + i * k, k, b.data() + j * k, k, &one, 1});
      ASSERT_EQ(one, all[static_cast<size_t>(i * n + j)]) << i << ' ' << j;
    }
}

TEST(SimdGemm, AnEmptySumIsWhatIsAdded) {
  const float d[] = {1, 2, 3, 4, 5};
  float c[] = {NAN, NAN, NAN, NAN, NAN};
  Gemm<float> g{false, false, 1, 5, 0, nullptr, 1, nullptr, 5, c, 5};
  vector_table().tiny_gemm(g);
  for (const float x : c) EXPECT_EQ(x, 0);
  g.d = d;
  vector_table().tiny_gemm(g);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(c[i], d[i]);
}

// One row, or another matrix, added to the product and only once, however many parts k is taken in.
TEST(SimdGemm, AddsARowToEveryRowOrAMatrix) {
  Rng rng(5);
  for (const int64_t k : {20, 300})
    for (const int64_t n : {16, 45}) {
      constexpr int64_t m = 14;
      const auto a = random(m * k, rng), b = random(n * k, rng), other = random(m * 50, rng);
      std::vector<float> plain(static_cast<size_t>(m * n)), c(plain.size(), NAN);
      auto space = std::vector<float>(simd::kGemmRoom);
      Gemm<float> g{false, true, m, n, k, a.data(), k, b.data(), k, plain.data(), n};
      vector_table().gemm(g, nullptr);
      g.d = other.data(), g.c = c.data();
      for (const int64_t step : {0, 50})
        for (float* room : {static_cast<float*>(nullptr), space.data()}) {
          g.ldd = step;
          vector_table().gemm(g, room);
          for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) {
              const auto at = static_cast<size_t>(i * n + j);
              ASSERT_NEAR(c[at], plain[at] + other[static_cast<size_t>(i * step + j)], 1e-4)
                  << "k " << k << " n " << n << " step " << step << " at " << at;
            }
        }
    }
}

}  // namespace
}  // namespace heed
