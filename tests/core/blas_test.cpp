// gemm and as_matrix against plain loops.
#include "core/blas.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"

namespace heed {
namespace {

struct Product {
  bool ta, tb;
  int64_t m, n, k, extra;  // extra: what every leading dimension has more than it needs
  enum Add { kNothing, kItself, kMatrix, kRow } add;
};

template <class T>
std::vector<T> random(int64_t count, Rng& rng) {
  std::vector<T> v(static_cast<size_t>(count));
  for (T& x : v) x = static_cast<T>(rng.normal());
  return v;
}

template <class T>
void expect_like_plain_loops(const Product& p, Rng& rng) {
  const int64_t lda = (p.ta ? p.m : p.k) + p.extra, ldb = (p.tb ? p.k : p.n) + p.extra;
  const int64_t ldc = p.n + p.extra;
  const std::vector<T> a = random<T>((p.ta ? p.k : p.m) * lda, rng),
                       b = random<T>((p.tb ? p.n : p.k) * ldb, rng);
  std::vector<T> c = random<T>(p.m * ldc, rng);
  const int64_t ldd = p.add == Product::kRow ? 0 : p.add == Product::kItself ? ldc : ldc + 2;
  const std::vector<T> other = random<T>(p.m * (ldc + 2) + p.n, rng);
  const T* d = p.add == Product::kNothing  ? nullptr
               : p.add == Product::kItself ? c.data()
                                           : other.data();
  if (p.add == Product::kNothing && p.n > 0)  // overwritten, not read
    for (int64_t i = 0; i < p.m; ++i) c[static_cast<size_t>(i * ldc)] = static_cast<T>(NAN);
  std::vector<T> expected = c;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < p.k; ++l)
        sum += static_cast<double>(a[static_cast<size_t>(p.ta ? l * lda + i : i * lda + l)]) *
               static_cast<double>(b[static_cast<size_t>(p.tb ? j * ldb + l : l * ldb + j)]);
      if (d) sum += static_cast<double>(d[i * ldd + j]);
      expected[static_cast<size_t>(i * ldc + j)] = static_cast<T>(sum);
    }
  gemm<T>({p.ta, p.tb, p.m, p.n, p.k, a.data(), lda, b.data(), ldb, c.data(), ldc, d, ldd});
  const double tolerance = std::is_same_v<T, float> ? 1e-4 : 1e-12;
  for (size_t i = 0; i < c.size(); ++i)  // what lies between the rows is untouched
    ASSERT_NEAR(static_cast<double>(c[i]), static_cast<double>(expected[i]), tolerance)
        << fmt::format("ta {} tb {} m {} n {} k {} extra {} add {} at {}", p.ta, p.tb, p.m, p.n,
                       p.k, p.extra, static_cast<int>(p.add), i);
}

TEST(Blas, GemmIsTheProductItSays) {
  Rng rng(1);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const int64_t m : {0, 1, 3, 4, 17})
        for (const int64_t n : {0, 1, 5, 33})
          for (const int64_t k : {0, 1, 4, 100})
            for (const int64_t extra : {0, 3})
              for (const auto add :
                   {Product::kNothing, Product::kItself, Product::kMatrix, Product::kRow}) {
                const Product p{ta, tb, m, n, k, extra, add};
                expect_like_plain_loops<float>(p, rng);
                expect_like_plain_loops<double>(p, rng);
              }
}

// Factors that do not fit a cache, in rows that are 4 KiB apart and in others.
TEST(Blas, GemmIsTheProductOfLargeFactors) {
  Rng rng(4);
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const int64_t k : {1024, 1100}) {
        expect_like_plain_loops<float>({ta, tb, 270, 70, k, 0, Product::kNothing}, rng);
        expect_like_plain_loops<float>({ta, tb, 20, 600, k, 3, Product::kItself}, rng);
      }
}

template <class T>
void expect_affine(int64_t m, int64_t n, int64_t k, Rng& rng) {
  const auto x = random<T>(m * k, rng), w = random<T>(n * k, rng), bias = random<T>(n, rng);
  const auto nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> plain(static_cast<size_t>(m * n), nan), y = plain;
  gemm<T>({false, true, m, n, k, x.data(), k, w.data(), k, plain.data(), n});
  gemm<T>({false, true, m, n, k, x.data(), k, w.data(), k, y.data(), n, bias.data()});
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(i * n + j);
      double sum = 0;
      for (int64_t l = 0; l < k; ++l)
        sum += static_cast<double>(x[static_cast<size_t>(i * k + l)]) *
               static_cast<double>(w[static_cast<size_t>(j * k + l)]);
      const double b = static_cast<double>(bias[static_cast<size_t>(j)]);
      ASSERT_NEAR(static_cast<double>(plain[at]), sum, 1e-3) << m << ' ' << n << ' ' << k;
      ASSERT_NEAR(static_cast<double>(y[at]), sum + b, 1e-3) << m << ' ' << n << ' ' << k;
    }
}

