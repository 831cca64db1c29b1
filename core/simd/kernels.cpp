// Compiled once per instruction set with -DHEED_SIMD=<name>; defines heed::simd::<name>. Plain
// loops: the flags of this file, and of this file only, decide how wide they run.
#include <bit>
#include <cmath>

#include "core/simd/adam.h"
#include "core/simd/cells.h"
#include "core/simd/gemm.h"
#include "core/simd/layer_norm.h"
#include "core/simd/math.h"
#include "core/simd/philox.h"
#include "core/simd/table.h"
#include "core/simd/tiny_gemm.h"

#ifndef HEED_SIMD
#define HEED_SIMD baseline
#endif
#define HEED_TEXT2(x) #x
#define HEED_TEXT(x) HEED_TEXT2(x)

namespace heed::simd {
namespace {

constexpr int64_t kLanes = 16;

// A block of which n < kLanes elements are there: compilers make masked moves of these.
void load_part(int64_t n, const float* x, float rest, float* v) {
  for (int64_t l = 0; l < kLanes; ++l) {
    float t = rest;
    if (l < n) t = x[l];
    v[l] = t;
  }
}
void store_part(int64_t n, const float* v, float* y) {
  for (int64_t l = 0; l < kLanes; ++l)
    if (l < n) y[l] = v[l];
}

// y = f(x). The rest of a row, all of it where a row is short, goes through a full block too.
template <class F>
void map_all(int64_t n, const float* x, float* y, F f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) y[i + l] = f(x[i + l]);
  if (i == n) return;
  float rest[kLanes];
  load_part(n - i, x + i, 0.0f, rest);
  for (float& v : rest) v = f(v);
  store_part(n - i, rest, y + i);
}

void exp_all(int64_t n, const float* x, float* y) {
  map_all(n, x, y, exp_of);
}
void tanh_all(int64_t n, const float* x, float* y) {
  map_all(n, x, y, tanh_of);
}
void sigmoid_all(int64_t n, const float* x, float* y) {
  map_all(n, x, y, sigmoid_of);
}

// Reductions keep kLanes partial results (sum_all and dot_all four vectors), which vectorises
// without reordering a sum behind the caller's back: the order is fixed and part of the result.

// f over a block, halves against halves.
template <int64_t N, class F>
[[gnu::always_inline]] inline float fold(const float (&lane)[N], F f) {
  if constexpr (N == 1)
    return lane[0];
  else {
    float half[N / 2];
    for (int64_t l = 0; l < N / 2; ++l) half[l] = f(lane[l], lane[l + N / 2]);
    return fold(half, f);
  }
}
constexpr auto kAdd = [](float a, float b) { return a + b; };
constexpr auto kGreater = [](float a, float b) { return b > a ? b : a; };

template <class F>
float reduce_sum(int64_t n, F term) {
  float lane[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lane[l] += term(i + l);
  float rest = 0;
  for (; i < n; ++i) rest += term(i);
  return fold(lane, kAdd) + rest;
}

// The sum of vectors at(i) and numbers term(i). Four sums take turns, because an addition waits for
// the one before it.
template <class F, class G>
inline float sum_of(int64_t n, F at, G term) {
  Vec s0 = {}, s1 = {}, s2 = {}, s3 = {};
  int64_t i = 0;
  for (; i + 4 * kLane <= n; i += 4 * kLane)
    s0 += at(i), s1 += at(i + kLane), s2 += at(i + 2 * kLane), s3 += at(i + 3 * kLane);
  for (; i + kLane <= n; i += kLane) s0 += at(i);
  s0 = (s0 + s1) + (s2 + s3);
  float lane[kLane], rest = 0;
  store(lane, s0);
  for (; i < n; ++i) rest += term(i);
  return fold(lane, kAdd) + rest;
}

float sum_all(int64_t n, const float* x) {
  return sum_of(
      n, [=](int64_t i) { return load(x + i); }, [=](int64_t i) { return x[i]; });
}
float dot_all(int64_t n, const float* x, const float* y) {
  return sum_of(
      n, [=](int64_t i) { return load(x + i) * load(y + i); },
      [=](int64_t i) { return x[i] * y[i]; });
}

float max_all(int64_t n, const float* x) {
  float lane[kLanes], part[kLanes];
  for (float& l : lane) l = -INFINITY;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lane[l] = kGreater(lane[l], x[i + l]);
  load_part(n - i, x + i, -INFINITY, part);
  for (int64_t l = 0; l < kLanes; ++l) lane[l] = kGreater(lane[l], part[l]);
  return fold(lane, kGreater);
}

float exp_sum_all(int64_t n, const float* x, float* max) {
  const float m = max_all(n, x);
  *max = m;
  float lane[kLanes] = {}, part[kLanes];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    __builtin_prefetch(x + i + n);  // of what is likely to be the next row
    for (int64_t l = 0; l < kLanes; ++l) lane[l] += exp_of(x[i + l] - m);
  }
  if (i == n) return fold(lane, kAdd);
  load_part(n - i, x + i, -INFINITY, part);
  for (int64_t l = 0; l < kLanes; ++l) lane[l] += exp_of(part[l] - m);
  return fold(lane, kAdd);
}

void cross_entropy_backward_all(int64_t n, const float* x, float normaliser, float share, float g,
                                float* dx) {
  map_all(n, x, dx, [=](float v) { return (exp_of(v - normaliser) - share) * g; });
}

// At most kLanes numbers of a row stay in registers from end to end, the first ones. Not inlined
// into the loop over rows, of which g++ 12 then makes no vectors.
[[gnu::noinline]] void softmax_short(int64_t kept, int64_t n, const float* x, float* y) {
  float e[kLanes], lane[kLanes];
  load_part(kept, x, -INFINITY, e);
  for (int64_t l = 0; l < kLanes; ++l) lane[l] = e[l];
  const float m = fold(lane, kGreater);
  for (int64_t l = 0; l < kLanes; ++l) lane[l] = e[l] = exp_of(e[l] - m);
  const float factor = 1.0f / fold(lane, kAdd);
  for (int64_t l = 0; l < kLanes; ++l) e[l] = l < kept ? e[l] * factor : 0.0f;
  store_part(n, e, y);
}
void softmax_long(int64_t kept, const float* x, float* y) {
  const float m = max_all(kept, x);
  map_all(kept, x, y, [m](float v) { return exp_of(v - m); });
  const float factor = 1.0f / sum_all(kept, y);
  for (int64_t i = 0; i < kept; ++i) y[i] *= factor;
}
// Which way a row goes depends on what is kept of it, and not on how many zeros follow.
void softmax_all(int64_t rows, int64_t n, const int64_t* kept, const float* x, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const int64_t k = kept ? kept[r] : n;
    int64_t done = k;
    if (k > kLanes)
      softmax_long(k, x, y);
    else if (k > 0)
      softmax_short(k, done = n < kLanes ? n : kLanes, x, y);
    for (; done < n; ++done) y[done] = 0.0f;
  }
}

