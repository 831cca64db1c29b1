// What is computed row by row: softmax, layer norm, the cells of recurrences and the additive
// score, in both precisions and on whatever instruction set HEED_SIMD asks for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/rng.h"
#include "core/vector_math.h"

namespace heed {
namespace {

// Whatever the number of rows, and whichever of their numbers are kept, a row is what it is alone.
template <class T>
void expect_rows_of_softmax(int64_t rows, int64_t n, Rng& rng) {
  const auto size = static_cast<size_t>(rows * n);
  std::vector<T> x(size), dy(size), y(size), dx(size), one(static_cast<size_t>(n));
  for (auto* v : {&x, &dy})
    for (T& e : *v) e = static_cast<T>(rng.normal());
  std::vector<int64_t> kept(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t k = kept[static_cast<size_t>(r)] = (5 * r) % (n + 1);
    for (int64_t i = k; i < n; ++i)  // looked at by nobody
      x[static_cast<size_t>(r * n + i)] = std::numeric_limits<T>::quiet_NaN();
  }
  vsoftmax(rows, n, kept.data(), x.data(), y.data());
  vsoftmax_backward(rows, n, y.data(), dy.data(), dx.data());
  for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
    auto spoilt = x, out = y;  // a bad number that is kept is no matter of those that are not
    for (int64_t r = 0; r < rows; ++r)
      if (kept[static_cast<size_t>(r)] > 0) spoilt[static_cast<size_t>(r * n)] = bad;
    vsoftmax(rows, n, kept.data(), spoilt.data(), out.data());
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < n; ++i) {
        const bool counts = i < kept[static_cast<size_t>(r)];
        const T value = out[static_cast<size_t>(r * n + i)];
        EXPECT_TRUE(counts ? i > 0 || std::isnan(value) : value == 0) << n << ' ' << r << ' ' << i;
      }
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t k = kept[static_cast<size_t>(r)];
    std::fill(one.begin(), one.end(), T(0));
    if (k > 0) vsoftmax(1, k, nullptr, x.data() + r * n, one.data());
    for (int64_t i = 0; i < n; ++i)
      EXPECT_EQ(y[static_cast<size_t>(r * n + i)], one[static_cast<size_t>(i)])
          << "rows " << rows << " n " << n << " at " << r << ' ' << i;
    vsoftmax_backward(1, n, y.data() + r * n, dy.data() + r * n, one.data());
    for (int64_t i = 0; i < n; ++i)
      EXPECT_EQ(dx[static_cast<size_t>(r * n + i)], one[static_cast<size_t>(i)]) << r << ' ' << i;
  }
}

TEST(VectorMath, SoftmaxOfRowsIsThatOfEachRow) {
  Rng rng(13);
  for (const int64_t rows : {0, 1, 2, 7})
    for (const int64_t n : {1, 3, 10, 16, 17, 40}) {
      expect_rows_of_softmax<float>(rows, n, rng);
      expect_rows_of_softmax<double>(rows, n, rng);
    }
}

template <class T>
void expect_layer_norm(int64_t rows, int64_t n, Rng& rng) {
  const auto size = static_cast<size_t>(rows * n);
  std::vector<T> x(size), norm(size), y(size), dy(size), dx(size),
      inverse(static_cast<size_t>(rows)), gain(static_cast<size_t>(n)),
      bias(static_cast<size_t>(n));
  for (auto* v : {&x, &dy, &gain, &bias})
    for (T& e : *v) e = static_cast<T>(rng.normal());
  vlayer_norm(rows, n, x.data(), gain.data(), bias.data(), T(0.01), norm.data(), y.data(),
              inverse.data());
  vlayer_norm_backward(rows, n, norm.data(), inverse.data(), gain.data(), dy.data(), dx.data());
  const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;
  for (int64_t r = 0; r < rows; ++r) {
    const auto at = [&](const std::vector<T>& v, int64_t i) {
      return static_cast<double>(v[static_cast<size_t>(r * n + i)]);
    };
    const auto of = [](const std::vector<T>& v, int64_t i) {
      return static_cast<double>(v[static_cast<size_t>(i)]);
    };
    const auto size_n = static_cast<double>(n);
    double mean = 0, variance = 0, mean_g = 0, along = 0;
    for (int64_t i = 0; i < n; ++i) mean += at(x, i) / size_n;
    for (int64_t i = 0; i < n; ++i) variance += (at(x, i) - mean) * (at(x, i) - mean) / size_n;
    const double factor = 1 / std::sqrt(variance + 0.01);
    EXPECT_NEAR(of(inverse, r), factor, 10 * tolerance);
    for (int64_t i = 0; i < n; ++i) mean_g += of(gain, i) * at(dy, i) / size_n;
    for (int64_t i = 0; i < n; ++i) along += of(gain, i) * at(dy, i) * at(norm, i) / size_n;
    for (int64_t i = 0; i < n; ++i) {
      const double want = (at(x, i) - mean) * factor;
      ASSERT_NEAR(at(norm, i), want, tolerance) << "rows " << rows << " n " << n << " row " << r;
      ASSERT_NEAR(at(y, i), want * of(gain, i) + of(bias, i), 3 * tolerance) << n << ' ' << r;
      ASSERT_NEAR(at(dx, i), (of(gain, i) * at(dy, i) - mean_g - at(norm, i) * along) * factor,
                  20 * tolerance)
          << "rows " << rows << " n " << n << " row " << r;
    }
  }
  vlayer_norm_backward(rows, n, norm.data(), inverse.data(), gain.data(), dy.data(), dy.data());
  EXPECT_EQ(dy, dx) << "dx in the place of dy, rows " << rows << " n " << n;
}