// By every way that a product goes: none, thin, in place, copied, and BLAS (rows 4 KiB apart).
TEST(Blas, AffineAddsTheBiasToEveryRow) {
  Rng rng(3);
  struct Sizes {
    int64_t m, n, k;
  };
  for (const Sizes s :
       {Sizes{3, 5, 0}, {1, 9, 7}, {2, 3, 4}, {13, 35, 64}, {200, 40, 1400}, {70, 37, 4096}}) {
    expect_affine<float>(s.m, s.n, s.k, rng);
    expect_affine<double>(s.m, s.n, s.k, rng);
  }
}

#if defined(__SSE__)
// In place, copied, and through BLAS. An Intel CPU would take ten times as long.
TEST(Blas, SubnormalNumbersCountAsZeroInAProductAndNowhereElse) {
  constexpr float kSubnormal = 1e-40f;
  struct Sizes {
    int64_t m, n, k;
  };
  for (const Sizes s : {Sizes{64, 64, 64}, {200, 40, 1400}, {70, 37, 4096}})
    for (const bool small_factor : {true, false}) {  // or a small result
      const std::vector<float> a(static_cast<size_t>(s.m * s.k),
                                 small_factor ? kSubnormal : 1e-30f);
      const std::vector<float> b(static_cast<size_t>(s.k * s.n), small_factor ? 1.0f : 1e-12f);
      std::vector<float> c(static_cast<size_t>(s.m * s.n), NAN);
      gemm<float>({false, false, s.m, s.n, s.k, a.data(), s.k, b.data(), s.n, c.data(), s.n});
      for (const float x : c) ASSERT_EQ(x, 0) << s.m << ' ' << s.n << ' ' << s.k;
      volatile float half = 0.5f, small = kSubnormal;
      EXPECT_GT(half * small, 0) << "the thread flushes after a product, too";
    }
}

TEST(Blas, ASubnormalFactorLeavesWhatIsAdded) {
  const std::vector<float> a(64 * 64, 1e-40f), b(64 * 64, 1.0f), d(64 * 64, 3.0f);
  std::vector<float> c(64 * 64, NAN);
  gemm<float>({false, true, 64, 64, 64, a.data(), 64, b.data(), 64, c.data(), 64, d.data(), 64});
  for (const float x : c) ASSERT_EQ(x, 3);
}
#endif

TEST(Blas, WithoutAddingItOverwritesWhateverWasThere) {
  const double a = 2, b = 3;
  for (const int64_t k : {0, 1}) {
    double c = NAN;
    gemm<double>({false, false, 1, 1, k, &a, 1, &b, 1, &c, 1});
    EXPECT_EQ(c, k == 0 ? 0 : 6);
  }
}

TEST(Blas, RunsAtOneThread) {
  EXPECT_EQ(blas_threads(), 1);
  EXPECT_FALSE(blas_config().empty());
  EXPECT_FALSE(blas_core().empty());
}

Tensor counting(const Shape& shape) {
  std::vector<double> v(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return Tensor::from<double>(v, shape);
}

// The rows of `m` read through its step are the elements of x in order.
void expect_rows_of(const Tensor& x, bool copied) {
  const Matrix m = as_matrix(x);
  EXPECT_EQ(m.copy.defined(), copied) << to_text(x.shape());
  EXPECT_GE(m.step, m.cols) << to_text(x.shape());
  std::vector<double> seen;
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.cols; ++c) seen.push_back(m.data<double>()[r * m.step + c]);
  EXPECT_EQ(seen, x.to_vector()) << to_text(x.shape());
}

TEST(Blas, AsMatrixSharesMemoryWhereOneStepReachesEveryRow) {
  expect_rows_of(counting({3, 4}), false);
  expect_rows_of(counting({2, 3, 4}), false);
  expect_rows_of(counting({5}), false);
  expect_rows_of(counting({}), false);
  expect_rows_of(counting({2, 1, 4}), false);
  const Tensor x = counting({2, 3, 8});
  const Strides s = x.strides();
  expect_rows_of(x.view({2, 3, 5}, s, 2), false);           // part of every row
  expect_rows_of(x.view({2, 8}, {24, 1}, 8), false);        // step 1 of [B, T, D]
  expect_rows_of(x.view({2, 1, 8}, s, 16), false);          // the same with its axis
  expect_rows_of(x.view({2, 2, 8}, s), true);               // the second sentence does not follow
  expect_rows_of(x.view({3, 2, 8}, {8, 24, 1}), true);      // time first
  expect_rows_of(x.view({4, 8}, {0, 1}), true);             // one row, repeated
  expect_rows_of(x.view({2, 3, 1}, s, 1), false);           // a column
  expect_rows_of(x.view({2, 3, 1}, {24, 8, 5}, 1), false);  // whose own step is arbitrary
}

TEST(Blas, AsMatrixOfNothing) {
  const Tensor no_rows = Tensor::zeros({0, 3}), no_steps = Tensor::zeros({2, 0, 3});
  const Tensor no_columns = Tensor::zeros({2, 0});
  EXPECT_EQ(as_matrix(no_rows).rows, 0);
  EXPECT_EQ(as_matrix(no_steps).rows, 0);
  EXPECT_EQ(as_matrix(no_columns).cols, 0);
}

}  // namespace
}  // namespace heed