// Not inlined for the same reason.
[[gnu::noinline]] void softmax_backward_row(int64_t n, const float* y, const float* dy, float* dx) {
  if (n > kLanes) {
    // dy is read wherever y is: g++ 12 makes wrong AVX2 code of a load that depends on y.
    const float mean = reduce_sum(n, [=](int64_t i) {
      const float term = y[i] * dy[i];
      return y[i] != 0.0f ? term : 0.0f;
    });
    for (int64_t i = 0; i < n; ++i) {
      const float d = y[i] * (dy[i] - mean);
      dx[i] = y[i] != 0.0f ? d : 0.0f;
    }
    return;
  }
  float p[kLanes], d[kLanes], lane[kLanes];
  load_part(n, y, 0.0f, p);
  load_part(n, dy, 0.0f, d);
  for (int64_t l = 0; l < kLanes; ++l) d[l] = p[l] != 0.0f ? d[l] : 0.0f;
  for (int64_t l = 0; l < kLanes; ++l) lane[l] = p[l] * d[l];
  const float mean = fold(lane, kAdd);
  for (int64_t l = 0; l < kLanes; ++l) d[l] = p[l] != 0.0f ? p[l] * (d[l] - mean) : 0.0f;
  store_part(n, d, dx);
}
void softmax_backward_all(int64_t rows, int64_t n, const float* y, const float* dy, float* dx) {
  for (int64_t at = 0; at < rows * n; at += n) softmax_backward_row(n, y + at, dy + at, dx + at);
}