// On both sides of the rows that take turns, and of every vector.
TEST(VectorMath, LayerNormIsWhatItSaysForAnyNumberOfRows) {
  Rng rng(12);
  for (const int64_t rows : {0, 1, 3, 4, 5, 9})
    for (const int64_t n : {1, 2, 7, 8, 15, 16, 17, 33, 63, 64, 65, 130}) {
      expect_layer_norm<float>(rows, n, rng);
      expect_layer_norm<double>(rows, n, rng);
    }
}

// Arrays of a cell in both precisions, with one element more than it may touch.
struct Both {
  std::vector<float> f;
  std::vector<double> d;
  Both(int64_t n, Rng& rng) : f(static_cast<size_t>(n) + 1), d(f.size()) {
    for (size_t i = 0; i < f.size(); ++i)
      d[i] = static_cast<double>(f[i] = static_cast<float>(rng.normal()));
  }
  void expect_near(const char* what, int64_t n, double end) const {
    for (size_t i = 0; i < f.size(); ++i)
      EXPECT_NEAR(static_cast<double>(f[i]), d[i], 5e-6 * (1 + std::abs(d[i])))
          << what << " of " << n << " units at " << i;
    EXPECT_EQ(d.back(), end) << what << " written behind, " << n << " units";
    EXPECT_EQ(static_cast<double>(f.back()), end) << what << " written behind, " << n << " units";
  }
};

TEST(VectorMath, CellsOfEveryWidthAgreeInBothPrecisions) {
  Rng rng(14);
  for (int64_t n = 1; n <= 70; ++n) {
    const Both x(4 * n, rng), g(4 * n, rng), before(n, rng), dy(n, rng);
    Both gates(5 * n, rng), now(n, rng), after(n, rng), dh(n, rng), dc(n, rng), da(4 * n, rng),
        dg(3 * n, rng), small(4 * n, rng), dx(3 * n, rng);
    std::vector<const Both*> all{&gates, &now, &after, &dh, &dc, &da, &dg, &small, &dx};
    std::vector<double> ends;
    for (const Both* b : all) ends.push_back(b->d.back());
    const auto run = [&](auto Both::*v) {
      vlstm_cell(n, (x.*v).data(), (g.*v).data(), (before.*v).data(), (gates.*v).data(),
                 (now.*v).data(), (after.*v).data());
      vlstm_cell_backward(n, (gates.*v).data(), (before.*v).data(), (dy.*v).data(), (dh.*v).data(),
                          (dc.*v).data(), (da.*v).data());
      vgru_cell(n, (x.*v).data(), (g.*v).data(), (before.*v).data(), (small.*v).data(),
                (now.*v).data());
      vgru_cell_backward(n, (small.*v).data(), (before.*v).data(), (dy.*v).data(), (dc.*v).data(),
                         (dx.*v).data(), (dg.*v).data());
    };
    run(&Both::f), run(&Both::d);
    const char* const names[] = {"gates", "now", "after", "dh", "dc", "da", "dg", "small", "dx"};
    for (size_t i = 0; i < all.size(); ++i) all[i]->expect_near(names[i], n, ends[i]);
  }
}

TEST(VectorMath, AdditiveScoreOfEveryWidthAgreesInBothPrecisions) {
  Rng rng(15);
  for (int64_t n = 1; n <= 70; ++n) {
    const Both q(n, rng), k(n, rng), v(n, rng);
    Both u(n, rng), dq(n, rng), dk(n, rng), dv(n, rng);
    const double ends[] = {u.d.back(), dq.d.back(), dk.d.back(), dv.d.back()};
    const float e = vadditive_score(n, q.f.data(), k.f.data(), v.f.data(), u.f.data());
    const double want = vadditive_score(n, q.d.data(), k.d.data(), v.d.data(), u.d.data());
    EXPECT_NEAR(static_cast<double>(e), want, 5e-6 * static_cast<double>(n));
    vadditive_score_backward(n, 0.75f, v.f.data(), u.f.data(), dq.f.data(), dk.f.data(),
                             dv.f.data());
    vadditive_score_backward(n, 0.75, v.d.data(), u.d.data(), dq.d.data(), dk.d.data(),
                             dv.d.data());
    Both same = dq, twice = dq;  // query and keys may be one tensor
    vadditive_score_backward(n, 0.5f, v.f.data(), u.f.data(), same.f.data(), same.f.data(),
                             dv.f.data());
    for (size_t i = 0; i < static_cast<size_t>(n); ++i)
      twice.f[i] += v.f[i] * (1 - u.f[i] * u.f[i]);
    vadditive_score_backward(n, 0.5, v.d.data(), u.d.data(), same.d.data(), same.d.data(),
                             dv.d.data());
    same.expect_near("both", n, ends[1]);
    for (int64_t j = 0; j < n; ++j)
      EXPECT_NEAR(same.f[static_cast<size_t>(j)], twice.f[static_cast<size_t>(j)], 1e-5) << n;
    u.expect_near("u", n, ends[0]), dq.expect_near("dq", n, ends[1]);
    dk.expect_near("dk", n, ends[2]), dv.expect_near("dv", n, ends[3]);
  }
}

}  // namespace
}  // namespace heed