void layer_norm_all(int64_t rows, int64_t n, const float* x, const float* gain, const float* bias,
                    float eps, float* norm, float* y, float* inverse) {
  layer_norm_rows(rows, n, x, gain, bias, eps, norm, y, inverse, sum_all, dot_all);
}
void layer_norm_backward_all(int64_t rows, int64_t n, const float* norm, const float* inverse,
                             const float* gain, const float* dy, float* dx) {
  layer_norm_backward_rows(rows, n, norm, inverse, gain, dy, dx, sum_all, dot_all);
}

constexpr auto kSigmoid = [](float x) { return sigmoid_of(x); };
constexpr auto kTanh = [](float x) { return tanh_of(x); };
void gru_cell_all(int64_t n, const float* x, const float* g, const float* before, float* gate,
                  float* after) {
  gru_cell(n, x, g, before, gate, after, kSigmoid, kTanh);
}
void lstm_cell_all(int64_t n, const float* x, const float* g, const float* before, float* gate,
                   float* now, float* after) {
  lstm_cell(n, x, g, before, gate, now, after, kSigmoid, kTanh);
}

float additive_score_all(int64_t n, const float* q, const float* k, const float* v, float* u) {
  for (int64_t i = 0; i < n; ++i) u[i] = tanh_of(q[i] + k[i]);
  return dot_all(n, v, u);
}

// All bits of the factor or none: a branch would be mispredicted half of the time.
inline float factor_if(bool kept, float factor) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(factor) & (0u - static_cast<uint32_t>(kept)));
}

inline uint16_t half(const uint32_t* words, int64_t i) {
  uint16_t h;
  std::memcpy(&h, reinterpret_cast<const unsigned char*>(words) + 2 * i, sizeof h);
  return h;
}

void dropout_all(int64_t n, const uint32_t* words, uint16_t limit, float factor, const float* x,
                 uint8_t* kept, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor_if(half(words, i) >= limit, factor);
  for (int64_t i = 0; i < n; ++i) kept[i] = half(words, i) >= limit;
}
void scale_kept_all(int64_t n, const uint8_t* kept, float factor, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * factor_if(kept[i] != 0, factor);
}

// Four rows per pass over `to`, one after the other as if each had a pass of its own.
void add_rows_all(int64_t rows, int64_t n, const float* x, float* to) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *x0 = x + r * n, *x1 = x0 + n, *x2 = x1 + n, *x3 = x2 + n;
    for (int64_t i = 0; i < n; ++i) to[i] = to[i] + x0[i] + x1[i] + x2[i] + x3[i];
  }
  for (; r < rows; ++r)
    for (int64_t i = 0; i < n; ++i) to[i] += x[r * n + i];
}

void add_products_all(int64_t rows, int64_t n, const float* x, const float* y, float* to) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n)
    for (int64_t i = 0; i < n; ++i) to[i] += x[i] * y[i];
}

void axpy_all(int64_t n, float a, const float* x, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

}  // namespace

extern const Table HEED_SIMD;
const Table HEED_SIMD{HEED_TEXT(HEED_SIMD),
                      kLane,
                      exp_all,
                      tanh_all,
                      sigmoid_all,
                      exp_sum_all,
                      cross_entropy_backward_all,
                      softmax_all,
                      softmax_backward_all,
                      sum_all,
                      dot_all,
                      layer_norm_all,
                      layer_norm_backward_all,
                      gru_cell_all,
                      gru_cell_backward<float>,
                      lstm_cell_all,
                      lstm_cell_backward<float>,
                      additive_score_all,
                      additive_score_backward<float>,
                      dropout_all,
                      scale_kept_all,
                      add_rows_all,
                      add_products_all,
                      axpy_all,
                      gemm_all,
                      tiny_gemm<float>,
                      adam_all,
                      philox_all};

}  // namespace heed::simd
